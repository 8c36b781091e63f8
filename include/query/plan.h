#ifndef QUERY_PLAN_H
#define QUERY_PLAN_H

#include <stdint.h>

#include "base/arena.h"
#include "query/gather.h"
#include "query/query.h"

/*
 * From facts to extents: which of the rows in the range are sent. Pure arithmetic on counts of
 * rows; no file is touched.
 */

/* Of one day's rows in the range: leave out ${skip}, then take ${take}, each plan->step rows
 * after the last. */
struct plan_day {
    unsigned day; /* its place among the gathered days */
    uint64_t skip, take;
};

struct plan {
    uint64_t rows_in_range;
    uint64_t rows; /* that are sent, of each column */
    uint64_t step;
    unsigned day_count;
    struct plan_day *days; /* those with rows to send, in order */
};

/**
 * plan_make(plan, query, days, count, arena):
 * Fill in ${plan} for what ${query} wants (limit, tail, max_points) of the ${count} gathered
 * ${days}, of which only the span's count is read. Its days lie in ${arena}. Returns 0, or -1
 * without memory.
 */
int plan_make(struct plan *plan, const struct query *query, const struct gather_day *days,
              unsigned count, struct arena *arena);

#endif
