#include "unit.h"

#include <string.h>

#include "system/coltypes.h"

static char problem[256];

static const char *type_of(const struct coltypes *table, const char *exchange, const char *type,
                           const char *column)
{
    static char name[COLTYPE_NAME];

    return coltype_name(
        coltypes_find(table, slice_of(exchange), slice_of(type), slice_of(column)), name);
}

static void add(struct coltypes *table, const char *row)
{
    ck_assert_msg(coltypes_add(table, row, problem, sizeof(problem)) == 0, "%s", problem);
}

START_TEST(coltypes_ship_with_the_usual_ones)
{
    static const char *const rows[][2] = {
        { "time", "u32" },
        { "nanos", "u32" },
        { "side", "u32" },
        { "id", "u64" },
        { "maker_order_id", "bytes16" },
        { "taker_order_id", "bytes16" },
        { "price", "f32" },
        { "ids", "f32" },
        { "i", "f32" },
        { "Time", "f32" },
    };
    struct coltypes *table = coltypes_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_str_eq(type_of(table, "any", "MD", rows[i][0]), rows[i][1]);
    coltypes_free(table);
    coltypes_free(NULL);
}
END_TEST

START_TEST(coltypes_later_rows_win)
{
    struct coltypes *table = coltypes_new();

    add(table, "*/*/price:f64");
    ck_assert_str_eq(type_of(table, "a", "MD", "price"), "f64");
    add(table, "a/*/price:u8");
    ck_assert_str_eq(type_of(table, "a", "MD", "price"), "u8");
    ck_assert_str_eq(type_of(table, "b", "MD", "price"), "f64");
    add(table, "a/MD/*:i16");
    ck_assert_str_eq(type_of(table, "a", "MD", "price"), "i16");
    ck_assert_str_eq(type_of(table, "a", "TRADES", "price"), "u8");
    ck_assert_str_eq(type_of(table, "a", "MD", "id"), "i16");
    ck_assert_str_eq(type_of(table, "a", "MD", "time"), "u32"); /* always */
    add(table, "*/*/*:bytes4096");
    ck_assert_str_eq(type_of(table, "a", "MD", "price"), "bytes4096");
    ck_assert_str_eq(type_of(table, "a", "MD", "nanos"), "bytes4096");
    add(table, "*/*/time:u32"); /* nothing new, and no error */
    coltypes_free(table);
}
END_TEST

/* Names may hold colons. */
START_TEST(coltypes_read_names_with_colons)
{
    struct coltypes *table = coltypes_new();

    add(table, "x:y/M:D/a:b:c:u16");
    ck_assert_str_eq(type_of(table, "x:y", "M:D", "a:b:c"), "u16");
    ck_assert_str_eq(type_of(table, "x:y", "M:D", "a:b"), "f32");
    coltypes_free(table);
}
END_TEST

START_TEST(coltypes_refuse_bad_rows)
{
    static const char *const bad[] = {
        "",
        ":",
        "a/b/c",
        "a/b/c:",
        "a/b/c:u128",
        "a/b:u32",
        "a:u32",
        "/b/c:u32",
        "a//c:u32",
        "a/b/:u32",
        "a/b/c/d:u8",
        "../b/c:u32",
        ".a/b/c:u32",
        "a/b/c d:u32",
        "a/b/*x:u32",
        "**/b/c:u32",
        "a/b/c:u32 ",
        "a/b/c: u32",
        "a/b/c:bytes0",
        "a/b/c:bytes4097",
        "a/b/@row:u8",
        "a/b,d/c:u8",
        "*/*/time:u64",
        "a/MD/time:f32",
        "*/*/time:i32",
    };
    struct coltypes *table = coltypes_new();

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        memset(problem, 0, sizeof(problem));
        ck_assert_msg(coltypes_add(table, bad[i], problem, sizeof(problem)) == -1, "%s",
                      bad[i]);
        ck_assert_ptr_nonnull(strstr(problem, bad[i]));
    }
    /* None of them left anything behind. */
    ck_assert_str_eq(type_of(table, "a", "b", "c"), "f32");
    coltypes_free(table);
}
END_TEST

UNIT("coltypes", coltypes_ship_with_the_usual_ones, coltypes_later_rows_win,
     coltypes_read_names_with_colons, coltypes_refuse_bad_rows)
