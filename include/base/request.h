#ifndef BASE_REQUEST_H
#define BASE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* One HTTP request as its parser understood it. The slices lie in the parsed bytes. */

enum request_method {
    REQUEST_GET,
    REQUEST_HEAD,
    REQUEST_OPTIONS,
    REQUEST_OTHER, /* a method that HTTP has and we do not serve */
};

struct request {
    enum request_method method;
    int minor;            /* of HTTP/1.minor: 0 or 1 */
    bool keep_alive;      /* the client wants the connection to stay */
    bool chunked;         /* a body follows the head, in chunks */
    bool expect_continue; /* the client waits for a 100 before it sends the body */
    bool admin;           /* it came to an admin listener */
    uint64_t body_bytes;  /* length of the body that follows the head; 0 if there is none, or
                             chunked */
    struct slice path;    /* of the target, as sent: "/api/data"; "*" of OPTIONS */
    struct slice query;   /* what follows its '?', as sent; at is NULL without one */
    struct slice origin;  /* header fields, empty where absent */
    struct slice id;      /* X-Request-Id */
    struct slice
        conditions; /* lines of the head from the first to the last that is a Range or an
                       If-..., with CR LF between them; other lines may be among them */
};

#endif
