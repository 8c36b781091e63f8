#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdint.h>

#include "base/slice.h"

/* The value of a Range (RFC 9110 section 14.1.2). */

enum range_result {
    RANGE_NONE,    /* not one range of bytes: it is to be ignored */
    RANGE_ONE,     /* one that can be had */
    RANGE_OUTSIDE, /* one that begins behind the end, or has no bytes */
};

/**
 * range_parse(value, length, from, to):
 * What the ${value} of a Range wants of ${length} bytes: those from ${from} on and before
 * ${to}, which are filled in if it is RANGE_ONE.
 */
enum range_result range_parse(struct slice value, uint64_t length, uint64_t *from,
                              uint64_t *to);

#endif
