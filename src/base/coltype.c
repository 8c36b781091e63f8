#include "base/coltype.h"

#include "base/num.h"

static const struct {
    char name[4];
    uint16_t size;
} kinds[] = {
    [COLTYPE_U8] = { "u8", 1 },   [COLTYPE_I8] = { "i8", 1 },   [COLTYPE_U16] = { "u16", 2 },
    [COLTYPE_I16] = { "i16", 2 }, [COLTYPE_U32] = { "u32", 4 }, [COLTYPE_I32] = { "i32", 4 },
    [COLTYPE_U64] = { "u64", 8 }, [COLTYPE_I64] = { "i64", 8 }, [COLTYPE_F32] = { "f32", 4 },
    [COLTYPE_F64] = { "f64", 8 },
};

int coltype_parse(struct slice text, struct coltype *type)
{
    for (unsigned kind = 0; kind < COLTYPE_BYTES; kind++) {
        if (slice_is(text, kinds[kind].name)) {
            *type = (struct coltype){ (enum coltype_kind)kind, kinds[kind].size };
            return 0;
        }
    }

    uint64_t size;
    if (text.len < 6 || memcmp(text.at, "bytes", 5) != 0 || text.at[5] == '0' ||
        num_parse((struct slice){ text.at + 5, text.len - 5 }, &size) ||
        size > COLTYPE_SIZE_MAX)
        return -1;
    *type = (struct coltype){ COLTYPE_BYTES, (uint16_t)size };
    return 0;
}

char *coltype_name(struct coltype type, char text[COLTYPE_NAME])
{
    if (type.kind != COLTYPE_BYTES)
        return memcpy(text, kinds[type.kind].name, sizeof(kinds->name));
    memcpy(text, "bytes", 5);
    text[5 + num_decimal(type.size, text + 5)] = '\0';
    return text;
}
