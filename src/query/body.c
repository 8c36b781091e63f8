#include "query/body.h"

#include <stddef.h>
#include <string.h>

#include "base/guard.h"
#include "base/log.h"

#define SCRATCH_BYTES 32768

void body_of(struct body *body, struct slice lead)
{
    memset(body, 0,
           offsetof(struct body, uses)); /* which are many, and read only where written */
    body->lead = lead;
    body->length = lead.len;
}

void body_of_rows(struct body *body, struct slice lead, struct gather *gather,
                  const struct plan *plan, uint64_t data_bytes, struct arena *arena)
{
    body_of(body, lead);
    body->length += data_bytes;
    body->gather = gather;
    body->plan = plan;
    body->arena = arena;
}

/* The pieces of one call of body_next. */
struct batch {
    struct piece *pieces;
    int count;
    uint64_t quota;
};

/* Add bytes to the batch; those that follow the last ones in memory make its piece longer. */
static void add_piece(struct batch *batch, const char *at, size_t len)
{
    struct piece *last = batch->count > 0 ? &batch->pieces[batch->count - 1] : NULL;

    if (last != NULL && last->at + last->len == at)
        last->len += len;
    else
        batch->pieces[batch->count++] = (struct piece){ at, len };
    batch->quota -= len < batch->quota ? len : batch->quota;
}

/* Where the rows of the cursor's column and day are. */
struct source {
    const struct gather_day *facts;
    const struct plan_day *planned;
    struct day *day; /* held */
    const struct dayfile *file;
    const uint32_t *nanos;
    uint64_t size; /* bytes of a record */
    bool together; /* the rows to send lie side by side in the file */
};

static int open_source(struct body *body, struct source *source)
{
    struct gather *gather = body->gather;
    unsigned place = gather->columns[body->column];
    char path[DAYFILE_PATH];

    source->planned = &body->plan->days[body->day];
    source->facts = &gather->days[source->planned->day];
    enum gather_state state;

    while ((state = gather_open(gather, source->facts, body->column, &source->day)) ==
           GATHER_WAIT)
        helper_wait(gather->store->helper);
    if (state != GATHER_DONE) {
        log_error(
            "%s is not the file any more that an answer began with: the answer ends short",
            day_path(gather->series, source->facts->number, place, path));
        return -1;
    }
    source->file = day_file(source->day, place);
    source->nanos =
        gather->use_nanos
            ? (const void *)day_file(source->day, gather->columns[gather->column_count])->at
            : NULL;
    source->size = gather->series->columns[place].type.size;
    source->together =
        body->plan->step == 1 &&
        source->facts->span.count == source->facts->span.to - source->facts->span.from;
    return 0;
}

/* Hand out rows where they are mapped. Returns their bytes. */
static uint64_t hand_out(struct body *body, const struct source *source, struct batch *batch)
{
    uint64_t first = source->facts->span.from + source->planned->skip + body->taken;
    uint64_t rows = source->planned->take - body->taken;
    uint64_t fit = batch->quota / source->size + 1;

    rows = rows < fit ? rows : fit;
    add_piece(batch, source->file->at + first * source->size, rows * source->size);
    body->taken += rows;
    return (first + rows) * source->size;
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

/* Rows at a distance of the step, where all rows between are in the range. */
static void copy_steps(struct copying *c)
{
    uint64_t step = c->body->plan->step, size = c->source->size;
    uint64_t row =
        c->source->facts->span.from + c->source->planned->skip + c->body->taken * step;
    uint64_t rows = c->source->planned->take - c->body->taken;

    rows = rows < c->room ? rows : c->room;
    for (c->copied = 0; c->copied < rows; c->copied++, row += step)
        copy_record(c->to + c->copied * size, c->source->file->at + row * size, size);
}

/* Rows that have to be picked from among others. */
static void copy_scattered(struct copying *c)
{
    struct body *body = c->body;
    const struct source *source = c->source;
    const uint32_t *times = day_times(source->day);
    uint64_t row = body->taken == 0 ? source->facts->span.from : body->row;
    uint64_t passed = body->taken == 0 ? 0 : body->passed;
    uint64_t rows = source->planned->take - body->taken;

    rows = rows < c->room ? rows : c->room;
    for (; c->copied < rows && row < source->facts->span.to; row++) {
        if (!timeindex_matches(times, source->nanos, row, body->gather->range))
            continue;
        if (passed >= source->planned->skip &&
            (passed - source->planned->skip) % body->plan->step == 0) {
            copy_record(c->to + c->copied * source->size, source->file->at + row * source->size,
                        source->size);
            c->copied++;
        }
        passed++;
    }
    body->row = row;
    body->passed = passed;
}

static void copy_rows(void *arg)
{
    struct copying *c = arg;
    uint64_t rows_between = c->source->facts->span.to - c->source->facts->span.from;

    if (c->source->facts->span.count == rows_between)
        copy_steps(c);
    else
        copy_scattered(c);
}

/* Whether the columns that chose scattered rows were whole when they did. */
static bool choice_was_sound(const struct body *body, const struct source *source)
{
    const struct gather *gather = body->gather;
    uint64_t bytes = source->facts->span.to * sizeof(uint32_t);

    if (source->facts->span.count == source->facts->span.to - source->facts->span.from)
        return true;
    return dayfile_holds(day_file(source->day, SERIES_TIME), bytes) &&
           (!gather->use_nanos ||
            dayfile_holds(day_file(source->day, gather->columns[gather->column_count]), bytes));
}

/* Copy rows to the scratch memory and hand that out. Returns the bytes that the file must have;
 * 0 if it has not. */
static uint64_t copy_out(struct body *body, const struct source *source, struct batch *batch)
{
    struct copying c = { .body = body, .source = source };
    char path[DAYFILE_PATH];

    c.to = body->scratch + body->scratch_used;
    c.room = (SCRATCH_BYTES - body->scratch_used) / source->size;
    if (guard_run(copy_rows, &c) || c.copied == 0 || !choice_was_sound(body, source)) {
        log_error("%s was cut off while it was sent: the answer ends short",
                  day_path(body->gather->series, source->facts->number,
                           body->gather->columns[body->column], path));
        return 0;
    }
    add_piece(batch, c.to, c.copied * source->size);
    body->scratch_used += c.copied * source->size;
    body->taken += c.copied;
    return source->facts->span.to * source->size;
}

/* Bytes of the next row, as far as scratch memory is concerned: whether the batch has room for
 * it there. */
static bool scratch_is_full(const struct body *body, const struct source *source)
{
    return SCRATCH_BYTES - body->scratch_used < source->size;
}

/* Hand out some rows of the cursor's day. Returns 1 if there may be more room, 0 if the batch
 * is full, -1 on failure. */
static int next_rows(struct body *body, struct batch *batch)
{
    struct source source;
    uint64_t need;

    if (open_source(body, &source))
        return batch->count > 0 ? 0 : -1; /* perhaps it can be had once these pieces are gone */
    struct body_use *use = &body->uses[body->use_count++];
    *use = (struct body_use){
        .day = source.day,
        .file = source.file,
        .place = body->gather->columns[body->column],
    };

    if (source.together) {
        need = hand_out(body, &source, batch);
    } else {
        if (body->scratch == NULL &&
            (body->scratch = arena_take(body->arena, SCRATCH_BYTES)) == NULL)
            return -1;
        if (scratch_is_full(body, &source))
            return 0;
        need = copy_out(body, &source, batch);
        if (need == 0)
            return -1;
    }
    if (body->taken == source.planned->take) {
        use->size = need;
        body->taken = 0;
        body->day++;
    }
    return 1;
}

/* Whether no more files may be open than are: those of the pieces at hand can be closed when
 * they have left. */
static bool files_are_scarce(const struct body *body)
{
    const struct store *store = body->gather->store;

    return body->use_count > 0 && store->files_open >= store->config->max_mapped;
}

int body_next(struct body *body, struct piece *pieces, int most, uint64_t quota)
{
    struct batch batch = { .pieces = pieces, .quota = quota };

    if (body->lead.len > 0) {
        add_piece(&batch, body->lead.at, body->lead.len);
        body->lead.len = 0;
    }
    if (body->gather == NULL)
        return batch.count;
    body->scratch_used = 0;
    while (body->column < body->gather->column_count) {
        if (body->day == body->plan->day_count) {
            body->day = 0;
            body->column++;
            continue;
        }
        if (batch.count == most || batch.quota == 0 || body->use_count == BODY_BATCH ||
            (batch.count > 0 && files_are_scarce(body)))
            break;
        int more = next_rows(body, &batch);
        if (more < 0)
            return -1;
        if (more == 0)
            break;
    }
    return batch.count;
}

static void let_go(struct body *body)
{
    while (body->use_count > 0)
        day_release(body->gather->store, body->uses[--body->use_count].day);
}

bool body_whole(struct body *body)
{
    char path[DAYFILE_PATH];

    for (unsigned i = 0; i < body->use_count; i++) {
        const struct body_use *use = &body->uses[i];

        if (use->size == 0 || dayfile_holds(use->file, use->size))
            continue;
        log_error("%s was cut off while it was sent: the answer ends short",
                  day_path(use->day->series, use->day->number, use->place, path));
        day_drop(body->gather->store, use->day);
        return false;
    }
    return true;
}

void body_sent(struct body *body)
{
    let_go(body);
}

void body_end(struct body *body)
{
    let_go(body);
    body_of(body, (struct slice){ NULL, 0 });
}
