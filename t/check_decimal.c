#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>

#include "tools/decimal.h"

static uint64_t state = 1;

static uint64_t random_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static unsigned below(unsigned n)
{
    return (unsigned)(random_bits() % n);
}

static void check_same(const char *text)
{
    double got = 0, expected = strtod(text, NULL);
    int rc = decimal_parse(slice_of(text), &got);

    /* An assertion costs a write: only where it fails. */
    if (isinf(expected) ? rc == 0 || errno != ERANGE
                        : rc != 0 || memcmp(&got, &expected, sizeof(got)) != 0)
        ck_abort_msg("%s: %d, %a, not %a", text, rc, got, expected);
}

static char *put_digits(char *at, unsigned count)
{
    while (count-- > 0)
        *at++ = (char)('0' + below(10));
    return at;
}

/* A number of the shape that is asked for; mostly such as files have, some not. */
static void random_number(char *at, unsigned digits_max, unsigned exponent_max)
{
    unsigned whole = below(digits_max), decimals = below(digits_max);

    if (below(4) == 0)
        *at++ = below(2) ? '-' : '+';
    at = put_digits(at, whole);
    if (decimals > 0 || below(4) == 0)
        *at++ = '.';
    at = put_digits(at, whole == 0 && decimals == 0 ? 1 : decimals);
    if (exponent_max > 0 && below(2) == 0)
        at += sprintf(at, "%c%s%u", below(2) ? 'e' : 'E',
                      (const char *[]){ "", "+", "-" }[below(3)], below(exponent_max));
    *at = '\0';
}

START_TEST(decimal_reads_what_strtod_reads)
{
    static const struct {
        unsigned digits, exponent, count;
    } shapes[] = {
        { 8, 0, 1000000 },   { 11, 40, 1000000 }, { 22, 0, 500000 },
        { 22, 340, 500000 }, { 60, 400, 50000 },
    };
    char text[256];

    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        for (unsigned n = 0; n < shapes[i].count; n++) {
            random_number(text, shapes[i].digits, shapes[i].exponent);
            check_same(text);
        }
    }
}
END_TEST

/* Any double, as printf writes it, with every number of digits. */
START_TEST(decimal_reads_what_printf_writes)
{
    char text[64];

    for (unsigned n = 0; n < 500000; n++) {
        uint64_t bits = random_bits();
        double value;

        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof(text), "%.*e", (int)below(20), value);
        check_same(text);
    }
}
END_TEST

START_TEST(decimal_reads_the_edges)
{
    static const char *const edges[] = {
        "0",
        "-0",
        "+0.0",
        "0e999",
        "-0e-999",
        "1.",
        ".5",
        "-.5e1",
        "00000000000000000000001",
        "0.00000000000000000000000000000000001",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993e22",
        "9007199254740992e22",
        "9007199254740992e-22",
        "9007199254740993e-22",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999",
        "9999999999999999999",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e309",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e-400",
        "1e99999999999999",
        "-1e99999999999999",
        "1e-99999999999999",
        "123456789012345678901234567890e-10",
        "8.5",
        "1674100",
        "0.1",
        "0.30000000000000004",
        "61837.63000000",
        "1.38727",
    };

    for (size_t i = 0; i < COUNT_OF(edges); i++)
        check_same(edges[i]);
}
END_TEST

START_TEST(decimal_refuses_what_is_no_number)
{
    static const char *const bad[] = {
        "",         "-",     "+",    ".",    "-.",    "e5",           ".e5", "1e",
        "1e+",      "1e-",   "1e5.", "1e5x", "1..2",  "1.2.3",        "--1", "+-1",
        " 1",       "1 ",    "1,5",  "0x10", "0x1p3", "inf",          "nan", "NaN",
        "Infinity", "1_000", "1f",   "abc",  "1e 5",  "\xef\xbc\x91",
    };
    char longest[1002];
    double value;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(decimal_parse(slice_of(bad[i]), &value) == -1, "%s", bad[i]);
        ck_assert_int_eq(errno, EINVAL);
    }
    ck_assert_int_eq(decimal_parse((struct slice){ "1\0", 2 }, &value), -1);
    memset(longest, '1', sizeof(longest));
    longest[0] = '.';
    ck_assert_int_eq(decimal_parse((struct slice){ longest, 1000 }, &value), 0);
    ck_assert_int_eq(decimal_parse((struct slice){ longest, 1001 }, &value), -1);
    /* What follows the slice is not read. */
    ck_assert_int_eq(decimal_parse((struct slice){ "1.259", 4 }, &value), 0);
    ck_assert(value == 1.25);
}
END_TEST

START_TEST(decimal_scales_exactly)
{
    static const char *const bad[] = { "",  "0",    "-1",    "0.0",
                                       "x", "1e23", "1e-23", "9007199254740993" };
    struct decimal_scale scale;
    char text[64];

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(decimal_parse_scale(slice_of(bad[i]), &scale) == -1, "%s", bad[i]);
    ck_assert_int_eq(decimal_parse_scale(SLICE("0.25"), &scale), 0);
    ck_assert(scale.times == 25 && scale.by == 100);
    ck_assert_int_eq(decimal_parse_scale(SLICE("1e3"), &scale), 0);
    ck_assert(scale.times == 1000 && scale.by == 1);

    /* As a price in ten-thousandths against its own decimal text. */
    ck_assert_int_eq(decimal_parse_scale(SLICE("0.0001"), &scale), 0);
    for (unsigned price = 0; price < 3000000; price++) {
        double expected;

        snprintf(text, sizeof(text), "%u.%04u", price / 10000, price % 10000);
        if (decimal_parse(slice_of(text), &expected) ||
            price * scale.times / scale.by != expected)
            ck_abort_msg("%s", text);
    }
}
END_TEST

UNIT("decimal", decimal_reads_what_strtod_reads, decimal_reads_what_printf_writes,
     decimal_reads_the_edges, decimal_refuses_what_is_no_number, decimal_scales_exactly)
