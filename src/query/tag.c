#include "query/tag.h"

#include <string.h>

#include "base/guard.h"
#include "base/hash.h"

void tag_begin(struct tag *tag, struct gather *gather, const struct plan *plan,
               struct slice line, struct waker waker)
{
    *tag = (struct tag){
        .hash = hash_words(hash_bytes(HASH_START, line.at, line.len), plan->step, 0),
        .modified = INT64_MIN,
        .gather = gather,
        .plan = plan,
        .wait = { .waker = waker },
    };
}

static inline void take_time(struct tag *tag, const struct filestate *state)
{
    if (state->mtime > tag->modified)
        tag->modified = state->mtime;
}

static inline void take_state(struct tag *tag, const struct filestate *state)
{
    take_time(tag, state);
    tag->hash = hash_words(tag->hash, state->size, (uint64_t)state->mtime);
}

/* The state of a file of the day, by its place in gather's columns; behind those, of time. */
static inline const struct filestate *state_of(const struct gather *gather,
                                               const struct gather_day *day, unsigned i)
{
    if (day->day == NULL)
        return &day->files[i];
    return &day->day->files[i < gather->needed_count ? gather->columns[i] : SERIES_TIME]->state;
}

/* When the files of the day were changed, and nothing else. */
static void take_times(struct tag *tag, const struct gather_day *day)
{
    for (unsigned i = 0; i <= tag->gather->needed_count; i++)
        take_time(tag, state_of(tag->gather, day, i));
}

static void take_states(struct tag *tag, const struct gather_day *day)
{
    for (unsigned i = 0; i <= tag->gather->needed_count; i++)
        take_state(tag, state_of(tag->gather, day, i));
}

/* Which rows are sent. */
static void take_span(struct tag *tag, const struct gather_day *day,
                      const struct plan_day *planned)
{
    uint64_t what = (uint64_t)day->number << 1 | day->live;

    tag->hash = hash_words(tag->hash, what, day->span.count);
    tag->hash = hash_words(tag->hash, day->span.from, day->span.to);
    tag->hash = hash_words(tag->hash, planned->skip, planned->take);
}

/* Some rows of a file of a live day. */
struct tail {
    struct day *day; /* held */
    struct dayfile *file;
    uint64_t size; /* bytes of a record */
    uint64_t first, rows, step;
    uint64_t hash;
};

static void read_tail(void *arg)
{
    struct tail *tail = arg;
    const char *at = tail->file->at + tail->first * tail->size;

    if (tail->step == 1) {
        tail->hash = hash_bytes(tail->hash, at, tail->rows * tail->size);
        return;
    }
    for (uint64_t i = 0; i < tail->rows; i++, at += tail->step * tail->size)
        tail->hash = hash_bytes(tail->hash, at, tail->size);
}

static enum tag_state take_tail(struct tag *tag, struct tail *tail)
{
    uint64_t end = (tail->first + (tail->rows - 1) * tail->step + 1) * tail->size;
    struct warm_range range = {
        .day = tail->day,
        .file = tail->file,
        .from = tail->first * tail->size,
        .to = end,
        .step = tail->step * tail->size,
        .end = end,
    };

    if (!warm_ready(tag->gather->store, &range, &tag->wait))
        return TAG_WAIT;
    tail->hash = tag->hash;
    if (guard_run(read_tail, tail))
        return TAG_FAILED;
    tag->hash = tail->hash;
    return TAG_DONE;
}

/* The last rows before ${to}, ${step} apart, of the ${rows} that are sent. */
static enum tag_state take_rows(struct tag *tag, struct day *day, unsigned place, uint64_t to,
                                uint64_t rows, uint64_t step)
{
    struct tail tail = { .day = day, .file = day_file(day, place), .step = step };

    tail.size = tag->gather->series->columns[place].type.size;
    tail.rows = TAG_TAIL / tail.size;
    if (tail.rows > rows)
        tail.rows = rows;
    if (tail.rows == 0)
        tail.rows = 1;
    tail.first = to - 1 - (tail.rows - 1) * step;
    return take_tail(tag, &tail);
}

/* One column of a day whose rows are picked; and, beside the first one, those that choose. */
static enum tag_state take_picked(struct tag *tag, const struct gather_day *facts,
                                  struct day *day)
{
    const struct gather *gather = tag->gather;
    uint64_t to = facts->span.to, rows = to - facts->span.from;
    enum tag_state state = take_rows(tag, day, gather->columns[tag->column], to, rows, 1);

    if (state == TAG_DONE && tag->column == 0)
        state = take_rows(tag, day, SERIES_TIME, to, rows, 1);
    if (state == TAG_DONE && tag->column == 0 && gather->use_nanos)
        state = take_rows(tag, day, gather->columns[gather->column_count], to, rows, 1);
    return state;
}

static enum tag_state take_column(struct tag *tag, const struct gather_day *facts,
                                  const struct plan_day *planned)
{
    struct gather *gather = tag->gather;
    uint64_t step = tag->plan->step, before = tag->hash;
    uint64_t last = facts->span.from + planned->skip + (planned->take - 1) * step;
    enum tag_state state;
    struct day *day;

    switch (gather_open(gather, facts, tag->column, &day)) {
    case GATHER_DONE:
        break;
    case GATHER_WAIT:
        return TAG_WAIT;
    default:
        return TAG_FAILED;
    }
    if (facts->span.count != facts->span.to - facts->span.from)
        state = take_picked(tag, facts, day);
    else
        state =
            take_rows(tag, day, gather->columns[tag->column], last + 1, planned->take, step);
    if (state != TAG_DONE)
        tag->hash = before; /* the column is taken once more */
    day_release(gather->store, day);
    return state;
}

static enum tag_state take_columns(struct tag *tag, const struct gather_day *day,
                                   const struct plan_day *planned)
{
    for (; tag->column < tag->gather->column_count; tag->column++) {
        enum tag_state state = take_column(tag, day, planned);

        if (state != TAG_DONE)
            return state;
    }
    tag->column = 0;
    return TAG_DONE;
}

/* A day with rows that are sent. */
static enum tag_state take_sent(struct tag *tag, const struct gather_day *day,
                                const struct plan_day *planned)
{
    enum tag_state state = TAG_DONE;

    if (!day->live) {
        take_states(tag, day);
    } else {
        take_times(tag, day);
        state = take_columns(tag, day, planned);
    }
    if (state != TAG_DONE)
        return state;
    take_span(tag, day, planned);
    if (tag->planned++ == 0)
        tag->first = day->number;
    tag->last = day->number;
    return TAG_DONE;
}

static enum tag_state take_day(struct tag *tag, const struct gather_day *day)
{
    const struct plan *plan = tag->plan;

    if (tag->planned < plan->day_count && plan->days[tag->planned].day == tag->day)
        return take_sent(tag, day, &plan->days[tag->planned]);
    take_times(tag, day);
    return TAG_DONE;
}

/*
 * API.md: the range ends a full day before the first live day (so that the day behind it, which
 * may have late rows, is not live either), there is a row, and no day between the first and the
 * last one sent is absent.
 */
static bool is_closed(const struct tag *tag)
{
    const struct gather *gather = tag->gather;

    return tag->planned > 0 && !gather->live &&
           gather->last + 1 < day_first_live(gather->store) &&
           (tag->first == tag->last ||
            days_count(&gather->series->days, tag->first, tag->last) ==
                (unsigned)(tag->last - tag->first + 1));
}

/* In seconds, and not before 1970, which could not be written, or after now (RFC 9110 section
 * 8.8.2.1). */
static int64_t as_seconds(int64_t modified, int64_t now)
{
    int64_t seconds = modified / 1000000000;

    if (modified == INT64_MIN)
        return -1;
    return modified < 0 ? 0 : seconds < now ? seconds : now;
}

enum tag_state tag_step(struct tag *tag)
{
    for (; tag->day < tag->gather->day_count; tag->day++) {
        enum tag_state state = take_day(tag, &tag->gather->days[tag->day]);

        if (state != TAG_DONE)
            return state;
    }
    tag->closed = is_closed(tag);
    tag->modified = as_seconds(tag->modified, tag->gather->store->wall);
    return TAG_DONE;
}

typedef uint8_t sixteen __attribute__((vector_size(16)));

void tag_write(const struct tag *tag, char text[TAG_BYTES])
{
    uint64_t hash = __builtin_bswap64(tag->hash); /* the first digits in the lowest byte */
    uint64_t first[2] = { hash >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f) };
    uint64_t second[2] = { hash & UINT64_C(0x0f0f0f0f0f0f0f0f) };
    sixteen even, odd, digits;

    memcpy(&even, first, sizeof(even));
    memcpy(&odd, second, sizeof(odd));
    digits = __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
                                     7, 23);
    digits += '0' + ((sixteen)(digits > 9) & ('a' - '0' - 10));
    text[0] = text[TAG_BYTES - 1] = '"';
    memcpy(text + 1, &digits, sizeof(digits));
}

void tag_end(struct tag *tag)
{
    warm_forget(&tag->wait);
}
