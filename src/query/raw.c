#include "query/raw.h"

#include <assert.h>

#include "base/date.h"
#include "base/put.h"

#define ALIGNMENT 64

/* Bytes that no name, number or day of the line exceeds. */
#define FIXED_BYTES 256
#define COLUMN_BYTES (64 + COLTYPE_NAME + 3 * NUM_TEXT + 96)
#define DAY_BYTES 13 /* "2025-01-31", */

static char *put_skipped(char *at, const struct gather *gather)
{
    char iso[11];

    for (unsigned i = 0; i < gather->skipped_count; i++) {
        if (i > 0)
            *at++ = ',';
        at = put_bytes(at, SLICE("\""));
        at = put_bytes(at, slice_of(date_iso(gather->skipped[i], iso)));
        at = put_bytes(at, SLICE("\""));
    }
    return at;
}

static char *put_column(char *at, const struct series_column *column, uint64_t rows,
                        uint64_t offset)
{
    at = put_bytes(at, SLICE("{\"name\":\""));
    at = put_bytes(at, (struct slice){ column->name, column->len });
    at = put_bytes(at, SLICE("\",\"type\":\""));
    at += strlen(coltype_name(column->type, at));
    at = put_bytes(at, SLICE("\",\"record_size\":"));
    at = put_number(at, column->type.size);
    at = put_bytes(at, SLICE(",\"num_records\":"));
    at = put_number(at, rows);
    at = put_bytes(at, SLICE(",\"data_length\":"));
    at = put_number(at, rows * column->type.size);
    at = put_bytes(at, SLICE(",\"offset\":"));
    at = put_number(at, offset);
    return put_bytes(at, SLICE("}"));
}

/* Valid names need no escapes. */
int raw_line(const struct gather *gather, const struct plan *plan, struct arena *arena,
             struct slice *line, uint64_t *data_bytes)
{
    size_t room = FIXED_BYTES + 3 * 64 + gather->column_count * COLUMN_BYTES +
                  gather->skipped_count * DAY_BYTES + ALIGNMENT;
    char *memory = arena_take(arena, room), *at = memory;
    uint64_t offset = 0;

    if (memory == NULL)
        return -1;
    at = put_bytes(at, SLICE("{\"version\":1,\"exchange\":\""));
    at = put_bytes(at, gather->series->exchange);
    at = put_bytes(at, SLICE("\",\"symbol\":\""));
    at = put_bytes(at, gather->series->symbol);
    at = put_bytes(at, SLICE("\",\"type\":\""));
    at = put_bytes(at, gather->series->type);
    at = put_bytes(at, SLICE("\",\"rows_in_range\":"));
    at = put_number(at, plan->rows_in_range);
    at = put_bytes(at, SLICE(",\"skipped_days\":["));
    at = put_skipped(at, gather);
    at = put_bytes(at, SLICE("],\"columns\":["));
    for (unsigned i = 0; i < gather->column_count; i++) {
        const struct series_column *column = &gather->series->columns[gather->columns[i]];

        if (i > 0)
            *at++ = ',';
        at = put_column(at, column, plan->rows, offset);
        offset += plan->rows * column->type.size;
    }
    at = put_bytes(at, SLICE("]}"));
    size_t padding = -(size_t)(at + 1 - memory) % ALIGNMENT;
    memset(at, ' ', padding);
    at = put_bytes(at + padding, SLICE("\n"));
    assert((size_t)(at - memory) <= room);

    *line = (struct slice){ memory, (size_t)(at - memory) };
    *data_bytes = offset;
    return 0;
}
