#include "unit.h"

#include <string.h>

#include "dice.h"
#include "store/timeindex.h"

#define MOST 5000

static uint32_t times[MOST], nanos[MOST];
static const struct timerange everything = { 0, UINT32_MAX, 0, 999999999 };

/* Ticks of some time: many a second, gaps, and where ${back}, steps back. */
static void make_ticks(struct dice *dice, uint64_t rows, bool back, bool nanos_back)
{
    uint32_t second = 1000 + dice_roll(dice, 50), nano = 0;
    unsigned dense = 1 + dice_roll(dice, 20);

    for (uint64_t i = 0; i < rows; i++) {
        if (dice_roll(dice, dense) == 0) {
            second += 1 + (dice_roll(dice, 20) == 0 ? dice_roll(dice, 30) : 0);
            nano = 0;
        }
        nano += dice_roll(dice, 4) * 1000000;
        times[i] = second;
        nanos[i] = nano;
        if (back && dice_roll(dice, 50) == 0)
            times[i] -= dice_roll(dice, 40);
        if (nanos_back && dice_roll(dice, 10) == 0)
            nanos[i] /= 2;
    }
}

/* The same index, from the definition. */
static struct timeindex index_of(uint64_t rows)
{
    struct timeindex index = { .rows = rows };

    for (uint64_t i = 0; i < rows; i++) {
        if (i == 0 || times[i] < index.min)
            index.min = times[i];
        if (i == 0 || times[i] > index.max)
            index.max = times[i];
        if (i > 0 && times[i] < times[i - 1] && !index.steps_back) {
            index.steps_back = true;
            index.first_step = i;
        }
    }
    return index;
}

static void must_equal(struct timeindex a, struct timeindex b)
{
    MUST(a.rows == b.rows);
    MUST(a.steps_back == b.steps_back);
    MUST(a.first_step == b.first_step);
    if (a.rows > 0)
        MUST(a.min == b.min && a.max == b.max);
}

START_TEST(timeindex_learns_in_pieces)
{
    struct dice dice = dice_new(1);

    for (int round = 0; round < 500; round++) {
        uint64_t rows = dice_roll(&dice, round % 4 ? 300 : MOST);
        struct timeindex whole = { 0 }, pieces = { 0 };

        make_ticks(&dice, rows, round % 3 == 0, false);
        timeindex_extend(&whole, times, rows);
        must_equal(whole, index_of(rows));
        for (uint64_t known = 0; known < rows;) {
            known += 1 + dice_roll(&dice, 1 + dice_roll(&dice, 2000));
            known = known < rows ? known : rows;
            timeindex_extend(&pieces, times, known);
            must_equal(pieces, index_of(known));
            timeindex_extend(&pieces, times, known); /* nothing new */
            must_equal(pieces, index_of(known));
        }
        must_equal(pieces, whole);
    }
}
END_TEST

/* The only step back, at every place near where blocks meet. */
START_TEST(timeindex_finds_each_step)
{
    for (uint64_t at = 1; at < 2100; at++) {
        struct timeindex index = { 0 };

        for (uint64_t i = 0; i < 2100; i++)
            times[i] = i < at ? 7 : 6;
        timeindex_extend(&index, times, 2100);
        MUST(index.steps_back && index.first_step == at);
        MUST(index.min == 6 && index.max == 7);
    }
    struct timeindex index = { 0 };
    memset(times, 0xff, sizeof(times));
    timeindex_extend(&index, times, MOST);
    ck_assert(!index.steps_back);
    ck_assert_uint_eq(index.min, UINT32_MAX);
}
END_TEST

static uint64_t find(uint64_t rows, uint64_t second)
{
    uint64_t i = 0;

    while (i < rows && times[i] < second)
        i++;
    return i;
}

START_TEST(timeindex_find_is_a_linear_search)
{
    struct dice dice = dice_new(2);

    for (uint64_t rows = 0; rows <= 300; rows++) {
        for (int round = 0; round < 3; round++) {
            make_ticks(&dice, rows, false, false);
            uint64_t last = rows == 0 ? 1100 : times[rows - 1];

            for (uint64_t second = 995; second <= last + 2; second++)
                MUST(timeindex_find(times, rows, second) == find(rows, second));
            MUST(timeindex_find(times, rows, 0) == 0);
            MUST(timeindex_find(times, rows, UINT64_C(1) << 32) == rows);
        }
    }
    /* The last second there is, and the one after it. */
    times[0] = 0;
    times[1] = times[2] = UINT32_MAX;
    ck_assert_uint_eq(timeindex_find(times, 3, UINT32_MAX), 1);
    ck_assert_uint_eq(timeindex_find(times, 3, (uint64_t)UINT32_MAX + 1), 3);
}
END_TEST

/* A moment as one number. */
static uint64_t moment(uint32_t second, uint32_t nano)
{
    return (uint64_t)second * 1000000000 + nano;
}

static bool is_in(uint64_t row, bool with_nanos, struct timerange range)
{
    if (!with_nanos)
        return times[row] >= range.start && times[row] <= range.end;
    uint64_t at = moment(times[row], nanos[row]);
    return at >= moment(range.start, range.start_nanos) &&
           at <= moment(range.end, range.end_nanos);
}

static struct timerange some_range(struct dice *dice, uint64_t rows)
{
    struct timerange range = { .end_nanos = 999999999 };
    uint32_t bounds[2], parts[2];

    for (int i = 0; i < 2; i++) {
        uint64_t row = rows == 0 ? 0 : dice_roll(dice, (unsigned)rows);

        bounds[i] = rows == 0 ? 1000 : times[row] + dice_roll(dice, 3) - 1;
        parts[i] = dice_roll(dice, 2) || rows == 0 ? dice_roll(dice, 10) * 1000000
                                                   : nanos[row] + dice_roll(dice, 3) - 1;
        parts[i] %= 1000000000;
        if (dice_roll(dice, 15) == 0)
            bounds[i] = dice_roll(dice, 2) ? 0 : UINT32_MAX;
    }
    if (dice_roll(dice, 10) && moment(bounds[0], parts[0]) > moment(bounds[1], parts[1])) {
        range.start = bounds[1];
        range.end = bounds[0];
        range.start_nanos = parts[1];
        range.end_nanos = parts[0];
    } else {
        range.start = bounds[0];
        range.end = bounds[1];
        range.start_nanos = parts[0];
        range.end_nanos = parts[1];
    }
    return range;
}

/* Which rows are in a range, against looking at each. */
START_TEST(timeindex_selects)
{
    struct dice dice = dice_new(3);

    for (int round = 0; round < 40000; round++) {
        bool with_nanos = dice_roll(&dice, 2);
        uint64_t known = dice_roll(&dice, dice_roll(&dice, 3) ? 60 : 4), count = 0;
        uint64_t first = 0, last = 0;
        struct timeindex index = { 0 };

        make_ticks(&dice, known, dice_roll(&dice, 2), dice_roll(&dice, 2));
        timeindex_extend(&index, times, known);
        /* Of a day that is being written, columns may have fewer rows than time. */
        uint64_t rows = dice_roll(&dice, 2) ? known : dice_roll(&dice, (unsigned)known + 1);
        struct timerange range = some_range(&dice, known);
        struct timespan span = timeindex_select(&index, times, with_nanos ? nanos : NULL, rows,
                                                range, timeindex_bounds_all(rows));

        for (uint64_t i = 0; i < rows; i++) {
            bool in = is_in(i, with_nanos, range);

            if (range.start <= range.end)
                MUST(timeindex_matches(times, with_nanos ? nanos : NULL, i, range) == in);
            if (!in)
                continue;
            if (count++ == 0)
                first = i;
            last = i + 1;
        }
        MUST(span.count == count);
        if (count > 0)
            MUST(span.from == first && span.to == last);
    }
}
END_TEST

START_TEST(timeindex_selects_all_and_nothing)
{
    static const struct timerange empty[] = { { 0, 999, 0, 0 },
                                              { UINT32_MAX, UINT32_MAX, 0, 0 },
                                              { 2000, 1000, 0, 0 } };
    struct dice dice = dice_new(4);
    struct timeindex index = { 0 };
    struct timebounds all = timeindex_bounds_all(MOST);

    ck_assert_uint_eq(
        timeindex_select(&index, NULL, NULL, 0, everything, timeindex_bounds_all(0)).count, 0);
    make_ticks(&dice, MOST, false, false);
    timeindex_extend(&index, times, MOST);
    struct timespan span = timeindex_select(&index, times, nanos, MOST, everything, all);
    ck_assert_uint_eq(span.count, MOST);
    ck_assert_uint_eq(span.to - span.from, MOST);
    for (size_t i = 0; i < COUNT_OF(empty); i++)
        ck_assert_uint_eq(timeindex_select(&index, times, NULL, MOST, empty[i], all).count, 0);
}
END_TEST

/* --- Fences */

#define DAY 20089
#define MIDNIGHT ((uint32_t)DAY * 86400)

/* A day in order with as many rows: now and then all of them before it, after it or within one
 * second of it, and with stretches that are dense or empty. */
static void make_day(struct dice *dice, uint64_t rows)
{
    unsigned gap = 1 + dice_roll(dice, dice_roll(dice, 2) ? 4 : 60), nano = 0;
    uint32_t second = MIDNIGHT - dice_roll(dice, 2) * dice_roll(dice, 2000);

    if (dice_roll(dice, 5) == 0)
        second = MIDNIGHT + 86400 - dice_roll(dice, 3000);
    if (dice_roll(dice, 20) == 0)
        second = dice_roll(dice, 2) ? 0 : UINT32_MAX - 10 * dice_roll(dice, MOST);
    if (dice_roll(dice, 5) == 0)
        gap = 0;
    for (uint64_t i = 0; i < rows; i++) {
        uint32_t step = gap == 0 ? 0 : dice_roll(dice, gap);

        if (gap > 0 && dice_roll(dice, 300) == 0)
            step = dice_roll(dice, dice_roll(dice, 2) ? 500 : 20000);
        if (dice_roll(dice, 300) == 0 && gap > 0)
            gap = 1 + dice_roll(dice, 60);
        if (gap > 0 && dice_roll(dice, 40) == 0)
            step = 128 - (second - MIDNIGHT) % 128; /* onto a fence */
        step = step > UINT32_MAX - second ? UINT32_MAX - second : step;
        nano = step > 0 ? 0 : nano + dice_roll(dice, 3) * 50000;
        second += step;
        times[i] = second;
        nanos[i] = nano;
    }
}

static uint64_t some_rows(struct dice *dice)
{
    static const unsigned sides[] = { 3, 50, 500, MOST };

    return dice_roll(dice, sides[dice_roll(dice, COUNT_OF(sides))]);
}

static void must_fence(const struct timefences *fences, uint64_t rows)
{
    uint64_t row = 0;

    for (uint32_t k = 0; k < TIMEINDEX_FENCES; k++) {
        while (row < rows && times[row] < MIDNIGHT + k * 128)
            row++;
        MUST(fences->rows[k] == (row < rows ? row : TIMEINDEX_NO_ROW));
    }
}

START_TEST(timeindex_fences_stand_where_stretches_begin)
{
    static struct timefences fences;
    struct dice dice = dice_new(5);

    for (int round = 0; round < 2000; round++) {
        uint64_t rows = some_rows(&dice), known = 0;
        struct timeindex index = { 0 };

        make_day(&dice, rows);
        dice_fill(&dice, &fences, sizeof(fences));
        do {
            uint64_t some = known + dice_roll(&dice, 1 + dice_roll(&dice, 2000));

            timeindex_extend(&index, times, some < rows ? some : rows);
            MUST(timeindex_fenceable(&index));
            timeindex_fences(&index, times, DAY, &fences, known);
            known = index.rows;
            must_fence(&fences, known);
        } while (known < rows);
    }
}
END_TEST

START_TEST(timeindex_tells_which_days_have_fences)
{
    ck_assert(timeindex_fenceable(&(struct timeindex){ .rows = UINT32_MAX }));
    ck_assert(!timeindex_fenceable(&(struct timeindex){ .rows = (uint64_t)UINT32_MAX + 1 }));
    ck_assert(!timeindex_fenceable(&(struct timeindex){ .rows = 2, .steps_back = true }));
    ck_assert_int_eq(timeindex_bracket(DAY, 0), -1);
    ck_assert_int_eq(timeindex_bracket(DAY, MIDNIGHT - 1), -1);
    ck_assert_int_eq(timeindex_bracket(DAY, MIDNIGHT), 0);
    ck_assert_int_eq(timeindex_bracket(DAY, MIDNIGHT + 127), 0);
    ck_assert_int_eq(timeindex_bracket(DAY, MIDNIGHT + 128), 1);
    ck_assert_int_eq(timeindex_bracket(DAY, MIDNIGHT + 86399), 674);
    ck_assert_int_eq(timeindex_bracket(DAY, MIDNIGHT + 86400), 675);
    ck_assert_int_eq(timeindex_bracket(DAY, MIDNIGHT + 86528), 675);
    ck_assert_int_eq(timeindex_bracket(DAY, UINT64_C(1) << 32), 675);
    ck_assert_int_eq(timeindex_bracket(0, 0), 0);
}
END_TEST

static void must_select(const struct timespan *span, uint64_t rows, bool with_nanos,
                        struct timerange range)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < rows; i++) {
        if (is_in(i, with_nanos, range) && count++ == 0)
            MUST(span->from == i);
    }
    MUST(span->count == count);
    if (count > 0)
        MUST(span->to == span->from + count);
}

/* Fences that tell of fewer rows or of more than are asked for. */
START_TEST(timeindex_selects_between_fences)
{
    static struct timefences fences;
    struct dice dice = dice_new(6);

    for (int round = 0; round < 3000; round++) {
        uint64_t all = some_rows(&dice);
        struct timeindex index = { 0 };

        make_day(&dice, all);
        uint64_t known = dice_roll(&dice, 2) ? all : dice_roll(&dice, (unsigned)all + 1);
        timeindex_extend(&index, times, known);
        timeindex_fences(&index, times, DAY, &fences, 0);
        timeindex_extend(&index, times, all);
        for (int query = 0; query < 20; query++) {
            uint64_t rows = dice_roll(&dice, 2) ? all : dice_roll(&dice, (unsigned)all + 1);
            bool with_nanos = dice_roll(&dice, 2);
            struct timerange range = some_range(&dice, all);

            if (dice_roll(&dice, 4) == 0 && range.end % 128 != 127)
                range.end -= range.end % 128 + 1;
            if (dice_roll(&dice, 4) == 0)
                range.start -= range.start % 128;
            if (range.start > range.end)
                continue;
            struct timebounds bounds = timeindex_bounds(&fences, known, DAY, rows, range);
            uint64_t start = find(rows, range.start), end = find(rows, range.end + 1ULL);
            MUST(bounds.start_from <= start && start <= bounds.start_to);
            MUST(bounds.end_from <= end && end <= bounds.end_to);
            struct timespan span =
                timeindex_select(&index, times, with_nanos ? nanos : NULL, rows, range, bounds);
            if (moment(range.start, range.start_nanos) <= moment(range.end, range.end_nanos))
                must_select(&span, rows, with_nanos, range);
        }
    }
}
END_TEST

/* Neither fences nor seconds can be trusted: the memory is cut so that a read outside of it is
 * seen by valgrind and the sanitizers. */
START_TEST(timeindex_stays_among_its_rows)
{
    static struct timefences fences;
    struct dice dice = dice_new(7);

    for (int round = 0; round < 20000; round++) {
        uint64_t rows = 1 + dice_roll(&dice, dice_roll(&dice, 4) ? 40 : 2000);
        uint32_t *cut = malloc(rows * sizeof(*cut)), *parts = malloc(rows * sizeof(*parts));
        struct timeindex index = { .rows = rows,
                                   .min = (uint32_t)dice_bits(&dice),
                                   .max = (uint32_t)dice_bits(&dice) };
        struct timerange range = { .start = (uint32_t)dice_bits(&dice), .end = UINT32_MAX };
        struct timebounds bounds;

        ck_assert_ptr_nonnull(cut);
        ck_assert_ptr_nonnull(parts);
        dice_fill(&dice, cut, rows * sizeof(*cut));
        dice_fill(&dice, parts, rows * sizeof(*parts));
        dice_fill(&dice, &fences, sizeof(fences));
        dice_fill(&dice, &bounds, sizeof(bounds));
        for (unsigned k = 0; dice_roll(&dice, 2) && k < TIMEINDEX_FENCES; k++)
            fences.rows[k] %= (uint32_t)rows + 2;
        range.end -= dice_roll(&dice, 2)
                         ? 0
                         : (uint32_t)dice_bits(&dice) % (range.end - range.start + 1);
        uint64_t known = dice_roll(&dice, (unsigned)rows + 3);
        uint64_t some = dice_roll(&dice, (unsigned)rows + 1);

        if (dice_roll(&dice, 2))
            timeindex_fences(&index, cut, (int32_t)(cut[0] / 86400), &fences, known);
        bounds = dice_roll(&dice, 2) ? timeindex_bounds(&fences, known, DAY, some, range)
                                     : timeindex_bounds_clip(bounds, known, some);
        struct timespan span = timeindex_select(&index, cut, dice_roll(&dice, 2) ? parts : NULL,
                                                some, range, bounds);
        MUST(span.count <= some);
        MUST(span.count == 0 || (span.from < span.to && span.to <= some));
        free(cut);
        free(parts);
    }
}
END_TEST

UNIT("timeindex", timeindex_learns_in_pieces, timeindex_finds_each_step,
     timeindex_find_is_a_linear_search, timeindex_selects, timeindex_selects_all_and_nothing,
     timeindex_fences_stand_where_stretches_begin, timeindex_tells_which_days_have_fences,
     timeindex_selects_between_fences, timeindex_stays_among_its_rows)
