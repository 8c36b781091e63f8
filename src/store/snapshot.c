#include "store/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/lru.h"
#include "store/root.h"
#include "system/stats.h"

/* How often it is tried again when the system had no file left for it, each time with one day
 * fewer kept. */
#define TRIES 8

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

/* --- Making one */

static void read_job(struct load *load)
{
    struct snapshot_job *job = (struct snapshot_job *)load;
    uint64_t began = clock_ns();

    if (!root_present(job->root)) {
        job->error = ENOENT;
        failure_set(&job->failure, 503, NULL, "the data directory is missing or empty");
    } else {
        job->kind->build(job);
    }
    job->took = clock_ns() - began;
}

/* Replace what was made last. */
static void adopt(struct snapshot_job *job)
{
    struct snapshot_slot *slot = job->slot;

    if (job->made != NULL) {
        job->made->uses = 1;
        job->made->base = hold((struct snapshot *)job->base);
        stats_add(STATS_catalog_bytes, job->made->bytes);
        stats_add(STATS_catalog_builds, 1);
        snapshot_release(slot->current);
        slot->current = job->made;
    }
    slot->checked = job->started;
    slot->wall = job->wall / 1000000000;
    slot->took = job->took;
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
    snapshot_release((struct snapshot *)job->base);
    snapshot_release((struct snapshot *)job->before);
    root_free(job->root);
    free(job);
}

static void settle(struct load *load)
{
    struct snapshot_job *job = (struct snapshot_job *)load;

    if (try_again(load->store, job))
        return;
    job->slot->job = NULL;
    if (job->error == 0)
        adopt(job);
    load_end(load, job->error == 0 ? LOAD_AGAIN : LOAD_FAILED, &job->failure, NULL, NULL);
    free_job(job);
}

static struct snapshot_job *prepare(struct store *store, const struct snapshot_kind *kind,
                                    struct snapshot_slot *slot, struct snapshot *base)
{
    struct snapshot_job *job = calloc(1, sizeof(*job));

    if (job == NULL || (job->root = root_share(store->root)) == NULL) {
        free(job);
        return NULL;
    }
    job->load.read = read_job;
    job->load.settle = settle;
    job->config = store->config;
    job->wall = store->wall * 1000000000;
    job->started = store->now;
    job->kind = kind;
    job->slot = slot;
    job->base = hold(base);
    job->before = hold(slot->current);
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
    } else {
        slot->job = job;
        if (waiter != NULL)
            load_await(waiter, &job->load);
        load_start(store, &job->load);
    }
}

/* --- Asking for one */

/* Whether what was made last will do; ${share} of "catalog_refresh" must not have passed. */
static bool is_fresh(const struct store *store, const struct snapshot_kind *kind,
                     const struct snapshot_slot *slot, const struct snapshot *base,
                     unsigned share)
{
    if (slot->current == NULL || slot->current->base != base)
        return false;
    return kind->timeless ||
           (slot->checked >= store->root_since &&
            store->now - slot->checked < store->config->catalog_refresh / share);
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
        if (just_made || is_fresh(store, kind, slot, base, 1)) {
            if (!just_made && !is_fresh(store, kind, slot, base, 2))
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

    if (!is_fresh(store, kind, slot, base, 2))
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
