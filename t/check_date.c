#include "unit.h"

#include "base/date.h"

/* The calendar against itself: every day of four centuries, one after another. */
START_TEST(date_counts_every_day)
{
    struct date date = { 1900, 1, 1 };
    int32_t day = date_to_day(date);

    ck_assert_int_eq(date_to_day((struct date){ 1970, 1, 1 }), 0);
    ck_assert_int_eq(date_to_day((struct date){ 2000, 1, 1 }), DATE_FIRST);
    ck_assert_int_eq(date_to_day((struct date){ 2099, 12, 31 }), DATE_LAST);
    while (date.year < 2300) {
        struct date back = date_of_day(day);

        ck_assert_int_eq(date_to_day(date), day);
        ck_assert_int_eq(back.year, date.year);
        ck_assert_int_eq(back.month, date.month);
        ck_assert_int_eq(back.day, date.day);
        day++;
        date.day++;
        if (!date_valid(date)) {
            date.day = 1;
            if (++date.month > 12) {
                date.month = 1;
                date.year++;
            }
        }
    }
}
END_TEST

START_TEST(date_refuses_what_is_no_date)
{
    int32_t day;

    ck_assert_int_eq(date_parse_iso(SLICE("2024-02-29"), &day), 0);
    ck_assert_int_eq(day, 19782);
    const char *bad[] = { "",           "2023-02-29",  "2024-13-01", "2024-00-01",
                          "2024-01-00", "2024-1-1",    "2024-01-32", "2024-01-1x",
                          "2024/01/01", "2024-01-011", "1900-02-29", "2024-01-01 ",
                          " 2024-01-01" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(date_parse_iso(slice_of(bad[i]), &day) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(date_reads_rfc3339)
{
    static const struct {
        const char *text;
        int64_t seconds;
        uint32_t nanos;
        bool fraction;
    } good[] = {
        { "1970-01-01T00:00:00Z", 0, 0, false },
        { "2024-08-08T23:59:59.123456789Z", 1723161599, 123456789, true },
        { "2024-08-09t01:59:59.5+02:00", 1723161599, 500000000, true },
        { "2024-08-08 18:29:59.000-05:30", 1723161599, 0, true },
        { "2016-12-31T23:59:60Z", 1483228800, 0, false },
    };
    static const char *bad[] = {
        "2024-08-08T23:59:59",    "2024-08-08T23:59Z",        "2024-08-08T24:00:00Z",
        "2024-08-08T23:60:00Z",   "2024-08-08T23:59:61Z",     "2024-08-08T23:59:59.Z",
        "2024-08-08T23:59:59,5Z", "2024-08-08T23:59:59+0200", "2024-08-08T23:59:59+24:00",
        "2024-08-08T23:59:59ZZ",  "2024-08-08X23:59:59Z",     "2024-08-08T23:59:59.1234567890Z",
    };
    int64_t seconds;
    uint32_t nanos;
    bool fraction;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_int_eq(
            date_parse_rfc3339(slice_of(good[i].text), &seconds, &nanos, &fraction), 0);
        ck_assert_int_eq(seconds, good[i].seconds);
        ck_assert_uint_eq(nanos, good[i].nanos);
        ck_assert_int_eq(fraction, good[i].fraction);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(date_parse_rfc3339(slice_of(bad[i]), &seconds, &nanos, &fraction) == -1,
                      "%s", bad[i]);
}
END_TEST

UNIT("date", date_counts_every_day, date_refuses_what_is_no_date, date_reads_rfc3339)
