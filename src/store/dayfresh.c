#include "store/dayfresh.h"

#include <errno.h>

#include "base/guard.h"
#include "base/log.h"
#include "store/dayfetch.h"

/* New rows that are read at once; more are read by a helper. */
#define ROWS_AT_ONCE 65536

bool dayfresh_current(const struct store *store, int32_t number)
{
    int64_t grace = (int64_t)(store->config->live_grace / 1000);

    return number == store->wall / DATE_SECONDS ||
           (number == store->wall / DATE_SECONDS - 1 && store->wall % DATE_SECONDS < grace);
}

int64_t dayfresh_recent(const struct store *store)
{
    return store->wall * 1000000000 - (int64_t)store->config->live_window * 1000000;
}

/* Whether another process has seen, not long ago, that the path still leads to what we have. */
static bool is_known_same(struct store *store, const struct day *day, unsigned column,
                          uint64_t *checked)
{
    const struct series *series = day->series;
    const struct dayfile *file = day->files[column];
    struct fact_file fact;

    if (!facts_find_file(&store->facts, series->names, series->columns[column].id, day->number,
                         store->now, &fact) ||
        fact.checked < store->root_since || store_stale(store, fact.checked))
        return false;
    if (fact.absent != 0 ? file != NULL
                         : file == NULL || !filestate_same(&fact.state, &file->state))
        return false;
    if (fact.checked < *checked)
        *checked = fact.checked;
    return true;
}

/* What the path of a column's file leads to now: the same path by which it would be opened. */
static enum dayfile_change compare_path(struct store *store, const struct day *day,
                                        unsigned column)
{
    const struct series *series = day->series;
    char path[DAYFILE_PATH];
    struct stat found;
    struct dayfile *file = day->files[column];
    struct fact_file fact = { .checked = store->now };

    if (root_stat(store->root, day_path(series, day->number, column, path), &found)) {
        if (file != NULL || errno != ENOENT)
            return DAYFILE_OTHER;
        fact.absent = 1;
    } else {
        if (file == NULL || dayfile_compare(file, &found) == DAYFILE_OTHER)
            return DAYFILE_OTHER;
        fact.state = file->state;
    }
    facts_put_file(&store->facts, series->names, series->columns[column].id, day->number,
                   store->now, &fact);
    return DAYFILE_SAME;
}

bool dayfresh_appeared(struct store *store, struct day *day, unsigned column)
{
    if (!day->absent[column] || compare_path(store, day, column) != DAYFILE_OTHER)
        return false;
    day->absent[column] = false; /* to be opened when it is asked for */
    return true;
}

/* Compare all that is known of the day with the disk. False if it is another day now. */
static bool refresh(struct store *store, struct day *day)
{
    uint64_t checked = store->now;

    day->looks++;
    for (unsigned column = 0; column < day->file_count; column++) {
        if (day->files[column] == NULL && !day->absent[column])
            continue;
        if (!day->suspect && is_known_same(store, day, column, &checked))
            continue;
        if (day->files[column] == NULL)
            dayfresh_appeared(store, day, column);
        else if (compare_path(store, day, column) == DAYFILE_OTHER)
            return false;
    }
    day->checked = checked;
    if (day->suspect)
        day->looked = store->turn;
    day->suspect = false;
    return true;
}

static uint64_t rows_on_disk(const struct day *day)
{
    return day->files[SERIES_TIME]->state.size / sizeof(uint32_t);
}

/* See to it, now and then, that there are fences and that they tell of all rows. */
static void mend_fences(struct store *store, struct day *day)
{
    bool shared = day->series->names.exchange != 0;

    if (shared && !day->fencing && timeindex_fenceable(&day->index) && !day_fenced(store, day))
        dayfetch_index(store, day, NULL);
}

static void index_times(void *arg)
{
    struct day *day = arg;

    timeindex_extend(&day->index, day_times(day), rows_on_disk(day));
}

/* Know the order of all rows. */
static enum day_result bring_index(struct store *store, struct day *day,
                                   struct load_waiter *waiter)
{
    uint64_t rows = rows_on_disk(day);

    if (day->index.rows == rows)
        return DAY_OK;
    if (rows - day->index.rows > ROWS_AT_ONCE) {
        dayfetch_index(store, day, waiter);
        return DAY_WAIT;
    }
    if (guard_run(index_times, day))
        return DAY_CHANGED; /* cut off, or the disk fails: when it is opened anew, that shows */
    dayfetch_tell_order(store, day);
    return DAY_OK;
}

enum day_result dayfresh_look(struct store *store, struct day *day, struct load_waiter *waiter)
{
    struct dayfile *time = day->files[SERIES_TIME];

    if (store_stale(store, day->checked)) {
        if (!refresh(store, day))
            return DAY_CHANGED;
        mend_fences(store, day);
        if (!day->entry.listed)
            return DAY_CHANGED; /* that showed in the meantime */
    }
    if (dayfresh_current(store, day->number) || time->state.mtime > dayfresh_recent(store)) {
        day->looks++;
        if (dayfile_look(time) == DAYFILE_OTHER)
            return DAY_CHANGED;
    }
    return bring_index(store, day, waiter);
}
