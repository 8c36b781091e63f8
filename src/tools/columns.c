#include "tools/columns.h"

#include <endian.h>

#define BILLION 1000000000

static const struct {
    const char *name;
    struct coltype type;
} defaults[] = {
    { "time", { COLTYPE_U32, 4 } },
    { "nanos", { COLTYPE_U32, 4 } },
    { "side", { COLTYPE_U32, 4 } },
    { "id", { COLTYPE_U64, 8 } },
    { "maker_order_id", { COLTYPE_BYTES, 16 } },
    { "taker_order_id", { COLTYPE_BYTES, 16 } },
};

struct coltype columns_default_type(struct slice name)
{
    for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
        if (slice_is(name, defaults[i].name))
            return defaults[i].type;
    }
    return (struct coltype){ COLTYPE_F32, 4 };
}

void columns_init(struct columns *columns)
{
    const struct slice first[] = { SLICE("time"), SLICE("nanos") };

    columns->count = 0;
    columns->row_size = 0;
    for (size_t i = 0; i < 2; i++)
        columns_add(columns, first[i], columns_default_type(first[i]));
}

bool columns_has(const struct columns *columns, struct slice name)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (slice_is(name, columns->at[i].name))
            return true;
    }
    return false;
}

const char *columns_add(struct columns *columns, struct slice name, struct coltype type)
{
    if (!name_valid(name))
        return "is no column name (1-64 of A-Z a-z 0-9 . _ : -, no dot at its start, no "
               "\"..\")";
    if (columns_has(columns, name))
        return "is there twice";
    if (columns->count == COLUMNS_MAX)
        return "is one column too many (64 at most)";

    struct column *column = &columns->at[columns->count++];
    memcpy(column->name, name.at, name.len);
    column->name[name.len] = '\0';
    column->type = type;
    column->offset = columns->row_size;
    columns->row_size += type.size;
    return NULL;
}

void columns_put_u32(char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

void columns_put_u64(char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

void columns_put_f32(char *at, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    columns_put_u32(at, bits);
}

void columns_put_time(char *row, uint64_t ns)
{
    columns_put_u32(row, (uint32_t)(ns / BILLION));
    columns_put_u32(row + 4, (uint32_t)(ns % BILLION));
}

uint64_t columns_get_time(const char *row)
{
    uint32_t seconds, nanos;

    memcpy(&seconds, row, sizeof(seconds));
    memcpy(&nanos, row + 4, sizeof(nanos));
    return (uint64_t)le32toh(seconds) * BILLION + le32toh(nanos);
}
