#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include <stdint.h>

#include "store/catalog.h"
#include "store/snapshot.h"

/*
 * From when to when each series of a catalog has days, and when it was last written to. A
 * snapshot whose base is the catalog. A directory that has not changed is not read again: then
 * only the time files of its last two days, and the one that was modified last, are looked at.
 */

/* These go from one worker to others as they are: no pointers, no gaps. */
struct history_series {
    catalog_mark mark;               /* of its directory */
    int64_t newest;                  /* modification of a time file, seconds since the epoch */
    int64_t row_modified, row_bytes; /* of the time file of row_day */
    int32_t first, last;             /* days; INT32_MAX, INT32_MIN: there are none */
    int32_t before_last;             /* likewise */
    int32_t newest_day;              /* of the newest file */
    int32_t row_day;                 /* the last day with a row; INT32_MIN: there is none */
    int32_t unused;
};

/* What was last written of one type of an exchange. */
struct history_update {
    const char *exchange, *type; /* the catalog's names */
    const char *symbol;          /* of the newest file; NULL: there is none */
    int64_t newest;

    /* Of all symbols' last days with rows the latest, and where several have it, the one
     * that was modified last. */
    const char *row_symbol; /* NULL: there is no row */
    int32_t row_day;
    int64_t row_modified;
    int64_t row; /* the time of the last row there; -1: it could not be read */
};

struct history {
    struct snapshot snapshot;
    const struct catalog *catalog;
    struct history_series *series;  /* by their places in the catalog's types */
    struct history_update *updates; /* of all exchanges in order, sorted by type */
    uint32_t update_count, update_room;
};

/**
 * history_get(store, catalog, waiter, history):
 * The history of ${catalog}, not older than "catalog_refresh", as snapshot_get gives it.
 */
enum snapshot_result history_get(struct store *store, struct catalog *catalog,
                                 struct load_waiter *waiter, struct history **history);

/**
 * history_latest(store, age):
 * The history that was made last, as snapshot_latest gives it.
 */
const struct history *history_latest(struct store *store, uint64_t age);

/**
 * history_wall(store), history_took(store):
 * When the disk was last looked at for it, in seconds since the epoch; and for how many
 * nanoseconds.
 */
int64_t history_wall(const struct store *store);
uint64_t history_took(const struct store *store);

#endif
