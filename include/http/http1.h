#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "base/request.h"
#include "http/headlines.h"
#include "system/config.h"

/*
 * HTTP/1 requests out of bytes (RFC 9112). llhttp parses; before it sees a head, the head's
 * bytes are looked at line by line, and everything that two parsers could understand in two
 * ways is refused.
 */

/*
 * The last head of a connection. A client repeats its header fields byte for byte, as a rule,
 * and asks for another target: what was found out about the same bytes holds again.
 */
#define HTTP1_LAST_BYTES 768 /* longer ones are not remembered */

struct http1_last {
    size_t len;             /* of rest; 0: there is none */
    struct request request; /* without path and query; origin, id, conditions lie in rest */
    char rest[HTTP1_LAST_BYTES]; /* of "GET /target", which is what all of them begin with */
};

/* What is known of a connection's heads. All zeros: a new connection. */
struct http1_scan {
    struct headlines lines; /* of the one that is coming */
    struct http1_last last;
};

enum http1_result {
    HTTP1_MORE, /* the bytes so far are fine, and not all */
    HTTP1_DONE,
    HTTP1_BAD, /* the failure says why; the connection cannot go on */
};

/**
 * http1_head(bytes, len, scan, config, request, consumed, failure):
 * Look for the head of a request in ${len} ${bytes}, the same ones as before and more, in the
 * connection of ${scan}. When it is DONE, ${request} is filled in with slices of ${bytes} and
 * of ${scan}, ${consumed} is the length of the head, and ${scan} is ready for the next one.
 */
enum http1_result http1_head(const char *bytes, size_t len, struct http1_scan *scan,
                             const struct config *config, struct request *request,
                             size_t *consumed, struct failure *failure);

/**
 * http1_is_head(bytes, len):
 * Whether a request that begins with ${len} ${bytes}, and may be BAD, has the method HEAD: no
 * answer to one has a body (RFC 9110 section 9.3.2).
 */
bool http1_is_head(const char *bytes, size_t len);

#endif
