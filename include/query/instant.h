#ifndef QUERY_INSTANT_H
#define QUERY_INSTANT_H

#include <stdint.h>

#include "base/failure.h"
#include "base/slice.h"

/* A bound of a range of time. */
struct instant {
    uint32_t second;
    uint32_t nanos;
};

/* The last nanosecond of a second; a clock may write a leap second as more than 999999999. */
#define INSTANT_LAST_NANO UINT32_MAX

/**
 * instant_parse(text, parameter, is_end, instant, failure):
 * Read ${text}: Unix seconds, an RFC 3339 time, or a date. What names a whole second or a whole
 * day means the first nanosecond of it, or the last if ${is_end}. Returns 0, or -1 with
 * ${failure} (400, naming ${parameter}).
 */
int instant_parse(struct slice text, const char *parameter, int is_end, struct instant *instant,
                  struct failure *failure);

#endif
