#ifndef TOOLS_DAYSORT_H
#define TOOLS_DAYSORT_H

#include <stdint.h>

#include "tools/columns.h"
#include "tools/seriesdir.h"

/* The rows of a day in the order of their nanosecond, stably. */

struct daysort_key {
    uint64_t ns;
    uint64_t row;
};

/**
 * daysort_keys(keys, scratch, count):
 * Sort the ${count} ${keys} by ns; equal ones keep their order. ${scratch} has room for as
 * many. Returns where the result is: ${keys} or ${scratch}.
 */
struct daysort_key *daysort_keys(struct daysort_key *keys, struct daysort_key *scratch,
                                 uint64_t count);

/**
 * daysort_run(series, columns, day, rows):
 * Sort the ${rows} rows in the temporary files of ${day}. It takes 32 bytes of memory for each
 * row and, for one column after another, twice its size. Returns 0, or -1 after a message; the
 * temporary files are then worth nothing.
 */
int daysort_run(const struct seriesdir *series, const struct columns *columns, int32_t day,
                uint64_t rows);

#endif
