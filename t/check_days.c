#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "dice.h"
#include "store/days.h"

#define ALL (DATE_LAST - DATE_FIRST + 1)

static bool model[ALL];
static struct days days;

static int32_t next_of_model(int32_t first, int32_t last)
{
    for (int32_t i = first < DATE_FIRST ? DATE_FIRST : first; i <= last && i <= DATE_LAST;
         i++) {
        if (model[i - DATE_FIRST])
            return i;
    }
    return INT32_MAX;
}

static unsigned count_of_model(int32_t first, int32_t last)
{
    unsigned count = 0;

    for (int32_t i = first < DATE_FIRST ? DATE_FIRST : first; i <= last && i <= DATE_LAST; i++)
        count += model[i - DATE_FIRST];
    return count;
}

static void begin(void)
{
    memset(&days, 0, sizeof(days));
    memset(model, 0, sizeof(model));
}

static void add(int32_t day)
{
    days_add(&days, day);
    model[day - DATE_FIRST] = true;
}

static int32_t some_day(struct dice *dice)
{
    return DATE_FIRST - 200 + (int32_t)dice_roll(dice, ALL + 400);
}

START_TEST(days_agree_with_an_array)
{
    struct dice dice = dice_new(1);

    begin();
    for (int round = 0; round < 60; round++) {
        /* Alone, in runs, and in the end nearly all. */
        int32_t day = DATE_FIRST + (int32_t)dice_roll(&dice, ALL);
        unsigned run = round % 3 == 0 ? 1 : 1 + dice_roll(&dice, round < 40 ? 100 : 5000);

        for (; run > 0 && day <= DATE_LAST; run--)
            add(day++);
        for (int i = 0; i < 40; i++) {
            int32_t first = some_day(&dice), last = some_day(&dice);

            MUST(days_next(&days, first, last) == next_of_model(first, last));
            MUST(days_count(&days, first, last) == count_of_model(first, last));
        }
    }

    /* One after another they are all, once each. */
    unsigned count = 0;
    for (int32_t day = days_next(&days, INT32_MIN, INT32_MAX); day != INT32_MAX;
         day = days_next(&days, day + 1, INT32_MAX)) {
        MUST(model[day - DATE_FIRST]);
        count++;
    }
    ck_assert_uint_eq(count, count_of_model(DATE_FIRST, DATE_LAST));
    ck_assert_uint_eq(days_count(&days, DATE_FIRST, DATE_LAST), count);
}
END_TEST

START_TEST(days_have_ends)
{
    begin();
    ck_assert_int_eq(days_next(&days, 0, INT32_MAX), INT32_MAX);
    ck_assert_uint_eq(days_count(&days, 0, INT32_MAX), 0);

    add(DATE_FIRST);
    add(DATE_LAST);
    ck_assert_int_eq(days_next(&days, -1, INT32_MAX), DATE_FIRST);
    ck_assert_int_eq(days_next(&days, 0, INT32_MAX), DATE_FIRST);
    ck_assert_int_eq(days_next(&days, DATE_FIRST, INT32_MAX), DATE_FIRST);
    ck_assert_int_eq(days_next(&days, DATE_FIRST + 1, INT32_MAX), DATE_LAST);
    ck_assert_int_eq(days_next(&days, DATE_LAST, INT32_MAX), DATE_LAST);
    ck_assert_int_eq(days_next(&days, DATE_LAST + 1, INT32_MAX), INT32_MAX);
    ck_assert_int_eq(days_next(&days, INT32_MAX, INT32_MAX), INT32_MAX);
    ck_assert_int_eq(days_next(&days, DATE_FIRST + 1, DATE_LAST - 1), INT32_MAX);
    ck_assert_int_eq(days_next(&days, DATE_LAST, DATE_FIRST), INT32_MAX);
    ck_assert_int_eq(days_next(&days, INT32_MIN, DATE_FIRST - 1), INT32_MAX);
    ck_assert_uint_eq(days_count(&days, -1, 0), 0);
    ck_assert_uint_eq(days_count(&days, DATE_LAST + 1, INT32_MAX), 0);
    ck_assert_uint_eq(days_count(&days, INT32_MIN, INT32_MAX), 2);
    ck_assert_uint_eq(days_count(&days, DATE_LAST, DATE_FIRST), 0);
    ck_assert_uint_eq(days_count(&days, DATE_LAST, DATE_LAST), 1);
}
END_TEST

UNIT("days", days_agree_with_an_array, days_have_ends)
