#include "query/plan.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Rows of a day from its row ${from}, every ${step}th, before its row ${to}. */
static uint64_t steps_between(uint64_t from, uint64_t to, uint64_t step)
{
    return from < to ? (to - from - 1) / step + 1 : 0;
}

int plan_make(struct plan *plan, const struct query *query, const struct gather_day *days,
              unsigned count, struct arena *arena)
{
    uint64_t total = 0, before = 0;

    for (unsigned i = 0; i < count; i++)
        total += days[i].span.count;

    /* The rows of the range that are wanted, counted over all days: [first, last), every
     * step-th. */
    uint64_t first = query->tail != 0 ? total - least(query->tail, total) : 0;
    uint64_t last = query->limit != 0 ? least(query->limit, total) : total;
    uint64_t step =
        query->max_points != 0 && total > 0 ? (total - 1) / query->max_points + 1 : 1;

    *plan = (struct plan){ .rows_in_range = total, .step = step };
    plan->days = arena_take(arena, count * sizeof(struct plan_day));
    if (plan->days == NULL)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        uint64_t rows = days[i].span.count;
        uint64_t skip = before < first
                            ? least(first - before, rows)
                            : (step - before % step) % step; /* first is 0 with a step */
        uint64_t end = last > before ? least(last - before, rows) : 0;
        uint64_t take = steps_between(skip, end, step);

        before += rows;
        if (take == 0)
            continue;
        plan->days[plan->day_count++] = (struct plan_day){ i, skip, take };
        plan->rows += take;
    }
    return 0;
}
