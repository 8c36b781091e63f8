#include "store/snapshot.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/lru.h"
#include "store/root.h"
#include "system/stats.h"

/* How often it is tried again when the system had no file left for it, each time with one day
 * fewer kept. */
#define TRIES 8

/* How long the kernel is believed that no directory has changed, in milliseconds: there may be
 * changes that it is not told of. */
#define TRUST 300000

/* When it says that one has, and the next look is due, the last one must be as long ago as it
 * took, so many times. */
#define REST 10

static struct snapshot *hold(struct snapshot *snapshot)
{
    if (snapshot != NULL)
        snapshot->uses++;
    return snapshot;
}

void snapshot_release(struct snapshot *snapshot)
{
    while (snapshot != NULL && --snapshot->uses == 0) {
        struct snapshot *base = snapshot->base;

        stats_subtract(STATS_catalog_bytes, snapshot->bytes);
        snapshot->free(snapshot);
        snapshot = base;
    }
}

bool snapshot_cancelled(const struct snapshot_job *job)
{
    sched_yield();
    return __atomic_load_n(&job->cancelled, __ATOMIC_RELAXED);
}

void snapshot_fail(struct snapshot_job *job, int error, const char *path)
{
    job->error = error;
    if (path == NULL || error == ENOMEM || error == EMFILE || error == ENFILE)
        failure_set(&job->failure, 503, NULL, "out of files or memory");
    else
        failure_set(&job->failure, 500, NULL, "%s cannot be read: %s", path, strerror(error));
    if (!snapshot_cancelled(job))
        log_error("the list of what is on disk: %s", job->failure.reason);
}

/* --- What other workers have found out */

/* Whether what was seen at ${checked} is still to be believed; ${share} of "catalog_refresh"
 * must not have passed. */
static bool is_young(const struct store *store, uint64_t checked, unsigned share)
{
    return checked >= store->root_since &&
           store->now - checked < store->config->catalog_refresh / share;
}

/* What a note must be about to be of use: the same directory, seen with the same eyes. */
static uint64_t origin_of(const struct store *store)
{
    return hash_words(HASH_START, root_mark(store->root), store->config->max_symbols);
}

/* Whether nothing has happened to the directories since the note was put up. Whoever looks at
 * them claims the place before he drops what has. */
static bool is_quiet(const struct store *store, unsigned place, const struct board_note *note)
{
    const struct board *board = &store->facts.board;

    return note->watched && store->now - note->checked < TRUST &&
           board_untouched(board, place, note) &&
           watch_quiet(segment_inotify(board->segment)) && board_untouched(board, place, note);
}

/* Find the note on the board. Returns whether it says more than is known here. */
static bool find_note(const struct store *store, const struct snapshot_kind *kind,
                      const struct snapshot_slot *slot, const struct snapshot *base,
                      struct board_note *note)
{
    if (kind->save == NULL || !board_find(&store->facts.board, kind->place, store->now, note)) {
        *note = (struct board_note){ 0 };
        return false;
    }
    if (note->origin != origin_of(store) || note->base != (base == NULL ? 0 : base->generation))
        return false;
    if (base != NULL && base->generation == 0)
        return false;
    /* Another worker's clock may be a turn ahead. */
    if (note->checked > store->now || is_quiet(store, kind->place, note)) {
        note->checked = store->now;
        note->wall = (uint64_t)store->wall;
    }
    return slot->current == NULL || slot->current->base != base ||
           note->checked > slot->checked;
}

static void learn(struct snapshot_slot *slot, const struct board_note *note)
{
    slot->checked = note->checked;
    slot->wall = (int64_t)note->wall;
    slot->took = note->took;
    slot->watched = note->watched;
}

/* Learn whether another worker has found that what was made last is still right. */
static void ask_board(const struct store *store, const struct snapshot_kind *kind,
                      struct snapshot_slot *slot, const struct snapshot *base)
{
    struct board_note note;

    if (slot->current != NULL && slot->current->base == base &&
        find_note(store, kind, slot, base, &note) &&
        note.generation == slot->current->generation)
        learn(slot, &note);
}

/* What to do: take what is on the board, or look at the disk, if possible for all. Returns
 * false if another one looks, and that will do. */
static bool decide(struct store *store, struct snapshot_job *job, bool urgent)
{
    const struct snapshot_kind *kind = job->kind;

    job->useful = find_note(store, kind, job->slot, job->base, &job->posted);
    job->look = !job->useful || !is_young(store, job->posted.checked, urgent ? 1 : 2);
    if (!job->look || kind->save == NULL)
        return true;
    if (job->base == NULL || job->base->generation != 0)
        job->claim = board_claim(job->board, kind->place);
    if (job->claim != 0) /* what is there now nobody else changes */
        job->useful = find_note(store, kind, job->slot, job->base, &job->posted);
    if (job->claim != 0 && kind->watches &&
        store->config->catalog_watch == CONFIG_CATALOG_WATCH_AUTO)
        job->inotify = segment_inotify(job->board->segment);
    job->note = (struct board_note){
        .generation = job->claim,
        .origin = origin_of(store),
        .base = job->base == NULL ? 0 : job->base->generation,
        .checked = job->started,
        .wall = (uint64_t)store->wall,
        .claim = job->claim,
    };
    return job->claim != 0 || urgent;
}

/* --- Making one */

/* Go on from what is on the board, if that is something else than what was made last. */
static void take(struct snapshot_job *job)
{
    struct slice bytes;

    if (!job->useful || job->taken != NULL ||
        (job->current != NULL && job->current->generation == job->posted.generation) ||
        board_read(job->board, job->kind->place, &job->posted, &bytes))
        return;
    job->taken = job->kind->load(bytes, job->base);
    free((char *)bytes.at);
    if (job->taken == NULL)
        return;
    job->taken->generation = job->posted.generation;
    job->taken->base = (struct snapshot *)job->base;
    job->before = job->taken;
}

/* What was found, and is right. */
static const struct snapshot *found(const struct snapshot_job *job)
{
    return job->made != NULL ? job->made : job->before;
}

/* Whether that is what is on the board. */
static bool is_posted(const struct snapshot_job *job)
{
    return job->posted.generation != 0 && found(job) != NULL &&
           found(job)->generation == job->posted.generation;
}

/* Write what was found for other workers, unless it is there. If that fails, they look for
 * themselves. */
static void write_down(struct snapshot_job *job)
{
    struct board_note *note = &job->note;
    struct buf bytes = { 0 };

    note->took = job->took;
    if (is_posted(job) && job->posted.origin == note->origin &&
        job->posted.base == note->base) {
        note->generation = job->posted.generation;
        note->file = job->posted.file;
        note->bytes = job->posted.bytes;
        note->hash = job->posted.hash;
        return;
    }
    if (job->kind->save(found(job), &bytes) ||
        board_write(job->board, job->kind->place, &job->posted,
                    (struct slice){ bytes.bytes, bytes.len }, note))
        note->generation = 0;
    buf_free(&bytes);
}

static void look(struct snapshot_job *job)
{
    uint64_t began = clock_ns();

    if (!root_present(job->load.root)) {
        job->error = ENOENT;
        failure_set(&job->failure, 503, NULL, "the data directory is missing or empty");
        return;
    }
    watch_begin(&job->watch, job->inotify, job->config->data);
    job->kind->build(job);
    job->note.watched = watch_end(&job->watch);
    job->took = clock_ns() - began;
    if (job->claim != 0 && job->error == 0)
        write_down(job);
}

static void read_job(struct load *load)
{
    struct snapshot_job *job = (struct snapshot_job *)load;

    take(job);
    job->look |= !is_posted(job);
    if (job->look)
        look(job);
}

/* Replace what was made last. */
static void adopt(struct snapshot_job *job)
{
    struct snapshot_slot *slot = job->slot;

    if (job->made == NULL && job->taken != NULL) {
        job->made = job->taken;
        job->taken = NULL;
        stats_add(STATS_catalog_shared, 1);
    } else if (job->made != NULL) {
        stats_add(STATS_catalog_builds, 1);
    }
    if (job->made != NULL) {
        job->made->uses = 1;
        job->made->base = hold((struct snapshot *)job->base);
        stats_add(STATS_catalog_bytes, job->made->bytes);
        snapshot_release(slot->current);
        slot->current = job->made;
    }
    if (job->look) {
        slot->checked = job->started;
        slot->wall = job->wall / 1000000000;
        slot->took = job->took;
        slot->watched = job->note.watched;
        stats_add(STATS_catalog_looks, job->kind->save != NULL);
    } else {
        learn(slot, &job->posted);
    }
}

/* What was found is of a directory that is not DATA any more, as is what was made before. */
static void forget(struct snapshot_job *job)
{
    if (job->made != NULL)
        job->made->free(job->made);
    snapshot_release(job->slot->current);
    job->slot->current = job->made = NULL;
    job->note.generation = 0;
    job->error = 0;
}

/* Tell the others what was found: what is in the slot. */
static void tell(struct store *store, const struct snapshot_job *job)
{
    if (job->error == 0 && job->note.generation != 0) {
        if (job->note.watched != job->posted.watched)
            log_info("directories of exchanges and symbols are %s",
                     job->note.watched ? "watched" : "not watched any more");
        job->slot->current->generation = job->note.generation;
        board_put(&store->facts.board, job->kind->place, store->now, &job->note);
    }
    board_release(&store->facts.board, job->kind->place);
}

/* The system was out of files: once more, with one day fewer kept. */
static bool try_again(struct store *store, struct snapshot_job *job)
{
    if ((job->error != EMFILE && job->error != ENFILE) || snapshot_cancelled(job) ||
        ++job->tries == TRIES || !lru_evict(&store->days))
        return false;
    job->error = 0;
    load_start(store, &job->load);
    return true;
}

static void free_job(struct snapshot_job *job)
{
    if (job->taken != NULL)
        job->taken->free(job->taken);
    snapshot_release((struct snapshot *)job->base);
    snapshot_release(job->current);
    root_free(job->load.root);
    free(job);
}

static void settle(struct load *load)
{
    struct snapshot_job *job = (struct snapshot_job *)load;

    if (try_again(load->store, job))
        return;
    job->slot->job = NULL;
    if (load_is_stray(load))
        forget(job);
    else if (job->error == 0)
        adopt(job);
    if (job->claim != 0)
        tell(load->store, job);
    load_end(load, job->error == 0 ? LOAD_AGAIN : LOAD_FAILED, &job->failure, NULL, NULL);
    free_job(job);
}

static struct snapshot_job *prepare(struct store *store, const struct snapshot_kind *kind,
                                    struct snapshot_slot *slot, struct snapshot *base)
{
    struct snapshot_job *job = calloc(1, sizeof(*job));

    if (job == NULL || (job->load.root = root_share(store->root)) == NULL) {
        free(job);
        return NULL;
    }
    job->load.read = read_job;
    job->load.settle = settle;
    job->inotify = -1;
    job->config = store->config;
    job->wall = store->wall * 1000000000;
    job->started = store->now;
    job->kind = kind;
    job->slot = slot;
    job->base = hold(base);
    job->before = job->current = hold(slot->current);
    job->board = &store->facts.board;
    return job;
}

/* Have one made; ${waiter}, unless it is NULL, waits for it. */
static void make(struct store *store, const struct snapshot_kind *kind,
                 struct snapshot_slot *slot, struct snapshot *base, struct load_waiter *waiter)
{
    struct snapshot_job *job;

    if (slot->job != NULL) {
        if (waiter != NULL)
            load_await(waiter, &slot->job->load);
    } else if (!load_has_room(store)) {
        if (waiter != NULL)
            load_await_any(waiter, store);
    } else if ((job = prepare(store, kind, slot, base)) == NULL) {
        if (waiter != NULL)
            load_deny(waiter);
    } else if (!decide(store, job, waiter != NULL)) {
        free_job(job);
    } else {
        slot->job = job;
        if (waiter != NULL)
            load_await(waiter, &job->load);
        load_start(store, &job->load);
    }
}

/* --- Asking for one */

/* Whether what was made last will do. */
static bool is_fresh(const struct store *store, const struct snapshot_kind *kind,
                     const struct snapshot_slot *slot, const struct snapshot *base,
                     unsigned share)
{
    if (slot->current == NULL || slot->current->base != base)
        return false;
    return kind->timeless || is_young(store, slot->checked, share);
}

/* Whether another one is to be made while this one is in use. */
static bool is_due(struct store *store, const struct snapshot_kind *kind,
                   struct snapshot_slot *slot, const struct snapshot *base)
{
    bool watched = slot->watched && store_stale(store, slot->checked);

    if (is_fresh(store, kind, slot, base, 2) && !watched)
        return false;
    ask_board(store, kind, slot, base);
    if (!is_fresh(store, kind, slot, base, 2))
        return true;
    return watched && store_stale(store, slot->checked) &&
           (store->now - slot->checked) * 1000000 / REST >= slot->took;
}

enum snapshot_result snapshot_get(struct store *store, const struct snapshot_kind *kind,
                                  struct snapshot *base, struct load_waiter *waiter,
                                  struct snapshot **snapshot)
{
    struct snapshot_slot *slot = &store->snapshots[kind->place];

    do {
        bool just_made = waiter->settled && !waiter->any && slot->current != NULL;

        if (waiter->settled && waiter->result == LOAD_FAILED) {
            load_leave(waiter);
            return SNAPSHOT_FAILED;
        }
        load_leave(waiter);
        bool due = !just_made && is_due(store, kind, slot, base);
        if (just_made || is_fresh(store, kind, slot, base, 1)) {
            if (due)
                make(store, kind, slot, base, NULL);
            *snapshot = hold(slot->current);
            return SNAPSHOT_OK;
        }
        make(store, kind, slot, base, waiter);
    } while (waiter->settled);
    return SNAPSHOT_WAIT;
}

struct snapshot *snapshot_latest(struct store *store, const struct snapshot_kind *kind,
                                 struct snapshot *base, uint64_t age)
{
    struct snapshot_slot *slot = &store->snapshots[kind->place];

    if (is_due(store, kind, slot, base))
        make(store, kind, slot, base, NULL);
    if (slot->current == NULL || slot->checked < store->root_since ||
        store->now - slot->checked >= age)
        return NULL;
    return slot->current;
}

uint64_t snapshot_took(const struct store *store, const struct snapshot_kind *kind)
{
    return store->snapshots[kind->place].took;
}

int64_t snapshot_wall(const struct store *store, const struct snapshot_kind *kind)
{
    return store->snapshots[kind->place].wall;
}

void snapshot_cancel(struct store *store)
{
    for (unsigned i = 0; i < STORE_SNAPSHOTS; i++) {
        struct snapshot_job *job = store->snapshots[i].job;

        if (job != NULL)
            __atomic_store_n(&job->cancelled, true, __ATOMIC_RELAXED);
    }
}

void snapshot_clear(struct store *store)
{
    for (unsigned i = 0; i < STORE_SNAPSHOTS; i++) {
        snapshot_release(store->snapshots[i].current);
        store->snapshots[i].current = NULL;
    }
}
