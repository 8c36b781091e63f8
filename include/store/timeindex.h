#ifndef STORE_TIMEINDEX_H
#define STORE_TIMEINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where time lies in a day: which rows of its time column, an array of u32 seconds, are in a
 * range. Pure functions of memory; where that memory maps a file, the caller runs them under
 * guard_run.
 */

/* What is known of the first ${rows} rows. All zeros: nothing. */
struct timeindex {
    uint64_t rows;
    uint32_t min, max;   /* the smallest and the largest second; void without rows */
    bool steps_back;     /* some second is smaller than the one before it */
    uint64_t first_step; /* the first such row */
};

/* An inclusive range of time. The nanoseconds matter only where nanos are given beside the
 * seconds. */
struct timerange {
    uint32_t start, end;
    uint32_t start_nanos, end_nanos;
};

/* The rows of a day that are in a range: ${count} of those from ${from} up to, not including,
 * ${to}. */
struct timespan {
    uint64_t from, to;
    uint64_t count; /* to - from, or fewer where other rows lie between */
};

/**
 * timeindex_extend(index, times, rows):
 * Learn the rows that ${index} does not know yet, up to ${rows}.
 */
void timeindex_extend(struct timeindex *index, const uint32_t *times, uint64_t rows);

/**
 * timeindex_find(times, rows, second):
 * The first of ${rows} rows in order whose time is not before ${second}; ${rows} if there is
 * none.
 */
uint64_t timeindex_find(const uint32_t *times, uint64_t rows, uint64_t second);

/**
 * timeindex_select(index, times, nanos, rows, range):
 * The rows in ${range} among the first ${rows}, which ${index} knows. ${nanos}, beside
 * ${times}, or NULL where whole seconds decide.
 */
struct timespan timeindex_select(const struct timeindex *index, const uint32_t *times,
                                 const uint32_t *nanos, uint64_t rows, struct timerange range);

/**
 * timeindex_matches(times, nanos, row, range):
 * Whether ${row} is in ${range}.
 */
static inline bool timeindex_matches(const uint32_t *times, const uint32_t *nanos, uint64_t row,
                                     struct timerange range)
{
    if (times[row] < range.start || times[row] > range.end)
        return false;
    if (nanos == NULL)
        return true;
    return !(times[row] == range.start && nanos[row] < range.start_nanos) &&
           !(times[row] == range.end && nanos[row] > range.end_nanos);
}

#endif
