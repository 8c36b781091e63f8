#include "store/store.h"

#include <stdlib.h>

#include "base/log.h"
#include "store/day.h"
#include "store/series.h"
#include "store/snapshot.h"
#include "system/stats.h"

struct store *store_new(const struct config *config, const struct facts *facts,
                        struct helper *helper)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return NULL;
    store->config = config;
    store->helper = helper;
    if (facts != NULL)
        store->facts = *facts;
    store->root = root_new(config->data);
    if (store->root == NULL ||
        lru_init(&store->series, config->max_series, series_free, store) ||
        lru_init(&store->days, config->max_mapped, day_free, store)) {
        store_free(store);
        return NULL;
    }
    return store;
}

#define OUTAGE_PAUSE 60000 /* milliseconds */

void store_outage(struct store *store, bool gone)
{
    if (store->outage == gone)
        return;
    store->outage = gone;
    if (gone) {
        store->outage_told = store->now >= store->outage_due;
        if (store->outage_told)
            log_error("the data directory %s is missing or empty: queries are answered 503 "
                      "until it is back",
                      store->config->data);
    } else if (store->outage_told) {
        log_notice("the data directory %s is back", store->config->data);
        store->outage_due = store->now + OUTAGE_PAUSE;
    }
}

void store_look(struct store *store)
{
    store->checked = store->now;
    if (root_refresh(store->root)) {
        bool was_gone = store->outage;

        store_outage(store, !root_present(store->root));
        if (!was_gone && !store->outage)
            log_warn("the data directory %s is another one than before: forgetting what was in "
                     "it",
                     store->config->data);
        store->root_since = store->now;
        store->roots++;
        store->troubles = (struct troubles){ 0 };
        lru_clear(&store->days);
        lru_clear(&store->series);
        stats_set(STATS_series_known, 0);
    }
}

void store_begin(struct store *store, uint64_t now, int64_t wall)
{
    store->turn++;
    store->now = now;
    store->wall = wall;
    if (store_stale(store, store->checked))
        store_look(store);
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    snapshot_cancel(store);
    while (store->helper != NULL && helper_wait(store->helper))
        ;
    snapshot_clear(store);
    lru_free(&store->days);
    lru_free(&store->series);
    root_free(store->root);
    free(store);
}
