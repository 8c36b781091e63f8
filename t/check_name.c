#include "unit.h"

#include "base/name.h"

#include "base/date.h"

START_TEST(name_refuses_what_could_leave)
{
    const char *good[] = { "a", "BTC-USD", "best_bid", "x.y", "a:b", "A_1-2.3" };
    const char *bad[] = { "",    ".",    "..",   ".a",  "a..b",    "a/b",
                          "a b", "a\\b", "@row", "a,b", "\xc3\xa9" };
    char longest[66];

    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(name_valid(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!name_valid(slice_of(bad[i])), "%s", bad[i]);
    ck_assert(!name_valid((struct slice){ "a\0b", 3 }));
    memset(longest, 'x', sizeof(longest));
    ck_assert(name_valid((struct slice){ longest, 64 }));
    ck_assert(!name_valid((struct slice){ longest, 65 }));
}
END_TEST

START_TEST(name_of_files)
{
    char file[NAME_FILE];
    struct slice column;
    int32_t day;

    ck_assert_str_eq(name_file(SLICE("best_bid"), 20089, file), "best_bid.01.01.25.bin");
    ck_assert_int_eq(name_parse_file(SLICE("a.b.31.12.99.bin"), &column, &day), 0);
    ck_assert(slice_is(column, "a.b"));
    ck_assert_int_eq(day, DATE_LAST);
    const char *bad[] = { "time.30.02.25.bin", "time.1.1.25.bin",    ".01.01.25.bin",
                          "01.01.25.bin",      "time.01.01.25.bin~", "time.01.01.25.tmp",
                          "time-01.01.25.bin" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(name_parse_file(slice_of(bad[i]), &column, &day) == -1, "%s", bad[i]);
}
END_TEST

UNIT("name", name_refuses_what_could_leave, name_of_files)
