#include "unit.h"

#include <string.h>

#include "base/failure.h"

START_TEST(failure_says_why)
{
    struct failure failure = { 0 };

    ck_assert_int_eq(failure_set(&failure, 404, "columns", "column '%s' of %d", "bid", 3), -1);
    ck_assert_int_eq(failure.status, 404);
    ck_assert_str_eq(failure.parameter, "columns");
    ck_assert_str_eq(failure.reason, "column 'bid' of 3");

    /* The last word counts. */
    ck_assert_int_eq(failure_set(&failure, 503, NULL, "out of memory"), -1);
    ck_assert_int_eq(failure.status, 503);
    ck_assert_str_eq(failure.parameter, "");
    ck_assert_str_eq(failure.reason, "out of memory");
}
END_TEST

START_TEST(failure_cuts_what_is_too_long)
{
    struct failure failure;
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    failure_set(&failure, 400, text, "%s", text);
    ck_assert_uint_eq(strlen(failure.parameter), sizeof(failure.parameter) - 1);
    ck_assert_uint_eq(strlen(failure.reason), sizeof(failure.reason) - 1);
    failure_set(&failure, 400, "a", "%s", "");
    ck_assert_str_eq(failure.reason, "");
}
END_TEST

START_TEST(failure_quotes_without_surprises)
{
    char text[200], quoted[FAILURE_QUOTED];

    ck_assert_str_eq(failure_quote(SLICE(""), quoted), "");
    ck_assert_str_eq(failure_quote(SLICE("a b\"~"), quoted), "a b\"~");
    ck_assert_str_eq(failure_quote(SLICE("\xc3\xa9\0\n\x1b\x7f."), quoted), "??????.");
    memset(text, 'x', sizeof(text));
    failure_quote((struct slice){ text, 64 }, quoted);
    ck_assert_uint_eq(strlen(quoted), 64);
    ck_assert_ptr_null(strchr(quoted, '.'));
    failure_quote((struct slice){ text, 65 }, quoted);
    ck_assert_uint_eq(strspn(quoted, "x"), 64);
    ck_assert_str_eq(quoted + 64, "...");
}
END_TEST

UNIT("failure", failure_says_why, failure_cuts_what_is_too_long,
     failure_quotes_without_surprises)
