#include "query/body.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "query/source.h"

#define SCRATCH_BYTES 32768
#define OTHERS_MAX 16 /* pieces read beside the one that is waited for */

void body_of(struct body *body, struct slice lead)
{
    memset(body, 0,
           offsetof(struct body, uses)); /* which are many, and read only where written */
    body->lead = lead;
    body->lead_fd = -1;
    body->length = lead.len;
}

void body_of_file(struct body *body, struct slice lead, int fd, off_t offset)
{
    body_of(body, lead);
    body->lead_fd = fd;
    body->lead_offset = offset;
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

static uint64_t column_size(const struct body *body, unsigned column)
{
    return body->gather->series->columns[body->gather->columns[column]].type.size;
}

/* Move the cursor, which stands at the first row, ${offset} bytes on. */
static void move_on(struct body *body, uint64_t offset)
{
    const struct plan *plan = body->plan;

    for (; offset >= plan->rows * column_size(body, body->column); body->column++)
        offset -= plan->rows * column_size(body, body->column);
    body->taken = offset / column_size(body, body->column);
    body->begun = offset % column_size(body, body->column);
    for (; body->taken >= plan->days[body->day].take; body->day++)
        body->taken -= plan->days[body->day].take;
}

void body_cut(struct body *body, uint64_t from, uint64_t to)
{
    uint64_t lead = body->lead.len < from ? body->lead.len : from;

    assert(from < to && to <= body->length);
    body->lead.at += lead;
    body->lead.len -= lead;
    body->lead_offset += (off_t)lead;
    if (to - from < body->lead.len)
        body->lead.len = to - from;
    body->length = body->left = to - from;
    body->cut = true;
    if (from > lead)
        move_on(body, from - lead);
}

void body_by_file(struct body *body)
{
    body->by_file = true;
}

void body_wakes(struct body *body, struct waker waker)
{
    body->wait.waker = waker;
}

/* The pieces of one call of body_next. */
struct batch {
    struct body *body;
    struct piece *pieces;
    int count;
    uint64_t quota;
};

/* Take off a piece what is cut off the body: the beginning of the first row that is wanted, and
 * the end of the last one. */
static void trim(struct body *body, struct piece *piece)
{
    if (body->begun > 0) {
        piece->at += body->begun;
        piece->offset += (off_t)body->begun;
        piece->len -= body->begun;
        body->begun = 0;
    }
    if (piece->len > body->left)
        piece->len = body->left;
    body->left -= piece->len;
}

/* Add bytes to the batch; those that follow the last ones of the same file make its piece
 * longer. */
static void add_piece(struct batch *batch, struct piece piece)
{
    struct piece *last = batch->count > 0 ? &batch->pieces[batch->count - 1] : NULL;

    if (batch->body->cut)
        trim(batch->body, &piece);
    if (last != NULL && last->at + last->len == piece.at && last->fd == piece.fd)
        last->len += piece.len;
    else
        batch->pieces[batch->count++] = piece;
    batch->quota -= piece.len < batch->quota ? piece.len : batch->quota;
}

static void add_memory(struct batch *batch, const char *at, size_t len)
{
    add_piece(batch, (struct piece){ .at = at, .len = len, .fd = -1 });
}

/* Hand out rows where they are mapped. Returns their bytes; 0 if they are not in memory. */
static uint64_t hand_out(struct body *body, const struct source *source, struct batch *batch)
{
    uint64_t first = source_next_row(body, source), rows = source->left;
    uint64_t fit = batch->quota / source->size + 1;
    bool large = body->by_file && source->planned->take * source->size >= BODY_LARGE &&
                 body->length >= BODY_LARGE;

    rows = rows < fit ? rows : fit;
    if (!source_warm(body, source, rows, &body->wait))
        return 0;
    add_piece(batch, (struct piece){ .at = source->file->at + first * source->size,
                                     .len = rows * source->size,
                                     .fd = large ? source->file->fd : -1,
                                     .offset = (off_t)(first * source->size) });
    if (large)
        batch->quota = 0;
    body->taken += rows;
    return (first + rows) * source->size;
}

/* Copy rows to the scratch memory and hand that out; ${need} becomes the bytes that the file
 * must have. */
static enum body_state copy_out(struct body *body, const struct source *source,
                                struct batch *batch, uint64_t *need)
{
    char *to = body->scratch + body->scratch_used;
    uint64_t room = (SCRATCH_BYTES - body->scratch_used) / source->size, copied;
    enum body_state state = source_copy(body, source, to, room, &copied);

    if (state != BODY_PIECES)
        return state;
    add_memory(batch, to, copied * source->size);
    body->scratch_used += copied * source->size;
    body->taken += copied;
    *need = source->facts->span.to * source->size;
    return BODY_PIECES;
}

/* Bytes of the next row, as far as scratch memory is concerned: whether the batch has room for
 * it there. */
static bool scratch_is_full(const struct body *body, const struct source *source)
{
    return SCRATCH_BYTES - body->scratch_used < source->size;
}

/* Rows of an open source. BODY_END: there is no room for them in the batch. */
static enum body_state take_rows(struct body *body, const struct source *source,
                                 struct batch *batch, uint64_t *need)
{
    if (source->together) {
        *need = hand_out(body, source, batch);
        return *need > 0 ? BODY_PIECES : BODY_WAIT;
    }
    if (body->scratch == NULL &&
        (body->scratch = arena_take(body->arena, SCRATCH_BYTES)) == NULL)
        return BODY_BROKEN;
    return scratch_is_full(body, source) ? BODY_END : copy_out(body, source, batch, need);
}

/* Hand out some rows of the cursor's day. BODY_PIECES: there may be room for more. */
static enum body_state next_rows(struct body *body, struct batch *batch)
{
    struct source source;
    uint64_t need = 0;

    enum body_state state = source_open(body, &source);
    if (state == BODY_BROKEN && batch->count > 0)
        return BODY_END; /* perhaps it can be had once the pieces at hand are gone */
    if (state != BODY_PIECES)
        return state;
    state = take_rows(body, &source, batch, &need);
    if (state != BODY_PIECES) {
        day_release(body->gather->store, source.day);
        return state;
    }
    struct body_use *use = &body->uses[body->use_count++];
    *use = (struct body_use){ .day = source.day, .file = source.file, .place = source.place };
    bool last = body->taken == source.planned->take;
    if (last || (body->cut && body->left == 0))
        use->size = need;
    if (last) {
        body->taken = 0;
        body->placed = false;
        body->day++;
    }
    return BODY_PIECES;
}

/* Move the cursor to where there are rows. Returns whether there are. */
static bool find_rows(struct body *body)
{
    if (body->cut && body->left == 0)
        return false;
    while (body->gather != NULL && body->column < body->gather->column_count) {
        if (body->day < body->plan->day_count)
            return true;
        body->day = 0;
        body->column++;
    }
    return false;
}

/* While the rows at the cursor are read, have those of the columns and days behind it read,
 * too: they are not waited for one after another. Scattered ones wait for their turn. */
static void read_others(struct body *body, uint64_t bytes)
{
    unsigned column = body->column, day = body->day;
    uint64_t taken = body->taken;
    struct source source;

    body->taken = 0;
    for (int files = 0; files < OTHERS_MAX; files++) {
        body->day++;
        if (!find_rows(body) ||
            body->gather->days[body->plan->days[body->day].day].day == NULL ||
            source_open(body, &source))
            break;
        uint64_t rows = bytes / source.size + 1;
        rows = rows < source.planned->take ? rows : source.planned->take;
        if (source.dense)
            source_warm(body, &source, rows, NULL);
        day_release(body->gather->store, source.day);
    }
    body->column = column;
    body->day = day;
    body->taken = taken;
}

/* Whether no more files may be open than are: those of the pieces at hand can be closed when
 * they have left. */
static bool files_are_scarce(const struct body *body)
{
    const struct store *store = body->gather->store;

    return body->use_count > 0 && store_full(store);
}

static enum body_state next_batch(struct body *body, struct batch *batch, int most)
{
    enum body_state state = BODY_PIECES;

    while (state == BODY_PIECES && find_rows(body)) {
        if (batch->count == most || batch->quota == 0 || body->use_count == BODY_BATCH ||
            (batch->count > 0 && files_are_scarce(body)))
            break;
        state = next_rows(body, batch);
    }
    return state;
}

enum body_state body_next(struct body *body, struct piece *pieces, int most, uint64_t quota,
                          int *count)
{
    struct batch batch = { .body = body, .pieces = pieces, .quota = quota };

    if (body->lead.len > 0)
        add_piece(&batch, (struct piece){ body->lead.at, body->lead.len, body->lead_fd,
                                          body->lead_offset });
    body->scratch_used = 0;
    enum body_state state = next_batch(body, &batch, most);
    *count = batch.count;
    if (state == BODY_BROKEN)
        return BODY_BROKEN;
    /* The lead does not leave before there is something to follow it. */
    if (state == BODY_WAIT) {
        read_others(body, quota);
        if (body->use_count == 0) {
            body->left += body->lead.len; /* which counts only if it is cut */
            return BODY_WAIT;
        }
        warm_forget(&body->wait);
        gather_forget(body->gather);
    }
    body->lead.len = 0;
    return batch.count > 0 ? BODY_PIECES : BODY_END;
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

void body_lost(struct body *body)
{
    for (unsigned i = 0; i < body->use_count; i++)
        day_drop(body->gather->store, body->uses[i].day);
}

void body_sent(struct body *body)
{
    let_go(body);
}

void body_end(struct body *body)
{
    let_go(body);
    warm_forget(&body->wait);
    body_of(body, (struct slice){ NULL, 0 });
}
