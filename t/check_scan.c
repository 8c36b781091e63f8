#include "unit.h"

#include <string.h>

#include "dice.h"
#include "store/scan.h"

/* Every variant that this machine can run, against loops over one second after the other. */

#define LONGEST 70000
#define PADDING 16

static uint32_t room[LONGEST + PADDING];

static uint64_t below(const uint32_t *times, uint64_t rows, uint64_t second)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < rows; i++)
        count += times[i] < second;
    return count;
}

static void must_count(const struct scan_variant *variant, const uint32_t *times, uint64_t rows,
                       uint32_t start, uint32_t end)
{
    uint64_t count = 0, first = 77, last = 88, got_first = 77, got_last = 88;

    for (uint64_t i = 0; i < rows; i++) {
        if (times[i] < start || times[i] > end)
            continue;
        if (count++ == 0)
            first = i;
        last = i;
    }
    MUST(variant->below(times, rows, start) == below(times, rows, start));
    MUST(variant->below(times, rows, end) == below(times, rows, end));
    MUST(variant->between(times, rows, start, end, &got_first, &got_last) == count);
    MUST(got_first == first && got_last == last);
}

static void must_order(const struct scan_variant *variant, const uint32_t *times, uint64_t rows)
{
    uint32_t min = UINT32_MAX, max = 0, got_min, got_max;
    bool back = false;

    for (uint64_t i = 0; i < rows; i++) {
        min = times[i] < min ? times[i] : min;
        max = times[i] > max ? times[i] : max;
        back = back || (i > 0 && times[i] < times[i - 1]);
    }
    MUST(variant->order(times, rows, &got_min, &got_max) == back);
    MUST(got_min == min && got_max == max);
}

/* Anything, few different seconds, extreme ones, or seconds in order with at most one step
 * back: never one that is not told apart from its neighbours by all 32 bits only. */
static void fill(struct dice *dice, uint32_t *times, uint64_t rows)
{
    static const uint32_t extremes[] = {
        0, 1, INT32_MAX, (uint32_t)INT32_MAX + 1, UINT32_MAX - 1, UINT32_MAX
    };
    unsigned kind = dice_roll(dice, 5);
    uint32_t second = (uint32_t)dice_bits(dice) / 2;

    for (uint64_t i = 0; i < rows; i++) {
        if (kind == 0)
            times[i] = (uint32_t)dice_bits(dice);
        else if (kind == 1)
            times[i] = 1000 + dice_roll(dice, 8);
        else if (kind == 2)
            times[i] = extremes[dice_roll(dice, COUNT_OF(extremes))];
        else
            times[i] = second += dice_roll(dice, 3);
    }
    if (kind == 4 && rows > 0)
        times[dice_roll(dice, (unsigned)rows)] -= 1;
}

static void compare(struct dice *dice, const struct scan_variant *variant, uint64_t rows,
                    unsigned offset)
{
    uint32_t *times = room + offset, ends[2];

    memset(room, (int)dice_roll(dice, 256),
           4 * (rows + PADDING < LONGEST ? rows + PADDING : LONGEST));
    fill(dice, times, rows);
    for (int i = 0; i < 2; i++) {
        ends[i] = rows == 0 || dice_roll(dice, 4) == 0 ? (uint32_t)dice_bits(dice)
                                                       : times[dice_roll(dice, (unsigned)rows)];
        ends[i] += dice_roll(dice, 3) - 1;
    }
    must_count(variant, times, rows, ends[ends[0] > ends[1]], ends[ends[0] <= ends[1]]);
    must_count(variant, times, rows, ends[0], ends[0]);
    must_count(variant, times, rows, 0, UINT32_MAX);
    if (rows > 0)
        must_order(variant, times, rows);
}

START_TEST(scan_short_stretches)
{
    struct dice dice = dice_new(1);
    size_t count;
    const struct scan_variant *const *variants = scan_variants(&count);

    for (size_t v = 0; v < count; v++) {
        printf("scan: %s\n", variants[v]->name);
        for (uint64_t rows = 0; rows <= 200; rows++) {
            for (unsigned offset = 0; offset < PADDING; offset++) {
                for (int round = 0; round < 10; round++)
                    compare(&dice, variants[v], rows, offset);
            }
        }
    }
}
END_TEST

START_TEST(scan_long_stretches)
{
    struct dice dice = dice_new(2);
    size_t count;
    const struct scan_variant *const *variants = scan_variants(&count);

    for (size_t v = 0; v < count; v++) {
        for (int round = 0; round < 60; round++)
            compare(&dice, variants[v], LONGEST - dice_roll(&dice, 5000),
                    dice_roll(&dice, PADDING));
    }
}
END_TEST

/* One step back, one second in the range, at each place. */
START_TEST(scan_sees_each_row)
{
    size_t count;
    const struct scan_variant *const *variants = scan_variants(&count);

    for (size_t v = 0; v < count; v++) {
        for (uint64_t rows = 1; rows <= 130; rows++) {
            for (uint64_t at = 0; at < rows; at++) {
                for (uint64_t i = 0; i < rows; i++)
                    room[i] = 1000;
                room[at] = 999;
                must_order(variants[v], room, rows);
                must_count(variants[v], room, rows, 0, 999);
                room[at] = 1001;
                must_order(variants[v], room, rows);
                must_count(variants[v], room, rows, 1001, 1002);
            }
        }
    }
}
END_TEST

/* Memory of just that size, of which valgrind and the sanitizers see a read outside. */
START_TEST(scan_reads_no_other_row)
{
    struct dice dice = dice_new(3);
    size_t count;
    const struct scan_variant *const *variants = scan_variants(&count);

    for (size_t v = 0; v < count; v++) {
        for (uint64_t rows = 1; rows <= 100; rows++) {
            uint32_t *times = malloc(rows * sizeof(*times));

            ck_assert_ptr_nonnull(times);
            fill(&dice, times, rows);
            must_order(variants[v], times, rows);
            must_count(variants[v], times, rows, 1000, 1003);
            free(times);
        }
    }
}
END_TEST

START_TEST(scan_takes_the_second_after_the_last)
{
    const uint32_t times[3] = { 0, UINT32_MAX, 7 };
    uint64_t first, last;
    uint32_t min, max;

    ck_assert_uint_eq(scan_below(times, 3, UINT64_C(1) << 32), 3);
    ck_assert_uint_eq(scan_below(times, 3, UINT32_MAX), 2);
    ck_assert_uint_eq(scan_below(times, 3, 0), 0);
    ck_assert_uint_eq(scan_between(times, 3, 1, UINT32_MAX, &first, &last), 2);
    ck_assert_uint_eq(first, 1);
    ck_assert_uint_eq(last, 2);
    ck_assert(scan_order(times, 3, &min, &max));
    ck_assert_uint_eq(min, 0);
    ck_assert_uint_eq(max, UINT32_MAX);
}
END_TEST

UNIT("scan", scan_short_stretches, scan_long_stretches, scan_sees_each_row,
     scan_reads_no_other_row, scan_takes_the_second_after_the_last)
