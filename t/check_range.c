#include "unit.h"

#include <string.h>

#include "dice.h"
#include "http/range.h"

/* In memory of exactly that size, so that reading further shows. */
static enum range_result parsed(const char *text, uint64_t length, uint64_t *from, uint64_t *to)
{
    size_t len = strlen(text);
    char *copy = malloc(len + 1);

    memcpy(copy, text, len);
    enum range_result result = range_parse((struct slice){ copy, len }, length, from, to);
    free(copy);
    return result;
}

static void is(const char *text, uint64_t length, uint64_t from, uint64_t to)
{
    uint64_t is_from = 0, is_to = 0;

    ck_assert_msg(parsed(text, length, &is_from, &is_to) == RANGE_ONE, "%s", text);
    ck_assert_msg(is_from == from && is_to == to, "%s", text);
}

START_TEST(range_is_one)
{
    is("bytes=0-0", 10, 0, 1);
    is("bytes=0-", 10, 0, 10);
    is("bytes=9-", 10, 9, 10);
    is("bytes=2-5", 10, 2, 6);
    is("bytes=2-9", 10, 2, 10);
    is("bytes=2-10", 10, 2, 10);
    is("bytes=2-18446744073709551615", 10, 2, 10);
    is("bytes=2-99999999999999999999999", 10, 2, 10);
    is("bytes=-1", 10, 9, 10);
    is("bytes=-10", 10, 0, 10);
    is("bytes=-11", 10, 0, 10);
    is("bytes=-99999999999999999999999", 10, 0, 10);
    is("BYTES=1-2", 10, 1, 3);
    is("bytes= 1-2", 10, 1, 3);
    is("bytes=,1-2 ,\t,", 10, 1, 3);
    is("bytes=0018-19", 20, 18, 20);
    is("bytes=18446744073709551614-18446744073709551615", UINT64_MAX, UINT64_MAX - 1,
       UINT64_MAX);
}
END_TEST

START_TEST(range_is_outside)
{
    static const char *const rows[] = {
        "bytes=10-",
        "bytes=10-10",
        "bytes=11-20",
        "bytes=-0",
        "bytes=99999999999999999999999-",
        "bytes=99999999999999999999999-99999999999999999999999",
    };
    uint64_t from, to;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(parsed(rows[i], 10, &from, &to) == RANGE_OUTSIDE, "%s", rows[i]);
}
END_TEST

START_TEST(range_is_none)
{
    static const char *const rows[] = {
        "",          "bytes",         "bytes=",      "bytes=-",     "bytes=1",
        "bytes=5-4", "bytes=1-2,4-5", "bytes=0-,-1", "bytes=1-2-3", "bytes=a-b",
        "bytes=1-b", "bytes=+1-2",    "bytes=1 - 2", "bytes=0x1-2", "bytes =1-2",
        "items=1-2", "bytes:1-2",     "1-2",         "bytes=,",     "bytes=1-2;",
        "bytes=--1", "bytes=-1-",     "bytes=1.5-2", "byte=1-2",    "bytes=1-2, x",
    };
    uint64_t from, to;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(parsed(rows[i], 10, &from, &to) == RANGE_NONE, "%s", rows[i]);
}
END_TEST

/* Whatever comes, what is one lies within. */
START_TEST(range_of_anything)
{
    static const char bytes[] = "bytes=0123456789--,, \t";
    struct dice dice = dice_new(1);
    char text[40];

    for (int i = 0; i < 300000; i++) {
        unsigned len = dice_roll(&dice, 20);
        uint64_t from = 7, to = 3, length = 1 + dice_roll(&dice, 2000);

        strcpy(text, "bytes=");
        for (unsigned j = 0; j < len; j++)
            text[6 + j] = bytes[dice_roll(&dice, sizeof(bytes) - 1)];
        text[6 + len] = '\0';
        if (parsed(text, length, &from, &to) == RANGE_ONE)
            MUST(from < to && to <= length);
    }
}
END_TEST

UNIT("range", range_is_one, range_is_outside, range_is_none, range_of_anything)
