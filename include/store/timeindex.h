#ifndef STORE_TIMEINDEX_H
#define STORE_TIMEINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where time lies in a day: which rows of its time column, an array of u32 seconds, are in a
 * range. Pure functions of memory; where that memory maps a file, the caller runs them under
 * guard_run. None reads outside the rows that it is given or goes on for ever, whatever the
 * seconds and the fences are, and should they change meanwhile: only the answer is wrong then.
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

/* Fences stand at the midnight that a day begins with, and every so many seconds after it; the
 * last one at the midnight that it ends with. */
#define TIMEINDEX_STRETCH 128
#define TIMEINDEX_FENCES 676

/* Instead of a row: none that is known is so late. */
#define TIMEINDEX_NO_ROW UINT32_MAX

/* Where each stretch of a day begins: number k is the first row that is not before the k-th
 * fence, or TIMEINDEX_NO_ROW. Once it is a row it stays that row, however the day grows. */
struct timefences {
    uint32_t rows[TIMEINDEX_FENCES];
};

/* Where searches begin and end: the first row that is not before the start of a range is
 * ${start_from} or later, and ${start_to} or earlier (its number is that of rows where there is
 * none); likewise of the first row after the end of the range. */
struct timebounds {
    uint64_t start_from, start_to;
    uint64_t end_from, end_to;
};

/**
 * timeindex_extend(index, times, rows):
 * Learn the rows that ${index} does not know yet, up to ${rows}.
 */
void timeindex_extend(struct timeindex *index, const uint32_t *times, uint64_t rows);

/**
 * timeindex_fenceable(index):
 * Whether a day has fences: it must be in order, and not too long for them.
 */
static inline bool timeindex_fenceable(const struct timeindex *index)
{
    return !index->steps_back && index->rows <= UINT32_MAX;
}

/**
 * timeindex_fences(index, times, day, fences, known):
 * Put up the fences of ${day}, a number of days since the epoch, for all rows of ${index},
 * which must be fenceable. Of the first ${known} of these rows ${fences} tell already; where
 * that is 0, they may hold anything.
 */
void timeindex_fences(const struct timeindex *index, const uint32_t *times, int32_t day,
                      struct timefences *fences, uint64_t known);

/**
 * timeindex_bracket(day, second):
 * The last fence of ${day} that stands at ${second} or before it: the first row that is not
 * before ${second} lies between that fence and the next. From -1, before all fences, to
 * TIMEINDEX_FENCES - 1, where no other one follows.
 */
int timeindex_bracket(int32_t day, uint64_t second);

/**
 * timeindex_bounds_all(rows):
 * The bounds where nothing else is known of ${rows} rows.
 */
static inline struct timebounds timeindex_bounds_all(uint64_t rows)
{
    return (struct timebounds){ 0, rows, 0, rows };
}

/**
 * timeindex_bounds_clip(bounds, known, rows):
 * Bounds for a search among the first ${rows} rows, out of what four fences say that tell of
 * the first ${known} rows, which may be fewer or more: those that timeindex_bracket names for
 * range.start, and for range.end + 1, with 0 for one before the first fence and
 * TIMEINDEX_NO_ROW for one after the last. Whatever they were, a search within these bounds
 * stays among the rows.
 */
struct timebounds timeindex_bounds_clip(struct timebounds bounds, uint64_t known,
                                        uint64_t rows);

/**
 * timeindex_bounds(fences, known, day, rows, range):
 * All of that at once: the bounds of ${range} among the first ${rows} rows of ${day}, whose
 * ${fences} tell of the first ${known} rows.
 */
struct timebounds timeindex_bounds(const struct timefences *fences, uint64_t known, int32_t day,
                                   uint64_t rows, struct timerange range);

/**
 * timeindex_find(times, rows, second):
 * The first of ${rows} rows in order whose time is not before ${second}; ${rows} if there is
 * none.
 */
uint64_t timeindex_find(const uint32_t *times, uint64_t rows, uint64_t second);

/**
 * timeindex_select(index, times, nanos, rows, range, bounds):
 * The rows in ${range} among the first ${rows}, which ${index} knows. ${nanos}, beside
 * ${times}, or NULL where whole seconds decide. ${bounds} are of that range and that many rows,
 * and matter only in a day in order.
 */
struct timespan timeindex_select(const struct timeindex *index, const uint32_t *times,
                                 const uint32_t *nanos, uint64_t rows, struct timerange range,
                                 struct timebounds bounds);

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
