#ifndef HTTP_REQBODY_H
#define HTTP_REQBODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

/*
 * The body of a request, which is read and dropped: no request here means anything by one. What
 * is read past must be understood to the byte all the same, since the next request begins
 * behind it (RFC 9112 sections 6 and 7). llhttp is too lenient with chunks for that.
 */

enum reqbody_result {
    REQBODY_MORE, /* the bytes so far are fine, and not all */
    REQBODY_DONE,
    REQBODY_BAD, /* the failure says why; the connection cannot go on */
};

struct reqbody {
    int state;
    uint64_t left;   /* bytes of the body, or of this chunk, still to come */
    uint64_t room;   /* bytes that further chunks may have */
    uint64_t frame;  /* bytes that sizes, extensions and trailers may still have */
    unsigned digits; /* of the chunk size that is being read */
};

/**
 * reqbody_begin(body, length):
 * Make ${body} ready to read one of ${length} bytes.
 *
 * reqbody_begin_chunked(body, most):
 * Make ${body} ready to read one in chunks, of at most ${most} bytes.
 */
void reqbody_begin(struct reqbody *body, uint64_t length);
void reqbody_begin_chunked(struct reqbody *body, uint64_t most);

/**
 * reqbody_drop(body, bytes, len, consumed, failure):
 * Read ${len} more ${bytes}. When it is DONE, the first ${consumed} of them were the body's
 * last ones; when there is MORE to come, all of them.
 */
enum reqbody_result reqbody_drop(struct reqbody *body, const char *bytes, size_t len,
                                 size_t *consumed, struct failure *failure);

#endif
