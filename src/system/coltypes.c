#include "system/coltypes.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/name.h"

struct row {
    char *text; /* what the slices lie in */
    struct slice exchange, type, column;
    struct coltype coltype;
};

struct coltypes {
    size_t count;
    struct row *rows;
};

static const char *const shipped[] = {
    "*/*/*:f32",
    "*/*/nanos:u32",
    "*/*/side:u32",
    "*/*/id:u64",
    "*/*/maker_order_id:bytes16",
    "*/*/taker_order_id:bytes16",
};

struct coltypes *coltypes_new(void)
{
    struct coltypes *table = calloc(1, sizeof(*table));
    char problem[128];

    if (table == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof(shipped) / sizeof(*shipped); i++) {
        if (coltypes_add(table, shipped[i], problem, sizeof(problem))) {
            coltypes_free(table);
            return NULL;
        }
    }
    return table;
}

static bool pattern_valid(struct slice pattern)
{
    return slice_is(pattern, "*") || name_valid(pattern);
}

/* Split the row's text into its parts. */
static int row_parse(struct row *row)
{
    struct slice rest = slice_of(row->text);
    const char *colon = strrchr(row->text, ':'); /* names may hold colons, types do not */

    if (colon == NULL || coltype_parse(slice_of(colon + 1), &row->coltype))
        return -1;
    rest.len = (size_t)(colon - row->text);
    row->exchange = slice_cut(rest, '/', &rest);
    row->type = slice_cut(rest, '/', &rest);
    row->column = rest;
    return row->column.at != NULL && pattern_valid(row->exchange) && pattern_valid(row->type) &&
                   pattern_valid(row->column)
               ? 0
               : -1;
}

int coltypes_add(struct coltypes *table, const char *text, char *problem, size_t size)
{
    struct row row = { .text = strdup(text) };
    struct row *grown = realloc(table->rows, (table->count + 1) * sizeof(*grown));

    if (grown != NULL)
        table->rows = grown;
    if (row.text == NULL || grown == NULL) {
        snprintf(problem, size, "out of memory");
        goto failed;
    }
    if (row_parse(&row)) {
        snprintf(
            problem, size,
            "'%s' is not EXCHANGE/TYPE/COLUMN:TYPE with a TYPE of u8 i8 u16 i16 u32 i32 u64 "
            "i64 f32 f64 bytesN",
            text);
        goto failed;
    }
    if (slice_is(row.column, "time") && row.coltype.kind != COLTYPE_U32) {
        snprintf(problem, size, "'%s': the column time is always u32", text);
        goto failed;
    }
    table->rows[table->count++] = row;
    return 0;

failed:
    free(row.text);
    return -1;
}

static bool fits(struct slice pattern, struct slice name)
{
    return slice_is(pattern, "*") || slice_equal(pattern, name);
}

struct coltype coltypes_find(const struct coltypes *table, struct slice exchange,
                             struct slice type, struct slice column)
{
    if (!slice_is(column, "time")) {
        for (size_t i = table->count; i-- > 0;) {
            const struct row *row = &table->rows[i];

            if (fits(row->exchange, exchange) && fits(row->type, type) &&
                fits(row->column, column))
                return row->coltype;
        }
    }
    return (struct coltype){ COLTYPE_U32, 4 };
}

void coltypes_free(struct coltypes *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->rows[i].text);
    free(table->rows);
    free(table);
}
