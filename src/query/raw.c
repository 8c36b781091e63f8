#include "query/raw.h"

#include <assert.h>

#include "base/date.h"
#include "base/num.h"
#include "base/text.h"

#define ALIGNMENT 64

/* Bytes that no name, number or day of the line exceeds. */
#define FIXED_BYTES 256
#define COLUMN_BYTES (64 + COLTYPE_NAME + 3 * NUM_TEXT + 96)
#define DAY_BYTES 13 /* "2025-01-31", */

static void put_name(struct text *text, struct slice key, struct slice name)
{
    text_put(text, key);
    text_put(text, name); /* a valid name needs no escapes */
    text_put(text, SLICE("\""));
}

static void put_number(struct text *text, struct slice key, uint64_t value)
{
    text_put(text, key);
    text_number(text, value);
}

static void put_skipped(struct text *text, const struct gather *gather)
{
    char iso[11];

    text_put(text, SLICE(",\"skipped_days\":["));
    for (unsigned i = 0; i < gather->skipped_count; i++) {
        if (i > 0)
            text_put(text, SLICE(","));
        text_put(text, SLICE("\""));
        text_put(text, slice_of(date_iso(gather->skipped[i], iso)));
        text_put(text, SLICE("\""));
    }
    text_put(text, SLICE("]"));
}

static void put_column(struct text *text, const struct series_column *column, uint64_t rows,
                       uint64_t offset)
{
    char type[COLTYPE_NAME];

    put_name(text, SLICE("{\"name\":\""), (struct slice){ column->name, column->len });
    put_name(text, SLICE(",\"type\":\""), slice_of(coltype_name(column->type, type)));
    put_number(text, SLICE(",\"record_size\":"), column->type.size);
    put_number(text, SLICE(",\"num_records\":"), rows);
    put_number(text, SLICE(",\"data_length\":"), rows * column->type.size);
    put_number(text, SLICE(",\"offset\":"), offset);
    text_put(text, SLICE("}"));
}

int raw_line(const struct gather *gather, const struct plan *plan, struct arena *arena,
             struct slice *line, uint64_t *data_bytes)
{
    size_t room = FIXED_BYTES + 3 * 64 + gather->column_count * COLUMN_BYTES +
                  gather->skipped_count * DAY_BYTES + ALIGNMENT;
    char *memory = arena_take(arena, room);
    struct text text = text_on(memory, room);
    uint64_t offset = 0;

    if (memory == NULL)
        return -1;
    put_name(&text, SLICE("{\"version\":1,\"exchange\":\""), gather->series->exchange);
    put_name(&text, SLICE(",\"symbol\":\""), gather->series->symbol);
    put_name(&text, SLICE(",\"type\":\""), gather->series->type);
    put_number(&text, SLICE(",\"rows_in_range\":"), plan->rows_in_range);
    put_skipped(&text, gather);
    text_put(&text, SLICE(",\"columns\":["));
    for (unsigned i = 0; i < gather->column_count; i++) {
        const struct series_column *column = &gather->series->columns[gather->columns[i]];

        if (i > 0)
            text_put(&text, SLICE(","));
        put_column(&text, column, plan->rows, offset);
        offset += plan->rows * column->type.size;
    }
    text_put(&text, SLICE("]}"));
    assert(!text.cut);
    while ((text.len + 1) % ALIGNMENT != 0)
        text_put(&text, SLICE(" "));
    text_put(&text, SLICE("\n"));

    *line = (struct slice){ text.at, text.len };
    *data_bytes = offset;
    return 0;
}
