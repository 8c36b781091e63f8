#ifndef HTTP_HEADLINES_H
#define HTTP_HEADLINES_H

#include <stddef.h>

#include "base/failure.h"
#include "system/config.h"

/*
 * The lines of a request's head, looked at as they come: everything that two parsers could
 * understand in two ways, and all that is over its limit, is refused before a parser sees it
 * (RFC 9112 sections 2 to 5).
 */

/* How far a head was looked at. All zeros: not yet. */
struct headlines {
    size_t at;      /* where the first line begins that is not complete */
    size_t target;  /* length of the request line, once that is */
    unsigned lines; /* complete lines, without empty ones before the first */
};

/**
 * headlines_check(bytes, len, seen, config, failure):
 * Look at the lines that have become complete among ${len} ${bytes}, the same ones as before
 * and more. Returns 1 at the empty line that ends the head, whose length is ${seen}'s at; 0 if
 * the bytes so far are fine, and not all; -1 with the ${failure} if the connection cannot go
 * on.
 */
int headlines_check(const char *bytes, size_t len, struct headlines *seen,
                    const struct config *config, struct failure *failure);

#endif
