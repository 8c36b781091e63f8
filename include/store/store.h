#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdint.h>

#include "store/lru.h"
#include "store/root.h"
#include "system/config.h"

/*
 * What a worker knows of the data root: the series it has met, and the files of days it has
 * open. The modules series and day work on it; one thread only.
 */

struct store {
    const struct config *config;
    struct root *root;
    struct lru series;
    struct lru days;
    uint64_t files_open;
    uint64_t now;     /* clock_ms, as of store_begin */
    int64_t wall;     /* clock_wall, likewise */
    uint64_t checked; /* when the root was last looked at */
};

/**
 * store_new(config):
 * A store on the data root of ${config}, which must outlive it. NULL without memory. To be
 * given to store_free.
 */
struct store *store_new(const struct config *config);

/**
 * store_begin(store, now, wall):
 * Begin a piece of work at the time ${now} (clock_ms) and ${wall} (clock_wall): what was last
 * looked at more than "revalidate" ago is looked at again when it is asked for.
 */
void store_begin(struct store *store, uint64_t now, int64_t wall);

/**
 * store_stale(store, checked):
 * Whether what was looked at when the clock was ${checked} must be looked at again.
 */
static inline bool store_stale(const struct store *store, uint64_t checked)
{
    return store->now - checked >= store->config->revalidate;
}

/**
 * store_free(store):
 * Give back ${store}, of which nothing may be in use; NULL is fine.
 */
void store_free(struct store *store);

#endif
