#include "unit.h"

#include "base/coltype.h"

START_TEST(coltype_knows_its_names)
{
    const char *names[] = { "u8",  "i8",  "u16", "i16", "u32",    "i32",
                            "u64", "i64", "f32", "f64", "bytes1", "bytes16" };
    const unsigned sizes[] = { 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 1, 16 };
    const char *bad[] = { "", "u", "u128", "U32", "bytes", "bytes0", "bytes016", "bytes4097" };
    struct coltype type;
    char text[COLTYPE_NAME];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ck_assert_int_eq(coltype_parse(slice_of(names[i]), &type), 0);
        ck_assert_uint_eq(type.size, sizes[i]);
        ck_assert_str_eq(coltype_name(type, text), names[i]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_int_eq(coltype_parse(slice_of(bad[i]), &type), -1);
}
END_TEST

UNIT("coltype", coltype_knows_its_names)
