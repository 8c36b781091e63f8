#include "unit.h"

#include <math.h>

#include "tools/cell.h"
#include "tools/colmap.h"
#include "tools/rowreader.h"

START_TEST(colmap_reads_maps)
{
    struct colmap map;

    ck_assert_int_eq(colmap_parse("time=local_ns:ns,id=trade_id:u64,price=price,volume=#3,"
                                  "side=a:b:i8,maker_order_id=@row:u32,taker_order_id=x",
                                  &map),
                     0);
    static const struct {
        const char *name, *type;
    } columns[] = {
        { "time", "u32" },
        { "nanos", "u32" },
        { "id", "u64" },
        { "price", "f32" },
        { "volume", "f32" },
        { "side", "i8" },
        { "maker_order_id", "u32" },
        { "taker_order_id", "bytes16" },
    };
    size_t offset = 0;
    char type[COLTYPE_NAME];

    ck_assert_uint_eq(map.columns.count, COUNT_OF(columns));
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        ck_assert_str_eq(map.columns.at[i].name, columns[i].name);
        ck_assert_str_eq(coltype_name(map.columns.at[i].type, type), columns[i].type);
        ck_assert_uint_eq(map.columns.at[i].offset, offset);
        offset += map.columns.at[i].type.size;
    }
    ck_assert_uint_eq(map.columns.row_size, offset);
    ck_assert_int_eq(map.unit, TICKTIME_NS);
    ck_assert(colmap_has_names(&map));
    ck_assert(slice_is(map.sources[5].name, "a:b"));
}
END_TEST

START_TEST(colmap_refuses)
{
    static const char *const bad[] = {
        "",
        "time",
        "time=",
        "time=t",
        "time=t:",
        "time=t:h",
        "time=:ns",
        "time=@row:ns",
        "price=p",
        "time=t:ns,",
        ",time=t:ns",
        "time=t:ns,time=u:ns",
        "time=t:ns,nanos=n",
        "time=t:ns,a=b,a=c",
        "time=t:ns,a/b=c",
        "time=t:ns,=c",
        "time=t:ns,a=b:f33",
        "time=t:ns,a=#0",
        "time=t:ns,a=#",
        "time=t:ns,a=#x",
        "time=t:ns,a=#-1",
        "time=t:ns,maker_order_id=@row",
        "time=t:ns,a=@row:bytes4",
        "time=t:ns,.a=b",
    };
    static const char *const bad_scales[] = { "",        "a",    "a=",   "a=0",
                                              "a=-1",    "b=1",  "id=2", "time=2",
                                              "nanos=2", "a=1,", "c=2" };
    struct colmap map;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(colmap_parse(bad[i], &map) == -1, "%s", bad[i]);
    ck_assert_int_eq(colmap_parse("time=t:ns,a=b,id=c,c=@row:f64", &map), 0);
    for (size_t i = 0; i < COUNT_OF(bad_scales); i++)
        ck_assert_msg(colmap_scale(&map, bad_scales[i]) == -1, "%s", bad_scales[i]);
    ck_assert_int_eq(colmap_scale(&map, "a=0.5"), 0);
}
END_TEST

static const char *const header[] = { "t", " price ", "x", "x" };

static void slices(const char *const *texts, size_t count, struct slice *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = slice_of(texts[i]);
}

START_TEST(rowreader_finds_fields)
{
    static const struct {
        const char *map;
        bool good;
    } cases[] = {
        { "time=t:ns,a=price", true }, { "time=#1:ns,a=price,b=#4", true },
        { "time=t:ns,a=x", false },    { "time=t:ns,a=y", false },
        { "time=t:ns,a=#5", false },
    };
    struct slice fields[4];

    slices(header, 4, fields);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct colmap map;

        ck_assert_int_eq(colmap_parse(cases[i].map, &map), 0);
        struct rowreader *reader = rowreader_new(&map);
        const char *wrong = rowreader_bind(reader, fields, 4);
        ck_assert_msg((wrong == NULL) == cases[i].good, "%s", cases[i].map);
        rowreader_free(reader);
    }
}
END_TEST

START_TEST(rowreader_tells_what_the_header_has)
{
    struct colmap map;
    struct slice fields[100];

    ck_assert_int_eq(colmap_parse("time=when:ns", &map), 0);
    struct rowreader *reader = rowreader_new(&map);
    slices(header, 2, fields);
    ck_assert_str_eq(
        rowreader_bind(reader, fields, 2),
        "the header line has no 'when', but 't', 'price'; use #N for the Nth field");
    for (size_t i = 0; i < 100; i++)
        fields[i] = SLICE("0123456789012345678901234567890123456789 and more");
    ck_assert_str_eq(rowreader_bind(reader, fields, 100),
                     "the header line has no 'when', but "
                     "'0123456789012345678901234567890123456789', "
                     "'0123456789012345678901234567890123456789', "
                     "'0123456789012345678901234567890123456789', "
                     "...; use #N for the Nth field");
    /* Of every length, so that one fills what there is room for. */
    for (size_t len = 0; len < 40; len++) {
        for (size_t i = 0; i < 100; i++)
            fields[i].len = len;
        ck_assert_ptr_nonnull(strstr(rowreader_bind(reader, fields, 100), ", ...; use #N"));
    }
    rowreader_free(reader);
}
END_TEST

START_TEST(rowreader_reads_rows)
{
    static const char *const good[] = { " 12 ", "1674100", "ff", "-3" };
    static const char *const bad[][4] = {
        { "x", "1", "00", "0" }, { "1", "", "00", "0" },    { "1", "1", "0", "0" },
        { "1", "1", "00", "" },  { "1", "1", "00", "128" }, { "1", "1e60", "00", "1" },
    };
    struct colmap map;
    struct slice fields[5];
    char row[64];
    int64_t ns;
    float price;

    ck_assert_int_eq(colmap_parse("time=#1:ms,price=#2,b=#3:bytes1,i=#4:i8,n=@row:u16", &map),
                     0);
    ck_assert_int_eq(colmap_scale(&map, "price=0.0001"), 0);
    struct rowreader *reader = rowreader_new(&map);
    ck_assert_ptr_null(rowreader_bind(reader, NULL, 0));
    slices(good, 4, fields);
    ck_assert_ptr_nonnull(rowreader_read(reader, fields, 3, 1, &ns, row));
    ck_assert_ptr_null(rowreader_read(reader, fields, 4, 515, &ns, row));
    ck_assert_int_eq(ns, 12000000);
    memcpy(&price, row + 8, 4);
    ck_assert(price == 167.41f);
    ck_assert_mem_eq(row + 12, "\xff\xfd\x03\x02", 4);
    fields[4] = SLICE("more");
    ck_assert_ptr_nonnull(rowreader_read(reader, fields, 5, 1, &ns, row));
    ck_assert_ptr_nonnull(rowreader_read(reader, fields, 4, 65536, &ns, row));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        slices(bad[i], 4, fields);
        ck_assert_ptr_nonnull(rowreader_read(reader, fields, 4, 1, &ns, row));
    }
    rowreader_free(reader);
}
END_TEST

START_TEST(cell_keeps_to_ranges)
{
    static const struct {
        const char *type, *text;
        bool good;
        int64_t value;
    } cases[] = {
        { "u8", "255", true, 255 },
        { "u8", "256", false, 0 },
        { "u8", "-0", false, 0 },
        { "i8", "127", true, 127 },
        { "i8", "128", false, 0 },
        { "i8", "-128", true, -128 },
        { "i8", "-129", false, 0 },
        { "i16", "-32768", true, -32768 },
        { "u32", "4294967295", true, 4294967295 },
        { "u32", "4294967296", false, 0 },
        { "u32", "True", true, 1 },
        { "u32", "FALSE", true, 0 },
        { "u32", "1.0", false, 0 },
        { "i32", "+1", false, 0 },
        { "i64", "9223372036854775807", true, INT64_MAX },
        { "i64", "9223372036854775808", false, 0 },
        { "i64", "-9223372036854775808", true, INT64_MIN },
        { "i64", "-9223372036854775809", false, 0 },
        { "i64", "-", false, 0 },
        { "u64", "18446744073709551615", true, -1 },
        { "u64", "18446744073709551616", false, 0 },
        { "u64", "", false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct coltype type;
        char record[8] = { 0 };

        ck_assert_int_eq(coltype_parse(slice_of(cases[i].type), &type), 0);
        const char *wrong = cell_parse(slice_of(cases[i].text), type, NULL, record);
        ck_assert_msg((wrong == NULL) == cases[i].good, "%s %s", cases[i].type, cases[i].text);
        if (wrong == NULL)
            ck_assert_mem_eq(record, &cases[i].value, type.size);
    }
}
END_TEST

START_TEST(cell_reads_floats_and_bytes)
{
    struct coltype f32 = { COLTYPE_F32, 4 }, f64 = { COLTYPE_F64, 8 };
    struct coltype uuid = { COLTYPE_BYTES, 16 };
    char record[16];
    float narrow;
    double wide;

    ck_assert_ptr_null(cell_parse(SLICE("1.38727"), f32, NULL, record));
    memcpy(&narrow, record, 4);
    ck_assert(narrow == 1.38727f);
    ck_assert_ptr_null(cell_parse(SLICE("1.38727"), f64, NULL, record));
    memcpy(&wide, record, 8);
    ck_assert(wide == 1.38727);
    ck_assert_ptr_nonnull(cell_parse(SLICE("1e39"), f32, NULL, record));
    ck_assert_ptr_null(cell_parse(SLICE("1e39"), f64, NULL, record));
    ck_assert_ptr_nonnull(cell_parse(SLICE("nan"), f64, NULL, record));

    struct slice id = SLICE("a0eebc99-9c0b-4EF8-bb6d-6bb9bd380a11");
    ck_assert_ptr_null(cell_parse(id, uuid, NULL, record));
    ck_assert_mem_eq(record, "\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11",
                     16);
    id.len--;
    ck_assert_ptr_nonnull(cell_parse(id, uuid, NULL, record));
    ck_assert_ptr_nonnull(
        cell_parse(SLICE("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1100"), uuid, NULL, record));
    ck_assert_ptr_nonnull(
        cell_parse(SLICE("g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), uuid, NULL, record));
}
END_TEST

UNIT("colmap", colmap_reads_maps, colmap_refuses, rowreader_finds_fields,
     rowreader_tells_what_the_header_has, rowreader_reads_rows, cell_keeps_to_ranges,
     cell_reads_floats_and_bytes)
