#include "unit.h"

#include <string.h>

#include "query/instant.h"

START_TEST(instant_reads_every_form)
{
    static const struct {
        const char *text;
        uint32_t start, start_nanos, end, end_nanos;
    } rows[] = {
        { "0", 0, 0, 0, INSTANT_LAST_NANO },
        { "1735689600", 1735689600, 0, 1735689600, INSTANT_LAST_NANO },
        { "4294967295", UINT32_MAX, 0, UINT32_MAX, INSTANT_LAST_NANO },
        { "0000000000007", 7, 0, 7, INSTANT_LAST_NANO },
        { "2025-01-01", 1735689600, 0, 1735775999, INSTANT_LAST_NANO },
        { "1970-01-01", 0, 0, 86399, INSTANT_LAST_NANO },
        { "2106-02-06", 4294857600, 0, 4294943999, INSTANT_LAST_NANO },
        { "2025-01-01T00:00:00Z", 1735689600, 0, 1735689600, INSTANT_LAST_NANO },
        { "2025-01-01T00:00:00.5Z", 1735689600, 500000000, 1735689600, 500000000 },
        { "2025-01-01T00:00:00.0Z", 1735689600, 0, 1735689600, 0 },
        { "2025-01-01T00:00:00.000000001Z", 1735689600, 1, 1735689600, 1 },
        { "2025-01-01T02:00:00+02:00", 1735689600, 0, 1735689600, INSTANT_LAST_NANO },
        { "1970-01-01T01:00:00+01:00", 0, 0, 0, INSTANT_LAST_NANO },
        { "2106-02-07T06:28:15Z", UINT32_MAX, 0, UINT32_MAX, INSTANT_LAST_NANO },
    };
    struct failure failure = { 0 };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct instant instant;

        ck_assert_int_eq(instant_parse(slice_of(rows[i].text), "start", 0, &instant, &failure),
                         0);
        ck_assert_uint_eq(instant.second, rows[i].start);
        ck_assert_uint_eq(instant.nanos, rows[i].start_nanos);
        ck_assert_int_eq(instant_parse(slice_of(rows[i].text), "end", 1, &instant, &failure),
                         0);
        ck_assert_uint_eq(instant.second, rows[i].end);
        ck_assert_uint_eq(instant.nanos, rows[i].end_nanos);
    }
    ck_assert_int_eq(failure.status, 0);
}
END_TEST

START_TEST(instant_refuses_the_rest)
{
    static const struct {
        const char *text, *hint;
    } rows[] = {
        { "4294967296", "outside" },
        { "1735689600000", "milliseconds" },
        { "1735689600000000", "outside" },
        { "99999999999999999999999999", "outside" },
        { "-1", "outside" },
        { "1969-12-31", "outside" },
        { "1970-01-01T00:59:59+01:00", "outside" },
        { "2106-02-07T06:28:16Z", "outside" },
        { "2107-01-01", "outside" },
        { "9999-12-31", "outside" },
        { "yesterday", "RFC 3339" },
        { "1e9", "RFC 3339" },
        { "+5", "RFC 3339" },
        { "-", "RFC 3339" },
        { "-x", "RFC 3339" },
        { " 5", "RFC 3339" },
        { "5 ", "RFC 3339" },
        { "5.5", "RFC 3339" },
        { "2025-02-29", "RFC 3339" },
        { "2025-01-01T00:00:00",
          "'2025-01-01T00:00:00' has no time zone: write 2025-01-01T00:00:00Z" },
        { "2025-01-01t00:00:00.123456789", "has no time zone" },
        { "2025-01-01 00:00:00", "has no time zone" },
        { "2025-01-01T00:00:00.1234567890", "RFC 3339" },
        { "2025-01-01T25:00:00", "RFC 3339" },
        { "2025-01-01T00:00:00Z\x1b[31m", "'2025-01-01T00:00:00Z?[31m' is not" },
        { "2025-01-01T00:00Z", "RFC 3339" },
        { "", "RFC 3339" },
    };
    struct instant instant;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int is_end = 0; is_end < 2; is_end++) {
            struct failure failure = { 0 };
            const char *name = is_end ? "end" : "start";

            ck_assert_msg(
                instant_parse(slice_of(rows[i].text), name, is_end, &instant, &failure) == -1,
                "%s", rows[i].text);
            ck_assert_int_eq(failure.status, 400);
            ck_assert_str_eq(failure.parameter, name);
            ck_assert_msg(strstr(failure.reason, rows[i].hint) != NULL, "%s: %s", rows[i].text,
                          failure.reason);
            ck_assert(strncmp(failure.reason, name, strlen(name)) == 0);
        }
    }
}
END_TEST

/* The last day of u32 time is cut off in the middle: as an end, it is past what there is. */
START_TEST(instant_on_the_last_day)
{
    struct instant instant = { 0 };
    struct failure failure = { 0 };

    ck_assert_int_eq(instant_parse(SLICE("2106-02-07"), "start", 0, &instant, &failure), 0);
    ck_assert_uint_eq(instant.second, 4294944000);
    ck_assert_int_eq(instant_parse(SLICE("2106-02-07"), "end", 1, &instant, &failure), -1);
    ck_assert_int_eq(failure.status, 400);
}
END_TEST

START_TEST(instant_shows_little_of_a_bad_value)
{
    char text[3000];
    struct instant instant;
    struct failure failure = { 0 };

    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(
        instant_parse((struct slice){ text, sizeof(text) }, "end", 1, &instant, &failure), -1);
    ck_assert_uint_lt(strlen(failure.reason), 200);
    memset(text, '9', sizeof(text));
    ck_assert_int_eq(
        instant_parse((struct slice){ text, sizeof(text) }, "end", 1, &instant, &failure), -1);
    ck_assert_uint_lt(strlen(failure.reason), 200);
}
END_TEST

UNIT("instant", instant_reads_every_form, instant_refuses_the_rest, instant_on_the_last_day,
     instant_shows_little_of_a_bad_value)
