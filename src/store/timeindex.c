#include "store/timeindex.h"

/* Blocks without a step back, the usual ones, go by without a branch for each row. */
#define BLOCK 1024

static void extend_block(struct timeindex *index, const uint32_t *times, uint64_t rows)
{
    uint32_t min = times[index->rows], max = min;
    uint32_t before = index->rows == 0 ? times[0] : times[index->rows - 1];
    bool back = times[index->rows] < before;

    for (uint64_t i = index->rows; i < rows; i++) {
        min = times[i] < min ? times[i] : min;
        max = times[i] > max ? times[i] : max;
    }
    for (uint64_t i = index->rows + 1; i < rows; i++)
        back |= times[i] < times[i - 1];

    if (back && !index->steps_back) {
        uint64_t i = index->rows == 0 ? 1 : index->rows;

        while (times[i] >= times[i - 1])
            i++;
        index->steps_back = true;
        index->first_step = i;
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

uint64_t timeindex_find(const uint32_t *times, uint64_t rows, uint64_t second)
{
    const uint32_t *base = times;

    if (rows == 0)
        return 0;
    /* Halve without a branch to mispredict: the compiler makes the choice a conditional move.
     */
    while (rows > 1) {
        uint64_t half = rows / 2;

        base = base[half - 1] < second ? base + half : base;
        rows -= half;
    }
    return (uint64_t)(base - times) + (*base < second);
}

/* All rows one by one: for days that step back, in seconds or, in a boundary second, in nanos.
 */
static struct timespan select_scattered(const uint32_t *times, const uint32_t *nanos,
                                        uint64_t from, uint64_t to, struct timerange range)
{
    struct timespan span = { 0 };

    for (uint64_t i = from; i < to; i++) {
        if (!timeindex_matches(times, nanos, i, range))
            continue;
        if (span.count++ == 0)
            span.from = i;
        span.to = i + 1;
    }
    return span;
}

/* Whether the nanos of rows within one second are in order. */
static bool in_order(const uint32_t *nanos, uint64_t from, uint64_t to)
{
    for (uint64_t i = from + 1; i < to; i++) {
        if (nanos[i] < nanos[i - 1])
            return false;
    }
    return true;
}

struct timespan timeindex_select(const struct timeindex *index, const uint32_t *times,
                                 const uint32_t *nanos, uint64_t rows, struct timerange range)
{
    struct timespan span = { 0 };

    if (rows == 0 || range.start > range.end || index->max < range.start ||
        index->min > range.end)
        return span;
    if (index->steps_back && index->first_step < rows)
        return select_scattered(times, nanos, 0, rows, range);

    span.from = index->min >= range.start ? 0 : timeindex_find(times, rows, range.start);
    span.to =
        index->max <= range.end ? rows : timeindex_find(times, rows, (uint64_t)range.end + 1);
    if (nanos != NULL) {
        uint64_t start_end = timeindex_find(times, rows, (uint64_t)range.start + 1);
        uint64_t end_start = timeindex_find(times, rows, range.end);

        if (!in_order(nanos, span.from, start_end < span.to ? start_end : span.to) ||
            !in_order(nanos, end_start > span.from ? end_start : span.from, span.to))
            return select_scattered(times, nanos, span.from, span.to, range);
        while (span.from < span.to && !timeindex_matches(times, nanos, span.from, range))
            span.from++;
        while (span.to > span.from && !timeindex_matches(times, nanos, span.to - 1, range))
            span.to--;
    }
    span.count = span.to - span.from;
    return span;
}
