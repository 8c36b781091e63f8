#ifndef STORE_DAYS_H
#define STORE_DAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/date.h"

/* A set of days between DATE_FIRST and DATE_LAST, one bit each. All zeros is the empty set. */

#define DAYS_WORDS ((DATE_LAST - DATE_FIRST + 64) / 64)

struct days {
    uint64_t words[DAYS_WORDS];
};

/**
 * days_add(days, day):
 * Put ${day}, from DATE_FIRST to DATE_LAST, into the set.
 */
void days_add(struct days *days, int32_t day);

/**
 * days_next(days, first, last):
 * The first day of the set that lies from ${first} to ${last}, any numbers; INT32_MAX if there
 * is none.
 */
int32_t days_next(const struct days *days, int32_t first, int32_t last);

/**
 * days_count(days, first, last):
 * How many days of the set lie from ${first} to ${last}, any numbers.
 */
unsigned days_count(const struct days *days, int32_t first, int32_t last);

#endif
