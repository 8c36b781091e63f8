#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/facts.h"
#include "store/lru.h"
#include "store/root.h"
#include "store/trouble.h"
#include "system/config.h"
#include "system/helper.h"

/*
 * What a worker knows of the data root: the series it has met, and the files of days it has
 * open. The modules series and day work on it; one thread only.
 */

/* What is made of DATA as a whole: see store/snapshot.h. */
enum {
    STORE_CATALOG,
    STORE_HISTORY,
    STORE_INSTRUMENTS,
    STORE_SYMBOLS,
    STORE_DETAILS,
    STORE_SNAPSHOTS,
};

struct snapshot_slot {
    struct snapshot *current; /* what was made last; NULL: nothing yet */
    struct snapshot_job *job; /* what is being made; NULL: nothing */
    uint64_t checked;         /* store time when the last look at the disk began */
    int64_t wall;             /* likewise, seconds since the epoch */
    uint64_t took;            /* nanoseconds */
    bool watched;             /* the kernel tells when it is not right any more */
};

struct store {
    const struct config *config;
    struct root *root;
    struct lru series;
    struct lru days;
    struct facts facts;    /* what all workers know */
    struct helper *helper; /* for what can block; NULL: it is done at once */
    struct load *loads;    /* under way */
    unsigned load_count;
    uint64_t files_open;
    uint64_t bytes_mapped;
    uint64_t turn;       /* how often store_begin was called */
    uint64_t now;        /* clock_ms, as of store_begin */
    int64_t wall;        /* clock_wall, likewise */
    uint64_t checked;    /* when the root was last looked at */
    uint64_t root_since; /* what was seen at paths before is of another root */
    unsigned roots;      /* how many there were before this one */
    bool outage;         /* it was missing or empty when it was last looked at */
    bool outage_told;    /* ... and that was logged */
    uint64_t outage_due; /* when another one may be logged */
    unsigned warming;    /* warm.h's: reads under way, and who waits for room for one */
    struct warm_wait *crowd;
    struct snapshot_slot snapshots[STORE_SNAPSHOTS];
    struct troubles troubles; /* with what is in it */
};

/**
 * store_new(config, facts, helper):
 * A store on the data root of ${config}, with a view of the shared ${facts} (NULL: none), and
 * ${helper} (NULL: none). ${config} and ${helper} must outlive it. NULL without memory. To be
 * given to store_free.
 */
struct store *store_new(const struct config *config, const struct facts *facts,
                        struct helper *helper);

/**
 * store_begin(store, now, wall):
 * Begin a piece of work at the time ${now} (clock_ms) and ${wall} (clock_wall): what was last
 * looked at more than "revalidate" ago is looked at again when it is asked for.
 */
void store_begin(struct store *store, uint64_t now, int64_t wall);

/**
 * store_look(store):
 * Look at the data root, due or not: if it is another one, forget what was known of the old
 * one.
 */
void store_look(struct store *store);

/**
 * store_tick(store, now):
 * The time is ${now} (clock_ms): for who goes on with work that was begun before.
 */
static inline void store_tick(struct store *store, uint64_t now)
{
    store->now = now;
}

/**
 * store_outage(store, gone):
 * The data root is missing or empty (${gone}), or has something in it. Where that has changed
 * it is logged: once, however many requests meet with it, and at most once a minute.
 */
void store_outage(struct store *store, bool gone);

/**
 * store_stale(store, checked):
 * Whether what was looked at when the clock was ${checked} must be looked at again.
 */
static inline bool store_stale(const struct store *store, uint64_t checked)
{
    return store->now - checked >= store->config->revalidate;
}

/**
 * store_full(store):
 * Whether as many files are open and mapped as may be: those that are not in use are to go.
 */
static inline bool store_full(const struct store *store)
{
    return store->files_open >= store->config->max_mapped ||
           store->bytes_mapped >= store->config->max_mapped_bytes;
}

/**
 * store_free(store):
 * Give back ${store}, of which nothing may be in use; waits for what is under way. NULL is
 * fine.
 */
void store_free(struct store *store);

#endif
