#include "unit.h"

#include <string.h>
#include <time.h>

#include "base/httpdate.h"
#include "dice.h"

#define NOW INT64_C(1749988800) /* 2025-06-15 */

static int64_t parsed(const char *text)
{
    int64_t seconds;

    return httpdate_parse(slice_of(text), NOW, &seconds) ? INT64_MIN : seconds;
}

START_TEST(httpdate_is_as_the_c_library_has_it)
{
    struct dice dice = dice_new(1);
    char text[HTTPDATE_BYTES + 1] = "", expected[64];

    for (int i = 0; i < 100000; i++) {
        time_t at = (time_t)(dice_bits(&dice) % (i % 2 ? UINT64_C(253402300800) : 4102444800));
        struct tm tm;

        gmtime_r(&at, &tm);
        httpdate_write(at, text);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        MUST(strcmp(text, expected) == 0);
        MUST(parsed(text) == at);
        strftime(expected, sizeof(expected), "%a %b %e %H:%M:%S %Y", &tm);
        MUST(parsed(expected) == at);
        strftime(expected, sizeof(expected), "%A, %d-%b-%y %H:%M:%S GMT", &tm);
        if (tm.tm_year >= 76 && tm.tm_year < 174)
            MUST(parsed(expected) == at);
    }
}
END_TEST

START_TEST(httpdate_forms)
{
    static const char *const bad[] = {
        "",
        "0",
        "784111777",
        "\"tag\"",
        "Sun",
        "Sun,",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Fun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 1994 GMT",
        "1994-11-06T08:49:37Z",
    };

    ck_assert_int_eq(parsed("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    ck_assert_int_eq(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    ck_assert_int_eq(parsed("Sun Nov  6 08:49:37 1994"), 784111777);
    /* More than fifty years from now is the past. */
    ck_assert_int_eq(parsed("Tuesday, 01-Jan-75 00:00:00 GMT"), INT64_C(3313526400));
    ck_assert_int_eq(parsed("Thursday, 01-Jan-76 00:00:00 GMT"), 189302400);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(parsed(bad[i]) == INT64_MIN, "%s", bad[i]);
    /* Cut off anywhere, in memory of that size. */
    for (size_t len = 0; len < 29; len++) {
        char *copy = malloc(len + 1);
        int64_t seconds;

        memcpy(copy, "Sun, 06 Nov 1994 08:49:37 GMT", len);
        ck_assert_int_eq(httpdate_parse((struct slice){ copy, len }, NOW, &seconds), -1);
        free(copy);
    }
}
END_TEST

UNIT("httpdate", httpdate_is_as_the_c_library_has_it, httpdate_forms)
