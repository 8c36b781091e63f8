#include "unit.h"

#include "tools/origin.h"
#include "tools/ticktime.h"

START_TEST(ticktime_reads)
{
    static const struct {
        const char *text;
        enum ticktime_unit unit;
        int64_t ns;
    } cases[] = {
        { "0", TICKTIME_S, 0 },
        { "1723161256", TICKTIME_S, 1723161256000000000 },
        { "1723161256.419684465", TICKTIME_S, 1723161256419684465 },
        { "1723161256.4", TICKTIME_S, 1723161256400000000 },
        { "1723161256.0000000009", TICKTIME_S, 1723161256000000000 },
        { "14400464", TICKTIME_MS, 14400464000000 },
        { "14400464.25", TICKTIME_MS, 14400464250000 },
        { "1723161256419684", TICKTIME_US, 1723161256419684000 },
        { "1723161256419684.465", TICKTIME_US, 1723161256419684465 },
        { "1723161256419684465", TICKTIME_NS, 1723161256419684465 },
        { "1723161256419684465.0", TICKTIME_NS, 1723161256419684465 },
        { "0000000000000000000001723161256419684465", TICKTIME_NS, 1723161256419684465 },
        { "9223372036854775807", TICKTIME_NS, INT64_MAX },
        { "2024-08-08T23:54:16.419684465Z", TICKTIME_RFC3339, 1723161256419684465 },
        { "2024-08-09 01:54:16+02:00", TICKTIME_RFC3339, 1723161256000000000 },
    };
    int64_t ns;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(ticktime_parse(slice_of(cases[i].text), cases[i].unit, &ns) == 0, "%s",
                      cases[i].text);
        ck_assert_int_eq(ns, cases[i].ns);
    }
}
END_TEST

START_TEST(ticktime_refuses)
{
    static const char *const bad[] = {
        "",
        " 1",
        "1 ",
        "-1",
        "+1",
        "1.",
        ".5",
        "1.5.",
        "1e9",
        "x",
        "1.x",
        "1x",
        "18446744073709551616",
        "9223372037",
        "99999999999999999999999",
    };
    int64_t ns;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(ticktime_parse(slice_of(bad[i]), TICKTIME_S, &ns) == -1, "%s", bad[i]);
    ck_assert_int_eq(ticktime_parse(SLICE("9223372036854775808"), TICKTIME_NS, &ns), -1);
    ck_assert_int_eq(ticktime_parse(SLICE("2024-08-08"), TICKTIME_RFC3339, &ns), -1);
    ck_assert_int_eq(ticktime_parse(SLICE("9999-08-08T00:00:00Z"), TICKTIME_RFC3339, &ns), -1);
}
END_TEST

START_TEST(ticktime_hints)
{
    static const struct {
        const char *text;
        enum ticktime_unit unit;
        const char *hint;
    } cases[] = {
        { "1738281600000", TICKTIME_S, " (is its unit right?)" },
        { "1738281600000000000", TICKTIME_MS, " (is its unit right?)" },
        { "1738281600", TICKTIME_RFC3339, " (is its unit right?)" },
        { "2025-01-31T07:22:01Z", TICKTIME_NS, " (is its unit right?)" },
        { "2025-01-31T07:22:01", TICKTIME_NS, " (is its unit right?)" },
        { "2025-01-31T07:22:01", TICKTIME_RFC3339, ": its zone is missing, Z or as -05:00" },
        { "2025-01-31 07:22:01.123456789", TICKTIME_RFC3339,
          ": its zone is missing, Z or as -05:00" },
        { "2025-01-31", TICKTIME_RFC3339, "" },
        { "2025-01-31T07:22:01.123456789123456789", TICKTIME_RFC3339, "" },
        { "x", TICKTIME_S, "" },
        { "", TICKTIME_S, "" },
        { "", TICKTIME_RFC3339, "" },
        { "99999999999999999999999", TICKTIME_S, "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_str_eq(ticktime_hint(slice_of(cases[i].text), cases[i].unit), cases[i].hint);
}
END_TEST

START_TEST(ticktime_knows_its_units)
{
    static const char *const names[] = { "s", "ms", "us", "ns", "rfc3339" };
    enum ticktime_unit unit;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_int_eq(ticktime_parse_unit(slice_of(names[i]), &unit), 0);
        ck_assert_str_eq(ticktime_unit_name(unit), names[i]);
    }
    ck_assert_int_eq(ticktime_parse_unit(SLICE("m"), &unit), -1);
    ck_assert_int_eq(ticktime_parse_unit(SLICE(""), &unit), -1);
}
END_TEST

START_TEST(origin_from_names)
{
    static const struct {
        const char *origin, *path;
        int64_t seconds; /* -1: does not fit */
    } cases[] = {
        { "2014-05-01T00:00:00-05:00", "whatever", 1398920400 },
        { "name:YYYYMMDD-05:00", "a/b/20140501_quote.csv.gz", 1398920400 },
        { "name:YYYYMMDDZ", "20140501", 1398902400 },
        { "name:YYYYMMDD+05:30", "20140501", 1398902400 - 19800 },
        { "name:YYYY-MM-DDZ", "x-2014-05-01.csv", 1398902400 },
        { "name:ticks_DD.MM.YYYYZ", "/1/my ticks_01.05.2014", 1398902400 },
        { "name:YYYYMMDDZ", "20149901_20140501.csv", 1398902400 },
        { "name:YYYYMMDDZ", "20140501/quote.csv", -1 },
        { "name:YYYYMMDDZ", "2014050", -1 },
        { "name:YYYYMMDDZ", "20140229", -1 },
        { "name:YYYYMMDD_quoteZ", "20140501_trade", -1 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct origin origin;
        int64_t ns = -1;

        ck_assert_ptr_null(origin_parse(cases[i].origin, &origin));
        int rc = origin_of_file(&origin, cases[i].path, &ns);
        ck_assert_msg(rc == (cases[i].seconds < 0 ? -1 : 0), "%s", cases[i].path);
        if (rc == 0)
            ck_assert_int_eq(ns, cases[i].seconds * 1000000000);
    }
    static const char *const bad[] = { "",
                                       "2014-05-01",
                                       "name:",
                                       "name:YYYYMMDD",
                                       "name:Z",
                                       "name:YYYYMMZ",
                                       "name:YYYYMMDD-5:00",
                                       "YYYYMMDDZ",
                                       "name:YYYYMMDD-25:00" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct origin origin;

        ck_assert_msg(origin_parse(bad[i], &origin) != NULL, "%s", bad[i]);
    }
}
END_TEST

UNIT("ticktime", ticktime_reads, ticktime_refuses, ticktime_hints, ticktime_knows_its_units,
     origin_from_names)
