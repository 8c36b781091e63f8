#ifndef STORE_SERIES_H
#define STORE_SERIES_H

#include <stdbool.h>

#include "base/coltype.h"
#include "base/failure.h"
#include "base/slice.h"
#include "store/days.h"
#include "store/facts.h"
#include "store/load.h"
#include "store/store.h"

/*
 * A series: the directory {exchange}/{symbol}/{type}, with the days and the columns that its
 * file names show. What is known is trusted for "revalidate" and read anew when the directory's
 * times have changed; a directory that was read within two seconds of that time may
 * have changed since without showing it, and is read again.
 */

struct series_column {
    char name[65];
    unsigned char len;
    bool present; /* some file has this name */
    struct coltype type;
    uint32_t id; /* the name's number among the facts; 0: none */
};

struct series {
    struct lru_entry entry;
    char path[3 * 65];                   /* "exchange/symbol/type" */
    struct slice exchange, symbol, type; /* in path */
    struct fact_names names;             /* their numbers */
    struct filestate directory;          /* when it was read */
    bool dirty;                          /* that was too soon after its modification */
    uint64_t checked;                    /* store time of the last look */
    struct days days;
    unsigned column_count;
    unsigned column_room;
    struct series_column *columns; /* in the order they were met in; one that is gone keeps its
                                      place: see present */
};

/* The place of the column "time", which every series has, in its columns. */
#define SERIES_TIME 0

/* Columns of one directory that are known; what exceeds them is left out, with a warning. */
#define SERIES_COLUMNS_MAX 4096

enum series_result {
    SERIES_OK,
    SERIES_WAIT,   /* its directory is being read: the waiter will be woken; then call again */
    SERIES_FAILED, /* the waiter's failure says why: there is none (404), DATA is missing (503),
                      an error (500) */
};

/**
 * series_get(store, exchange, symbol, type, waiter, series):
 * The series of these valid names, up to date and pinned: to be given to series_release.
 */
enum series_result series_get(struct store *store, struct slice exchange, struct slice symbol,
                              struct slice type, struct load_waiter *waiter,
                              struct series **series);

/**
 * series_column(series, name):
 * The place of the column ${name} in ${series}'s columns; -1 if no file has that name.
 */
int series_column(const struct series *series, struct slice name);

/**
 * series_hold(store, series), series_release(store, series):
 * Pin ${series} once more; undo one pin.
 */
void series_hold(struct store *store, struct series *series);
void series_release(struct store *store, struct series *series);

/**
 * series_free(store, entry):
 * For the store's table: give back the series of ${entry}.
 */
void series_free(void *store, struct lru_entry *entry);

#endif
