#include "unit.h"

#include <errno.h>

#include "base/num.h"

START_TEST(num_reads_digits_only)
{
    uint64_t value;

    ck_assert_int_eq(num_parse(SLICE("18446744073709551615"), &value), 0);
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_assert_int_eq(num_parse(SLICE("18446744073709551616"), &value), -1);
    ck_assert_int_eq(errno, ERANGE);
    const char *bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "1e3" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(num_parse(slice_of(bad[i]), &value) == -1, "%s", bad[i]);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

START_TEST(num_reads_units)
{
    uint64_t value;

    ck_assert_int_eq(num_parse_size(SLICE("64k"), &value), 0);
    ck_assert_uint_eq(value, 65536);
    ck_assert_int_eq(num_parse_size(SLICE("17179869184g"), &value), -1);
    ck_assert_int_eq(num_parse_size(SLICE("64kb"), &value), -1);
    ck_assert_int_eq(num_parse_duration(SLICE("15m"), &value), 0);
    ck_assert_uint_eq(value, 900000);
    ck_assert_int_eq(num_parse_duration(SLICE("7"), &value), 0);
    ck_assert_uint_eq(value, 7000);
    ck_assert_int_eq(num_parse_duration(SLICE("250ms"), &value), 0);
    ck_assert_uint_eq(value, 250);
    ck_assert_int_eq(num_parse_duration(SLICE("s"), &value), -1);
}
END_TEST

START_TEST(num_writes)
{
    const uint64_t values[] = {
        0, 1, 9, 10, 15, 16, 99, 255, 256, 4096, UINT32_MAX, UINT64_MAX
    };
    char got[NUM_TEXT], expected[32];

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        got[num_decimal(values[i], got)] = '\0';
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
        ck_assert_str_eq(got, expected);
        got[num_hex(values[i], got)] = '\0';
        snprintf(expected, sizeof(expected), "%llx", (unsigned long long)values[i]);
        ck_assert_str_eq(got, expected);
    }
}
END_TEST

UNIT("num", num_reads_digits_only, num_reads_units, num_writes)
