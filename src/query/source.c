#include "query/source.h"

#include <string.h>

#include "base/guard.h"
#include "base/log.h"

/* How many rows of ${size} bytes are wanted of a day of the plan. */
static uint64_t rows_left(const struct body *body, const struct plan_day *planned,
                          uint64_t size)
{
    uint64_t rows = planned->take - body->taken;

    /* The last one may be wanted in part. */
    return !body->cut || rows * size <= body->begun + body->left
               ? rows
               : (body->begun + body->left - 1) / size + 1;
}

enum body_state source_open(struct body *body, struct source *source)
{
    struct gather *gather = body->gather;
    char path[DAYFILE_PATH];

    source->place = gather->columns[body->column];
    source->planned = &body->plan->days[body->day];
    source->facts = &gather->days[source->planned->day];
    switch (gather_open(gather, source->facts, body->column, &source->day)) {
    case GATHER_DONE:
        break;
    case GATHER_WAIT:
        return BODY_WAIT;
    default:
        log_error(
            "%s is not the file any more that an answer began with: the answer ends short",
            day_path(gather->series, source->facts->number, source->place, path));
        return BODY_BROKEN;
    }
    source->file = day_file(source->day, source->place);
    source->nanos_file =
        gather->use_nanos ? day_file(source->day, gather->columns[gather->column_count]) : NULL;
    source->size = gather->series->columns[source->place].type.size;
    source->left = rows_left(body, source->planned, source->size);
    source->dense =
        source->facts->span.count == source->facts->span.to - source->facts->span.from;
    source->together = source->dense && body->plan->step == 1;
    return BODY_PIECES;
}

bool source_warm(struct body *body, const struct source *source, uint64_t rows,
                 struct warm_wait *wait)
{
    uint64_t size = source->size, step = body->plan->step;
    uint64_t row = source_next_row(body, source);
    struct warm_range range = {
        .day = source->day,
        .file = source->file,
        .from = row * size,
        .to = (row + (rows - 1) * step + 1) * size,
        .step = step * size,
        .end = (row + (source->left - 1) * step + 1) * size,
    };

    return warm_ready(body->gather->store, &range, wait);
}

/* The same for scattered rows: all that may have to be looked at of a file with records of
 * ${size} bytes. */
static bool is_warm_all(struct body *body, const struct source *source, struct dayfile *file,
                        uint64_t size)
{
    uint64_t first = body->placed ? body->row : source->facts->span.from;
    struct warm_range range = {
        .day = source->day,
        .file = file,
        .from = first * size,
        .to = source->facts->span.to * size,
        .step = 1,
        .end = source->facts->span.to * size,
    };

    return file == NULL || warm_ready(body->gather->store, &range, &body->wait);
}

struct copying {
    struct body *body;
    const struct source *source;
    char *to;
    uint64_t room; /* rows */
    uint64_t copied;
};

static inline void copy_record(char *to, const char *from, uint64_t size)
{
    switch (size) {
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, size);
    }
}

/* Records of ${size} bytes, ${distance} bytes from one to the next. */
static inline void gather_records(char *to, const char *from, uint64_t count, uint64_t distance,
                                  uint64_t size)
{
    for (; count > 0; count--, to += size, from += distance)
        memcpy(to, from, size);
}

/* Rows at a distance of the step, where all rows between are in the range. Each waits for
 * memory, many at once if the loop is short: so the usual sizes have loops of their own. */
static void copy_steps(struct copying *c)
{
    uint64_t size = c->source->size, distance = c->body->plan->step * size;
    uint64_t rows = c->source->left < c->room ? c->source->left : c->room;
    const char *from = c->source->file->at + source_next_row(c->body, c->source) * size;

    switch (size) {
    case 4:
        gather_records(c->to, from, rows, distance, 4);
        break;
    case 8:
        gather_records(c->to, from, rows, distance, 8);
        break;
    default:
        gather_records(c->to, from, rows, distance, size);
    }
    c->copied = rows;
}

/* Rows that have to be picked from among others. */
static void copy_scattered(struct copying *c)
{
    struct body *body = c->body;
    const struct source *source = c->source;
    const uint32_t *times = day_times(source->day);
    const uint32_t *nanos =
        source->nanos_file == NULL ? NULL : (const void *)source->nanos_file->at;
    uint64_t row = body->placed ? body->row : source->facts->span.from;
    uint64_t passed = body->placed ? body->passed : 0;
    uint64_t wanted = source->planned->skip + body->taken * body->plan->step;
    uint64_t rows = source->left;

    rows = rows < c->room ? rows : c->room;
    for (; c->copied < rows && row < source->facts->span.to; row++) {
        if (!timeindex_matches(times, nanos, row, body->gather->range))
            continue;
        if (passed == wanted) {
            copy_record(c->to + c->copied * source->size, source->file->at + row * source->size,
                        source->size);
            c->copied++;
            wanted += body->plan->step;
        }
        passed++;
    }
    body->row = row;
    body->passed = passed;
    body->placed = true;
}

static void copy_rows(void *arg)
{
    struct copying *c = arg;

    if (c->source->dense)
        copy_steps(c);
    else
        copy_scattered(c);
}

/* Whether what copy_rows will touch is in memory. */
static bool can_copy(struct body *body, const struct source *source, uint64_t room)
{
    uint64_t rows = source->left;

    if (source->dense)
        return source_warm(body, source, rows < room ? rows : room, &body->wait);
    return is_warm_all(body, source, source->day->files[SERIES_TIME], sizeof(uint32_t)) &&
           is_warm_all(body, source, source->nanos_file, sizeof(uint32_t)) &&
           is_warm_all(body, source, source->file, source->size);
}

/* Whether the columns that chose scattered rows were whole when they did. */
static bool choice_was_sound(const struct source *source)
{
    uint64_t bytes = source->facts->span.to * sizeof(uint32_t);

    return source->dense ||
           (dayfile_holds(day_file(source->day, SERIES_TIME), bytes) &&
            (source->nanos_file == NULL || dayfile_holds(source->nanos_file, bytes)));
}

enum body_state source_copy(struct body *body, const struct source *source, char *to,
                            uint64_t room, uint64_t *copied)
{
    struct copying c = { .body = body, .source = source, .to = to, .room = room };
    char path[DAYFILE_PATH];

    if (!can_copy(body, source, room))
        return BODY_WAIT;
    if (guard_run(copy_rows, &c) || c.copied == 0 || !choice_was_sound(source)) {
        log_error("%s was cut off while it was sent: the answer ends short",
                  day_path(body->gather->series, source->facts->number, source->place, path));
        day_drop(body->gather->store, source->day);
        return BODY_BROKEN;
    }
    *copied = c.copied;
    return BODY_PIECES;
}
