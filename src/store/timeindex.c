#include "store/timeindex.h"

#include <string.h>

#include "base/date.h"
#include "store/scan.h"

/* Rows that are looked at together: what the first cache holds, so that a step back among them
 * is soon found. */
#define BLOCK 4096

/* A search divides by PARTS until LAST rows or fewer remain, and then looks at each. */
#define PARTS 16
#define LAST 128

/* The first row from ${row} on that is smaller than the one before it. One of ${rows} is,
 * unless somebody is writing: then it may be any. */
static uint64_t first_step(const uint32_t *times, uint64_t row, uint64_t rows)
{
    while (row + 1 < rows && times[row] >= times[row - 1])
        row++;
    return row;
}

static void extend_block(struct timeindex *index, const uint32_t *times, uint64_t rows)
{
    /* The row before is looked at again: the first new one may be smaller. */
    uint64_t from = index->rows == 0 ? 0 : index->rows - 1;
    uint32_t min, max;
    bool back = scan_order(times + from, (size_t)(rows - from), &min, &max);

    if (back && !index->steps_back) {
        index->steps_back = true;
        index->first_step = first_step(times, from + 1, rows);
    }
    if (index->rows == 0 || min < index->min)
        index->min = min;
    if (index->rows == 0 || max > index->max)
        index->max = max;
    index->rows = rows;
}

void timeindex_extend(struct timeindex *index, const uint32_t *times, uint64_t rows)
{
    while (index->rows < rows) {
        uint64_t end = rows - index->rows > BLOCK ? index->rows + BLOCK : rows;

        extend_block(index, times, end);
    }
}

/* The first row from ${from} to ${to} that is not before ${second}; ${to} if there is none. */
static uint64_t find(const uint32_t *times, uint64_t from, uint64_t to, uint64_t second)
{
    /* Halves would wait for memory one after the other; the ends of many parts arrive
     * together. */
    while (to - from > LAST) {
        uint64_t part = (to - from) / PARTS, below = 0;

        for (uint64_t i = 1; i < PARTS; i++)
            below += times[from + i * part - 1] < second;
        from += below * part;
        to = below < PARTS - 1 ? from + part : to;
    }
    return from + scan_below(times + from, (size_t)(to - from), second);
}

uint64_t timeindex_find(const uint32_t *times, uint64_t rows, uint64_t second)
{
    return find(times, 0, rows, second);
}

/* --- Fences */

static int64_t midnight(int32_t day)
{
    return (int64_t)day * DATE_SECONDS;
}

int timeindex_bracket(int32_t day, uint64_t second)
{
    int64_t after = (int64_t)second - midnight(day);

    if (after < 0)
        return -1;
    return after < DATE_SECONDS ? (int)(after / TIMEINDEX_STRETCH) : TIMEINDEX_FENCES - 1;
}

/* The same up to the last of ${rows}, but it is likely to be near. */
static uint64_t find_near(const uint32_t *times, uint64_t from, uint64_t rows, uint64_t second)
{
    uint64_t reach = LAST;

    while (reach < rows - from && times[from + reach - 1] < second)
        reach *= 4;
    return find(times, from, reach < rows - from ? from + reach : rows, second);
}

void timeindex_fences(const struct timeindex *index, const uint32_t *times, int32_t day,
                      struct timefences *fences, uint64_t known)
{
    uint64_t row = known;

    if (known == 0)
        memset(fences, 0xff, sizeof(*fences));
    if (known >= index->rows)
        return;
    /* All fences up to the last known row have found theirs. */
    int next = known == 0 ? 0 : timeindex_bracket(day, times[known - 1]) + 1;
    int last = timeindex_bracket(day, index->max);
    for (int k = next; k <= last; k++) {
        row = find_near(times, row, index->rows,
                        (uint64_t)(midnight(day) + (int64_t)k * TIMEINDEX_STRETCH));
        fences->rows[k] = (uint32_t)row;
    }
}

static void clip(uint64_t *from, uint64_t *to, uint64_t known, uint64_t rows)
{
    /* The fences say nothing of rows that were added after them. */
    *from = *from < known ? *from : known;
    *to = *to < known ? *to : rows;
    *to = *to < rows ? *to : rows;
    *from = *from < *to ? *from : *to;
}

struct timebounds timeindex_bounds_clip(struct timebounds bounds, uint64_t known, uint64_t rows)
{
    clip(&bounds.start_from, &bounds.start_to, known, rows);
    clip(&bounds.end_from, &bounds.end_to, known, rows);
    return bounds;
}

static void look_up(const struct timefences *fences, int k, uint64_t *from, uint64_t *to)
{
    *from = k < 0 ? 0 : fences->rows[k];
    *to = k + 1 < TIMEINDEX_FENCES ? fences->rows[k + 1] : TIMEINDEX_NO_ROW;
}

struct timebounds timeindex_bounds(const struct timefences *fences, uint64_t known, int32_t day,
                                   uint64_t rows, struct timerange range)
{
    struct timebounds bounds;

    look_up(fences, timeindex_bracket(day, range.start), &bounds.start_from, &bounds.start_to);
    look_up(fences, timeindex_bracket(day, (uint64_t)range.end + 1), &bounds.end_from,
            &bounds.end_to);
    return timeindex_bounds_clip(bounds, known, rows);
}

/* --- Ranges */

/* All rows: for days that step back, in seconds or, in a boundary second, in nanos. */
static struct timespan select_scattered(const uint32_t *times, const uint32_t *nanos,
                                        uint64_t from, uint64_t to, struct timerange range)
{
    struct timespan span = { 0 };

    if (nanos == NULL) {
        if (from < to)
            span.count = scan_between(times + from, to - from, range.start, range.end,
                                      &span.from, &span.to);
        if (span.count > 0) {
            span.from += from;
            span.to += from + 1;
        }
        return span;
    }
    for (uint64_t i = from; i < to; i++) {
        if (!timeindex_matches(times, nanos, i, range))
            continue;
        if (span.count++ == 0)
            span.from = i;
        span.to = i + 1;
    }
    return span;
}

/* Whether nanos are in order in the second that a range starts with, and in the one that it
 * ends with. */
static bool nanos_in_order(const uint32_t *times, const uint32_t *nanos, struct timespan span,
                           struct timerange range)
{
    for (uint64_t i = span.from + 1; i < span.to && times[i] == range.start; i++) {
        if (nanos[i] < nanos[i - 1])
            return false;
    }
    for (uint64_t i = span.to; i > span.from + 1 && times[i - 2] == range.end; i--) {
        if (nanos[i - 1] < nanos[i - 2])
            return false;
    }
    return true;
}

struct timespan timeindex_select(const struct timeindex *index, const uint32_t *times,
                                 const uint32_t *nanos, uint64_t rows, struct timerange range,
                                 struct timebounds bounds)
{
    struct timespan span = { 0 };

    if (rows == 0 || range.start > range.end || index->max < range.start ||
        index->min > range.end)
        return span;
    if (index->steps_back && index->first_step < rows)
        return select_scattered(times, nanos, 0, rows, range);

    if (index->min < range.start)
        span.from = find(times, bounds.start_from, bounds.start_to, range.start);
    span.to = rows;
    if (index->max > range.end)
        span.to = find(times, bounds.end_from, bounds.end_to, (uint64_t)range.end + 1);
    if (nanos != NULL) {
        if (!nanos_in_order(times, nanos, span, range))
            return select_scattered(times, nanos, span.from, span.to, range);
        while (span.from < span.to && !timeindex_matches(times, nanos, span.from, range))
            span.from++;
        while (span.to > span.from && !timeindex_matches(times, nanos, span.to - 1, range))
            span.to--;
    }
    if (span.to < span.from)
        span.to = span.from;
    span.count = span.to - span.from;
    return span;
}
