#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include <stddef.h>

/*
 * What the ways of answering share. A server of this kind knows one answer, never looks at what
 * it is asked, and so shows what the kernel alone costs: nobody who has to parse, look up and
 * plan can be below it.
 */

/* Connections are found by their descriptor; what comes above this is turned away. */
#define LIMIT_CONNECTIONS 4096

/* The one answer: bytes in memory, and the body once more as the file it is mapped from. */
struct limit_answer {
    const char *header;
    size_t header_len;
    const char *body;
    size_t body_len;
    int file;
};

enum limit_way {
    LIMIT_COPY,     /* header and body out of memory, in one call */
    LIMIT_SENDFILE, /* header with MSG_MORE, then the body by sendfile */
    LIMIT_ZEROCOPY, /* as LIMIT_COPY, with the kernel borrowing the pages (io_uring only) */
};

/**
 * limit_count_requests(data, len, matched):
 * How many requests end within the ${len} bytes at ${data}, a request's end being a blank line.
 * ${matched} is how much of a blank line the bytes before ended with, 0 at first.
 */
unsigned limit_count_requests(const char *data, size_t len, unsigned *matched);

/**
 * limit_send(fd, answer, way, sent):
 * Send as much of the answer as the socket takes, from its byte ${sent} on, which moves along.
 * Returns 1 when all of it has gone, 0 when the socket is full, -1 when the connection is dead.
 */
int limit_send(int fd, const struct limit_answer *answer, enum limit_way way, size_t *sent);

/**
 * limit_epoll(listener, answer, way):
 * Serve for ever with epoll. Returns -1 when it cannot.
 */
int limit_epoll(int listener, const struct limit_answer *answer, enum limit_way way);

/**
 * limit_uring(listener, answer, way, fixed):
 * Serve for ever with io_uring; ${fixed}: connections live in the ring's own table of files and
 * have no descriptors. There is no LIMIT_SENDFILE here. Returns -1 when it cannot.
 */
int limit_uring(int listener, const struct limit_answer *answer, enum limit_way way, int fixed);

#endif
