#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "base/accessline.h"
#include "base/slice.h"
#include "system/accesslog.h"

/* What the access log is to say of a request, gathered while it is answered. */

/* Bytes that are kept of what a client sent; more are cut off, and "..." stands for them. */
#define ACCESS_REQUEST 2048
#define ACCESS_REFERER 1024
#define ACCESS_AGENT 512

struct exchange;

struct access {
    struct accessline line;
    uint64_t sent; /* bytes that the kernel took, the head included */
    char request[ACCESS_REQUEST], referer[ACCESS_REFERER], agent[ACCESS_AGENT];
};

/**
 * access_begin(access, peer, head):
 * Begin with a request of ${peer}, of whose head, or what there is of one, ${head} has the
 * bytes: they are copied as far as they matter. ${peer} must outlive ${access}.
 */
void access_begin(struct access *access, const char *peer, struct slice head);

/**
 * access_request(exchange, peer, head):
 * Likewise, for the request of ${exchange}, which is given memory for it; without any, its line
 * is counted as dropped.
 */
void access_request(struct exchange *exchange, const char *peer, struct slice head);

/**
 * access_write(log, exchange, end):
 * Add the line about the request of ${exchange}, which has come to its ${end}, to ${log}.
 */
void access_write(struct accesslog *log, struct exchange *exchange, enum accessline_end end);

/**
 * access_peer(fd, peer, size):
 * Write the address of the other end of the socket ${fd}, without its port, to the ${size}
 * bytes of ${peer}; "unix" of a local one.
 */
void access_peer(int fd, char *peer, size_t size);

#endif
