#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "base/date.h"
#include "dice.h"
#include "query/plan.h"

/*
 * Made-up days of ticks, and two ways to find out which rows a query wants: the server's, by
 * spans and counts; and a list of all rows, of which those are struck out that are not wanted.
 */

#define DAYS 12
#define ROWS 40
#define FIRST_DAY 20089

static struct fake_day {
    unsigned rows;
    uint32_t times[ROWS], nanos[ROWS];
} fakes[DAYS];
static unsigned fake_count;

static void make_days(struct dice *dice)
{
    fake_count = dice_roll(dice, DAYS + 1);
    for (unsigned d = 0; d < fake_count; d++) {
        struct fake_day *fake = &fakes[d];
        uint32_t midnight = (FIRST_DAY + d) * DATE_SECONDS;
        uint32_t second = midnight;
        bool unsorted = dice_roll(dice, 4) == 0;

        switch (dice_roll(dice, 5)) {
        case 0:
            fake->rows = 0;
            break;
        case 1:
            fake->rows = 1;
            break;
        default:
            fake->rows = 2 + dice_roll(dice, ROWS - 1);
        }
        if (dice_roll(dice, 3))
            second += dice_roll(dice, DATE_SECONDS - 3000);
        for (unsigned i = 0; i < fake->rows; i++) {
            second += dice_roll(dice, 3) ? 0 : dice_roll(dice, 3) + 1;
            if (dice_roll(dice, 20) == 0)
                second += dice_roll(dice, 60);
            fake->times[i] = second;
            fake->nanos[i] = i > 0 && fake->times[i - 1] == second && dice_roll(dice, 4)
                                 ? fake->nanos[i - 1] + dice_roll(dice, 2)
                                 : dice_roll(dice, 5);
            if (unsorted && dice_roll(dice, 6) == 0)
                fake->times[i] -= dice_roll(dice, 30); /* late, perhaps by a day */
        }
        if (fake->rows > 0 && dice_roll(dice, 3) == 0)
            fake->times[fake->rows - 1] = midnight + DATE_SECONDS - 1;
    }
}

static uint64_t moment(uint32_t second, uint32_t nano)
{
    return (uint64_t)second * 1000000000 + nano;
}

/* A moment in, beside, between, before or behind the data. */
static void some_moment(struct dice *dice, uint32_t *second, uint32_t *nano)
{
    unsigned d = dice_roll(dice, DAYS), rows = d < fake_count ? fakes[d].rows : 0;

    *nano = dice_roll(dice, 6);
    switch (dice_roll(dice, 8)) {
    case 0:
        *second = 0;
        break;
    case 1:
        *second = UINT32_MAX;
        break;
    case 2:
        *second = (FIRST_DAY + d) * DATE_SECONDS;
        break;
    case 3:
        *second = (FIRST_DAY + d) * DATE_SECONDS - 1;
        break;
    default:
        *second = rows == 0 ? (FIRST_DAY + d) * DATE_SECONDS + 1000
                            : fakes[d].times[dice_roll(dice, rows)] + dice_roll(dice, 3) - 1;
    }
}

static struct query some_query(struct dice *dice, bool with_nanos)
{
    struct query query = { 0 };
    struct timerange *range = &query.range;

    do {
        some_moment(dice, &range->start, &range->start_nanos);
        some_moment(dice, &range->end, &range->end_nanos);
        if (!with_nanos) {
            range->start_nanos = 0;
            range->end_nanos = 999999999;
        }
    } while (moment(range->start, range->start_nanos) > moment(range->end, range->end_nanos));

    uint64_t amount = 1 + dice_roll(dice, dice_roll(dice, 2) ? 10 : DAYS * ROWS);
    switch (dice_roll(dice, 5)) {
    case 0:
        query.limit = dice_roll(dice, 20) ? amount : UINT64_MAX;
        break;
    case 1:
        query.tail = dice_roll(dice, 20) ? amount : UINT64_MAX;
        break;
    case 2:
    case 3:
        query.max_points = dice_roll(dice, 20) ? amount : UINT64_MAX;
        break;
    }
    return query;
}

struct row {
    unsigned day, row;
};

/* The list: every row in the range, in order; then what limit, tail or the stride leave of it.
 */
static unsigned wanted(const struct query *query, bool with_nanos, struct row *list,
                       unsigned *in_range)
{
    unsigned all = 0, kept = 0, stride = 1;

    for (unsigned d = 0; d < fake_count; d++) {
        for (unsigned i = 0; i < fakes[d].rows; i++) {
            uint32_t second = fakes[d].times[i], nano = with_nanos ? fakes[d].nanos[i] : 0;

            if (moment(second, nano) >= moment(query->range.start, query->range.start_nanos) &&
                moment(second, nano) <= moment(query->range.end, query->range.end_nanos))
                list[all++] = (struct row){ d, i };
        }
    }
    *in_range = all;
    while (query->max_points != 0 && (uint64_t)stride * query->max_points < all &&
           query->max_points < all)
        stride++;
    for (unsigned i = 0; i < all; i++) {
        if (query->limit != 0 && i >= query->limit)
            continue;
        if (query->tail != 0 && all - i > query->tail)
            continue;
        if (i % stride != 0)
            continue;
        list[kept++] = list[i];
    }
    return kept;
}

/* The rows that a plan means, by what its header says. */
static unsigned planned(const struct plan *plan, const struct gather_day *facts,
                        const unsigned *numbers, bool with_nanos, struct timerange range,
                        struct row *list)
{
    unsigned count = 0;

    for (unsigned p = 0; p < plan->day_count; p++) {
        const struct plan_day *day = &plan->days[p];
        const struct fake_day *fake = &fakes[numbers[day->day]];
        uint64_t passed = 0, taken = 0;

        MUST(day->take > 0);
        MUST(p == 0 || day->day > plan->days[p - 1].day);
        for (uint64_t i = facts[day->day].span.from; i < facts[day->day].span.to; i++) {
            if (!timeindex_matches(fake->times, with_nanos ? fake->nanos : NULL, i, range))
                continue;
            if (passed >= day->skip && (passed - day->skip) % plan->step == 0 &&
                taken < day->take) {
                list[count++] = (struct row){ numbers[day->day], (unsigned)i };
                taken++;
            }
            passed++;
        }
        MUST(taken == day->take);
    }
    return count;
}

/* What gather finds: days that have rows in the range. */
static unsigned gather_facts(struct timerange range, bool with_nanos, struct gather_day *facts,
                             unsigned *numbers)
{
    unsigned count = 0;

    for (unsigned d = 0; d < fake_count; d++) {
        const struct fake_day *fake = &fakes[d];
        struct timeindex index = { 0 };

        timeindex_extend(&index, fake->times, fake->rows);
        struct timespan span =
            timeindex_select(&index, fake->times, with_nanos ? fake->nanos : NULL, fake->rows,
                             range, timeindex_bounds_all(fake->rows));
        if (span.count == 0)
            continue;
        numbers[count] = d;
        facts[count++] =
            (struct gather_day){ .number = (int32_t)(FIRST_DAY + d), .span = span };
    }
    return count;
}

START_TEST(plan_is_the_list)
{
    static struct row expected[DAYS * ROWS], got[DAYS * ROWS];
    struct dice dice = dice_new(1);
    struct arena arena;
    unsigned rounds = 60000, empty = 0;

    arena_init(&arena, 4096);
    for (unsigned round = 0; round < rounds; round++) {
        struct gather_day facts[DAYS];
        unsigned numbers[DAYS], in_range;
        bool with_nanos = dice_roll(&dice, 2);
        struct plan plan;

        if (round % 20 == 0)
            make_days(&dice);
        struct query query = some_query(&dice, with_nanos);
        unsigned days = gather_facts(query.range, with_nanos, facts, numbers);
        MUST(plan_make(&plan, &query, facts, days, &arena) == 0);

        unsigned count = wanted(&query, with_nanos, expected, &in_range);
        MUST(plan.rows_in_range == in_range);
        MUST(plan.rows == count);
        MUST(planned(&plan, facts, numbers, with_nanos, query.range, got) == count);
        MUST(memcmp(got, expected, count * sizeof(*got)) == 0);
        if (query.max_points != 0)
            MUST(count <= query.max_points);
        empty += count == 0;
        arena_reset(&arena);
    }
    ck_assert_uint_gt(empty, 100);
    ck_assert_uint_lt(empty, rounds / 2);
    arena_free(&arena);
}
END_TEST

static struct plan make(struct query query, const uint64_t *counts, unsigned days,
                        struct arena *arena)
{
    struct gather_day facts[8] = { 0 };
    struct plan plan;

    for (unsigned i = 0; i < days; i++)
        facts[i].span.count = counts[i];
    ck_assert_int_eq(plan_make(&plan, &query, facts, days, arena), 0);
    return plan;
}

START_TEST(plan_of_nothing)
{
    struct arena arena;

    arena_init(&arena, 64);
    for (int i = 0; i < 4; i++) {
        struct query query = { .limit = i == 1, .tail = i == 2, .max_points = i == 3 };
        struct plan plan = make(query, NULL, 0, &arena);

        ck_assert_uint_eq(plan.rows_in_range, 0);
        ck_assert_uint_eq(plan.rows, 0);
        ck_assert_uint_eq(plan.day_count, 0);
        ck_assert_uint_eq(plan.step, 1);
    }
    arena_free(&arena);
}
END_TEST

/* Counts that no memory could hold do not overflow. */
START_TEST(plan_of_very_many)
{
    const uint64_t counts[] = { UINT64_C(1) << 60, 1, UINT64_C(1) << 61 };
    const uint64_t all = counts[0] + counts[1] + counts[2];
    struct arena arena;

    arena_init(&arena, 64);
    struct plan plan = make((struct query){ 0 }, counts, 3, &arena);
    ck_assert_uint_eq(plan.rows, all);
    plan = make((struct query){ .tail = UINT64_MAX }, counts, 3, &arena);
    ck_assert_uint_eq(plan.rows, all);
    plan = make((struct query){ .limit = UINT64_MAX }, counts, 3, &arena);
    ck_assert_uint_eq(plan.rows, all);
    plan = make((struct query){ .max_points = 1 }, counts, 3, &arena);
    ck_assert_uint_eq(plan.rows, 1);
    ck_assert_uint_eq(plan.step, all);
    plan = make((struct query){ .tail = counts[2] + 1 }, counts, 3, &arena);
    ck_assert_uint_eq(plan.day_count, 2);
    ck_assert_uint_eq(plan.days[0].day, 1);
    arena_free(&arena);
}
END_TEST

UNIT("plan", plan_is_the_list, plan_of_nothing, plan_of_very_many)
