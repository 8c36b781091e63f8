#ifndef STORE_DAY_H
#define STORE_DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "store/cache.h"
#include "store/dayfile.h"
#include "store/load.h"
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
    uint64_t looks;        /* how often it was looked at since it was opened, closed or live */
    struct timeindex index;
    struct cache_hint fences; /* among the facts: those of this day's time file ... */
    uint64_t fenced;          /* ... which tell of so many rows */
    bool fencing;             /* they are being put up */
    bool suspect;             /* look at the disk, whatever others have seen */
    uint64_t looked;          /* store turn in which that was done */
    bool told;                /* its disorder was logged */
    unsigned file_count;      /* places in files */
    struct dayfile *
        *files;   /* by the column's place in the series; NULL: not opened, see absent */
    bool *absent; /* by the same: looked for and not there */
};

enum day_result {
    DAY_OK,
    DAY_ABSENT,  /* there is no such day now */
    DAY_WAIT,    /* it is being read: the waiter will be woken; then call again */
    DAY_CHANGED, /* it was replaced meanwhile: day_drop it, and start again with day_get */
    DAY_AGAIN,   /* what is known of it may be old: day_suspect it, and start again with day_get
                  */
    DAY_FAILED,  /* the waiter's failure says why */
};

/* A day as it was at some moment, without holding it. */
struct day_mark {
    struct day *day;
    uint64_t hash, ticket; /* its entry's */
    uint64_t looks;        /* its */
};

/* Columns, by their places in the series. */
struct day_columns {
    const unsigned *places;
    unsigned count;
};

/**
 * day_new(store, series, number):
 * Put an empty day into the store, to be filled in. NULL without memory.
 */
struct day *day_new(struct store *store, struct series *series, int32_t number);

/**
 * day_get(store, series, number, columns, waiter, day):
 * The day ${number} of ${series}, up to date, with its time file open and indexed; pinned, to
 * be given to day_release. If it has to be opened, the files of ${columns} are as well.
 */
enum day_result day_get(struct store *store, struct series *series, int32_t number,
                        struct day_columns columns, struct load_waiter *waiter,
                        struct day **day);

/**
 * day_prefetch(store, series, number, columns):
 * Have that day opened as day_get would, if it is not open, and there is room; nobody waits.
 */
void day_prefetch(struct store *store, struct series *series, int32_t number,
                  struct day_columns columns);

/**
 * day_open(store, day, columns, waiter):
 * Open the files of ${columns} that are not open, and bring those of a live day up to date,
 * where a column may have appeared, too. A column without a file is no failure: day_file then
 * returns NULL.
 */
enum day_result day_open(struct store *store, struct day *day, struct day_columns columns,
                         struct load_waiter *waiter);

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
 * day_bounds(store, day, rows, range):
 * Where among the first ${rows} rows of ${day} the ends of ${range} are to be searched.
 */
struct timebounds day_bounds(struct store *store, struct day *day, uint64_t rows,
                             struct timerange range);

/**
 * day_fenced(store, day):
 * Whether there are fences of ${day} that tell of all its rows.
 */
bool day_fenced(struct store *store, struct day *day);

/**
 * day_live(store, day, columns):
 * Whether ${day} may still grow: it is today, or yesterday within "live_grace", or its time
 * file or one of the ${columns} was changed within "live_window".
 */
bool day_live(const struct store *store, const struct day *day, struct day_columns columns);

/**
 * day_first_live(store):
 * The first day that is live by the calendar, whatever files there are.
 */
int32_t day_first_live(const struct store *store);

/**
 * day_changed_lately(store, day):
 * Whether the time file of ${day} was changed within "live_window".
 */
bool day_changed_lately(const struct store *store, const struct day *day);

/**
 * day_path(series, number, column, path):
 * Write the path, relative to DATA, of a column's file to ${path}; returns ${path}.
 */
char *day_path(const struct series *series, int32_t number, unsigned column,
               char path[DAYFILE_PATH]);

/**
 * day_mark(store, series, number, mark):
 * Make ${mark} that of the day ${number} of ${series} as it is known now. Returns whether it
 * is.
 */
bool day_mark(const struct store *store, const struct series *series, int32_t number,
              struct day_mark *mark);

/**
 * day_unchanged(store, mark):
 * Whether the day of ${mark}, which may be gone, is in the store and has not been looked at
 * since: what was known of its files is still all that is known.
 */
bool day_unchanged(const struct store *store, const struct day_mark *mark);

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
