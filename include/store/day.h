#ifndef STORE_DAY_H
#define STORE_DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "store/dayfile.h"
#include "store/series.h"
#include "store/timeindex.h"

/*
 * One day of a series: its files, as many as were asked for, and where time lies in it.
 *
 * All files of a day object belong together: whoever replaces a day removes its time file first
 * and renames the new one in last, so a file opened while the time file was the same before and
 * after belongs to that time file. A day whose files turn out to be others is dropped from the
 * store and made anew; answers that use it keep it.
 */

struct day {
    struct lru_entry entry;
    struct series *series; /* pinned */
    int32_t number;        /* days since the epoch */
    uint64_t checked;      /* store time of the last comparison with the paths */
    struct timeindex index;
    bool told;           /* its disorder was logged */
    unsigned file_count; /* places in files */
    struct dayfile *
        *files;   /* by the column's place in the series; NULL: not opened, see absent */
    bool *absent; /* by the same: looked for and not there */
};

enum day_result {
    DAY_OK,
    DAY_ABSENT,  /* there is no such day now */
    DAY_CHANGED, /* it was replaced meanwhile: day_drop it, and start again with day_get */
    DAY_AGAIN,   /* what is known of it may be old: day_suspect it, and start again with day_get
                  */
    DAY_FAILED,  /* the failure says why */
};

/**
 * day_get(store, series, number, day, failure):
 * The day ${number} of ${series}, up to date, with its time file open and indexed; pinned, to
 * be given to day_release.
 */
enum day_result day_get(struct store *store, struct series *series, int32_t number,
                        struct day **day, struct failure *failure);

/**
 * day_columns(store, day, columns, count, failure):
 * Open the files of the ${count} ${columns} (places in the series) that are not open, and bring
 * those of a live day up to date. A column without a file is no failure: day_file then returns
 * NULL.
 */
enum day_result day_columns(struct store *store, struct day *day, const unsigned *columns,
                            unsigned count, struct failure *failure);

/**
 * day_file(day, column):
 * The open file of ${column} (its place in the series); NULL if it is not there.
 */
static inline struct dayfile *day_file(const struct day *day, unsigned column)
{
    return column < day->file_count ? day->files[column] : NULL;
}

/**
 * day_times(day):
 * The seconds of the rows of ${day}.
 */
static inline const uint32_t *day_times(const struct day *day)
{
    return (const uint32_t *)(const void *)day->files[SERIES_TIME]->at;
}

/**
 * day_live(store, day, columns, count):
 * Whether ${day} may still grow: it is today, or yesterday within "live_grace", or its time
 * file or one of the ${count}
 * ${columns} was changed within "live_window".
 */
bool day_live(const struct store *store, const struct day *day, const unsigned *columns,
              unsigned count);

/**
 * day_path(series, number, column, path):
 * Write the path, relative to DATA, of a column's file to ${path}; returns ${path}.
 */
#define DAY_PATH (3 * 65 + 78)
char *day_path(const struct series *series, int32_t number, unsigned column,
               char path[DAY_PATH]);

/**
 * day_suspect(store, day):
 * Have the next day_get look at all files of ${day}, however long "revalidate" is.
 */
void day_suspect(const struct store *store, struct day *day);

/**
 * day_drop(store, day):
 * Forget what is known of ${day}: the next day_get opens it anew.
 */
void day_drop(struct store *store, struct day *day);

/**
 * day_hold(store, day), day_release(store, day):
 * Pin ${day} once more; undo one pin.
 */
void day_hold(struct store *store, struct day *day);
void day_release(struct store *store, struct day *day);

/**
 * day_free(store, entry):
 * For the store's table: give back the day of ${entry}.
 */
void day_free(void *store, struct lru_entry *entry);

#endif
