#include "system/stats.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/*
 * Each row has one writer, its owner, until the master has waited for that: then it is the
 * master's. Readers copy words that somebody may be writing; each is whole, and as counters
 * only grow, no more is needed, but for one thing: when the master moves what a dead worker
 * counted to the past, a reader must not see it twice or not at all. For that there is a
 * sequence, odd while the master moves. Its stores are ordered, odd before all of the move and
 * even after, and so are a reader's loads: a reader that saw the same even number before and
 * after has seen nothing of a move, or all of it. A master that is killed in the middle leaves
 * it odd for ever, so readers give up after a few tries, and take what they have.
 */

#define TRIES 3

struct table {
    uint64_t shape;    /* what counters.def had in it */
    uint64_t sequence; /* odd: the master is moving a row to the past */
    struct stats_row rows[];
};

static struct stats_row unseen;

STATS_OWNER struct stats_row *stats_mine = &unseen;

#define US UINT64_C(1000)
#define MS (1000 * US)

const uint64_t stats_bounds[STATS_BOUNDS] = {
    10 * US,  20 * US,   50 * US,   100 * US,  200 * US,   500 * US, 1 * MS,
    2 * MS,   5 * MS,    10 * MS,   20 * MS,   50 * MS,    100 * MS, 200 * MS,
    500 * MS, 1000 * MS, 2000 * MS, 5000 * MS, 10000 * MS,
};

const struct stats_about stats_counters[STATS_COUNTERS] = {
#define COUNTER(name, help) { #name, help, false },
#define GAUGE(name, help) { #name, help, true },
#define HISTOGRAM(name, unit, help)
#include "system/counters.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

const struct stats_about stats_histograms[STATS_HISTOGRAMS] = {
#define COUNTER(name, help)
#define GAUGE(name, help)
#define HISTOGRAM(name, unit, help) { #name, help, false },
#include "system/counters.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

const char *const stats_endpoints[STATS_ENDPOINTS] = {
#define ENDPOINT(name) #name,
#define CODE(status)
#include "system/labels.def"
#undef ENDPOINT
#undef CODE
};

const char *const stats_methods[STATS_METHODS] = {
    [REQUEST_GET] = "GET",
    [REQUEST_HEAD] = "HEAD",
    [REQUEST_OPTIONS] = "OPTIONS",
    [REQUEST_OTHER] = "other",
};

const char *const stats_codes[STATS_CODES] = {
    "other",
#define ENDPOINT(name)
#define CODE(status) #status,
#include "system/labels.def"
#undef ENDPOINT
#undef CODE
};

const unsigned char stats_code_of[STATS_STATUS_MAX + 1] = {
#define ENDPOINT(name)
#define CODE(status) [status] = STATS_CODE_##status,
#include "system/labels.def"
#undef ENDPOINT
#undef CODE
};

/* All that decides what a row looks like and means, as one number (FNV-1a). */
static uint64_t shape(void)
{
    static const char text[] =
#define COUNTER(name, help) "c" #name ","
#define GAUGE(name, help) "g" #name ","
#define HISTOGRAM(name, unit, help) "h" #name "," #unit ","
#include "system/counters.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
#define ENDPOINT(name) "e" #name ","
#define CODE(status) "s" #status ","
#include "system/labels.def"
#undef ENDPOINT
#undef CODE
        "";
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const char *at = text; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return hash ^ sizeof(struct stats_row);
}

static struct table *table_of(const struct segment *segment)
{
    return segment_at(segment, SEGMENT_STATS);
}

size_t stats_bytes(unsigned workers)
{
    return sizeof(struct table) + (workers + 2) * sizeof(struct stats_row);
}

uint64_t stats_least(const struct segment *segment, enum stats_counter gauge,
                     enum stats_counter among)
{
    const struct table *table = table_of(segment);
    unsigned count = stats_rows(segment);
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < count; i++) {
        const struct stats_row *row = &table->rows[i];

        if (shared_load(&row->kind) != STATS_WORKER || shared_load(&row->counters[among]) == 0)
            continue;
        uint64_t value = shared_load(&row->counters[gauge]);
        least = value < least ? value : least;
    }
    return least;
}

unsigned stats_rows(const struct segment *segment)
{
    size_t bytes = segment_bytes(segment, SEGMENT_STATS);

    if (bytes < sizeof(struct table))
        return 0;
    return (unsigned)((bytes - sizeof(struct table)) / sizeof(struct stats_row));
}

/* Become the owner of a row that is all zeros. Readers that see its kind see the rest. */
static void take(struct stats_row *row, enum stats_kind kind, unsigned slot)
{
    shared_store(&row->pid, (uint64_t)getpid());
    shared_store(&row->slot, slot);
    shared_store(&row->born, (uint64_t)clock_wall());
    shared_fence_release();
    shared_store(&row->kind, kind);
    stats_mine = row;
}

void stats_create(struct segment *segment)
{
    struct table *table = table_of(segment);
    unsigned count = stats_rows(segment);

    assert(count >= 2);
    shared_store(&table->rows[count - 1].kind, STATS_PAST);
    shared_store(&table->shape, shape());
    take(&table->rows[0], STATS_MASTER, 0);
}

void stats_attach(struct segment *segment, unsigned id, unsigned slot)
{
    assert(id > 0 && id < stats_rows(segment) - 1);
    take(&table_of(segment)->rows[id], STATS_WORKER, slot);
}

void stats_resume(struct segment *segment)
{
    stats_mine = &table_of(segment)->rows[0];
}

bool stats_counts_in(const struct segment *segment)
{
    const struct table *table = table_of(segment);

    return stats_mine >= table->rows && stats_mine < table->rows + stats_rows(segment);
}

uint64_t stats_turns(const struct segment *segment, unsigned id)
{
    const struct stats_row *row = &table_of(segment)->rows[id];
    uint64_t turns = 0;

    for (unsigned bucket = 0; bucket < STATS_BUCKETS; bucket++)
        turns += shared_load(&row->durations[STATS_turn_time].buckets[bucket]);
    return turns;
}

void stats_detach(void)
{
    stats_mine = &unseen;
}

static void move(uint64_t *from, uint64_t *to)
{
    shared_store(to, shared_load(to) + shared_load(from));
}

/* The answers of a row, one after another. */
#define CELLS (STATS_ENDPOINTS * STATS_METHODS * STATS_CODES)

static void move_row(struct stats_row *from, struct stats_row *to)
{
    uint64_t *from_cells = &from->answers[0][0][0], *to_cells = &to->answers[0][0][0];

    for (unsigned i = 0; i < CELLS; i++)
        move(&from_cells[i], &to_cells[i]);
    for (unsigned i = 0; i < STATS_COUNTERS; i++) {
        if (!stats_counters[i].is_gauge)
            move(&from->counters[i], &to->counters[i]);
    }
    for (unsigned i = 0; i < STATS_HISTOGRAMS; i++) {
        move(&from->durations[i].sum, &to->durations[i].sum);
        for (unsigned bucket = 0; bucket < STATS_BUCKETS; bucket++)
            move(&from->durations[i].buckets[bucket], &to->durations[i].buckets[bucket]);
    }
}

void stats_fold(struct segment *segment, unsigned id)
{
    struct table *table = table_of(segment);
    struct stats_row *row = &table->rows[id];
    uint64_t *words = (uint64_t *)row;
    uint64_t sequence = shared_load(&table->sequence);

    assert(id > 0 && id < stats_rows(segment) - 1);
    shared_store(&table->sequence, sequence + 1);
    shared_fence_release();
    move_row(row, &table->rows[stats_rows(segment) - 1]);
    for (size_t i = 0; i < sizeof(*row) / sizeof(*words); i++)
        shared_store(&words[i], 0);
    shared_fence_release();
    shared_store(&table->sequence, sequence + 2);
}

bool stats_fits(const struct segment *segment)
{
    return stats_rows(segment) >= 2 && shared_load(&table_of(segment)->shape) == shape();
}

static void copy_words(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = shared_load(&from[i]);
}

/* Whoever takes a row fills in the rest of it before its kind. */
static void copy_row(struct stats_row *to, const struct stats_row *from)
{
    const size_t words = sizeof(*to) / sizeof(uint64_t);

    to->kind = shared_load(&from->kind);
    shared_fence_load();
    copy_words((uint64_t *)to + 1, (const uint64_t *)from + 1, words - 1);
}

bool stats_read(const struct segment *segment, struct stats_row *rows)
{
    const struct table *table = table_of(segment);
    unsigned count = stats_rows(segment);

    for (int try = 0; try < TRIES; try++) {
        uint64_t before = shared_load(&table->sequence);

        shared_fence_load();
        for (unsigned i = 0; i < count; i++)
            copy_row(&rows[i], &table->rows[i]);
        shared_fence_load();
        if (before % 2 == 0 && shared_load(&table->sequence) == before)
            return true;
    }
    return false;
}

void stats_sum(const struct stats_row *rows, unsigned count, struct stats_row *total)
{
    uint64_t *cells = &total->answers[0][0][0];

    memset(total, 0, sizeof(*total));
    for (unsigned i = 0; i < count; i++) {
        for (unsigned cell = 0; cell < CELLS; cell++)
            cells[cell] += (&rows[i].answers[0][0][0])[cell];
        for (unsigned c = 0; c < STATS_COUNTERS; c++)
            total->counters[c] += rows[i].counters[c];
        for (unsigned h = 0; h < STATS_HISTOGRAMS; h++) {
            total->durations[h].sum += rows[i].durations[h].sum;
            for (unsigned bucket = 0; bucket < STATS_BUCKETS; bucket++)
                total->durations[h].buckets[bucket] += rows[i].durations[h].buckets[bucket];
        }
    }
}

uint64_t stats_count(const struct stats_durations *durations)
{
    uint64_t count = 0;

    for (unsigned bucket = 0; bucket < STATS_BUCKETS; bucket++)
        count += durations->buckets[bucket];
    return count;
}

int stats_quantile(const struct stats_durations *durations, double share)
{
    uint64_t count = stats_count(durations), passed = 0;

    if (count == 0)
        return -1;
    for (int bucket = 0; bucket < STATS_BOUNDS; bucket++) {
        passed += durations->buckets[bucket];
        if ((double)passed >= share * (double)count)
            return bucket;
    }
    return STATS_BOUNDS;
}
