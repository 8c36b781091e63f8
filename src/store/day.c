#include "store/day.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "store/dayfetch.h"
#include "store/dayfresh.h"
#include "system/stats.h"

static struct day *of_entry(struct lru_entry *entry)
{
    return (struct day *)((char *)entry - offsetof(struct day, entry));
}

char *day_path(const struct series *series, int32_t number, unsigned column,
               char path[DAYFILE_PATH])
{
    const struct series_column *named = &series->columns[column];
    size_t len = strlen(series->path);

    memcpy(path, series->path, len);
    path[len] = '/';
    name_file((struct slice){ named->name, named->len }, number, path + len + 1);
    return path;
}

static uint64_t hash_of(const struct series *series, int32_t number)
{
    return lru_hash_words((uintptr_t)series, (uint64_t)number);
}

static struct day *find(const struct store *store, const struct series *series, int32_t number)
{
    struct lru_entry *entry = lru_first(&store->days, hash_of(series, number));

    for (; entry != NULL; entry = lru_next(entry)) {
        struct day *day = of_entry(entry);

        if (day->series == series && day->number == number)
            return day;
    }
    return NULL;
}

struct day *day_new(struct store *store, struct series *series, int32_t number)
{
    struct day *day = calloc(1, sizeof(*day));

    if (day == NULL)
        return NULL;
    day->series = series;
    day->number = number;
    day->checked = store->now;
    series_hold(store, series);
    lru_add(&store->days, &day->entry, hash_of(series, number));
    return day;
}

/* What came of the wait that is over, if there was one. */
static enum day_result heed(const struct load_waiter *waiter)
{
    static const enum day_result results[] = {
        [LOAD_OK] = DAY_OK,    [LOAD_ABSENT] = DAY_ABSENT, [LOAD_CHANGED] = DAY_CHANGED,
        [LOAD_AGAIN] = DAY_OK, [LOAD_FAILED] = DAY_FAILED,
    };

    return waiter->settled ? results[waiter->result] : DAY_OK;
}

/* Bring a day up to date. If that is done it stays pinned. */
static enum day_result look(struct store *store, struct day *day, struct load_waiter *waiter)
{
    /* What is read for it can show that it is another day now, and drop it. */
    day_hold(store, day);
    enum day_result result = dayfresh_look(store, day, waiter);

    if (result == DAY_CHANGED)
        day_drop(store, day);
    if (result != DAY_OK)
        day_release(store, day);
    return result;
}

enum day_result day_get(struct store *store, struct series *series, int32_t number,
                        struct day_columns columns, struct load_waiter *waiter,
                        struct day **day)
{
    enum day_result result;
    struct day *found;

    do {
        result = heed(waiter);
        found = find(store, series, number);
        load_leave(waiter); /* which held it until it was found */
        if (result != DAY_OK)
            return result;
        if (found != NULL) {
            result = look(store, found, waiter);
        } else {
            dayfetch_day(store, series, number, columns, waiter);
            result = DAY_WAIT;
        }
    } while (result == DAY_WAIT && waiter->settled);
    if (result == DAY_OK)
        *day = found;
    return result;
}

void day_prefetch(struct store *store, struct series *series, int32_t number,
                  struct day_columns columns)
{
    if (store->files_open + columns.count + 1 <= store->config->max_mapped &&
        !store_full(store) && find(store, series, number) == NULL)
        dayfetch_day(store, series, number, columns, NULL);
}

enum day_result day_open(struct store *store, struct day *day, struct day_columns columns,
                         struct load_waiter *waiter)
{
    bool live = day_live(store, day, columns), missing;

    do {
        enum day_result result = heed(waiter);

        load_leave(waiter);
        if (result != DAY_OK)
            return result;
        missing = false;
        for (unsigned i = 0; i < columns.count; i++) {
            unsigned place = columns.places[i];
            struct dayfile *file = day_file(day, place);

            if (file == NULL)
                missing |= place >= day->file_count || !day->absent[place] ||
                           (live && dayfresh_appeared(store, day, place));
            else if (live && place != SERIES_TIME && dayfile_look(file) == DAYFILE_OTHER)
                return DAY_CHANGED;
        }
        day->looks += live;
        if (missing)
            dayfetch_columns(store, day, columns, waiter);
    } while (missing && waiter->settled);
    return missing ? DAY_WAIT : DAY_OK;
}

bool day_live(const struct store *store, const struct day *day, struct day_columns columns)
{
    int64_t recent = dayfresh_recent(store);

    if (dayfresh_current(store, day->number) || day->files[SERIES_TIME]->state.mtime > recent)
        return true;
    for (unsigned i = 0; i < columns.count; i++) {
        const struct dayfile *file = day_file(day, columns.places[i]);

        if (file != NULL && file->state.mtime > recent)
            return true;
    }
    return false;
}

int32_t day_first_live(const struct store *store)
{
    return (int32_t)((store->wall - (int64_t)(store->config->live_grace / 1000)) /
                     DATE_SECONDS);
}

bool day_changed_lately(const struct store *store, const struct day *day)
{
    return day->files[SERIES_TIME]->state.mtime > dayfresh_recent(store);
}

/* Find the fences again: something was written beside them, or in their place. */
static bool find_fences(struct store *store, struct day *day)
{
    struct fact_index known = { 0 };
    bool found = facts_find_index(&store->facts, day->series->names, day->number, store->now,
                                  &known, &day->fences) &&
                 filestate_grew(&known.state, &day->files[SERIES_TIME]->state) &&
                 timeindex_fenceable(&known.index);

    if (found)
        day->fenced = known.index.rows;
    else
        day->fences = (struct cache_hint){ 0 };
    return found;
}

struct timebounds day_bounds(struct store *store, struct day *day, uint64_t rows,
                             struct timerange range)
{
    const struct facts *facts = &store->facts;
    struct timebounds bounds;

    if (day->fences.word == 0 ||
        (!facts_bounds(facts, &day->fences, store->now, day->number, range, &bounds) &&
         (!find_fences(store, day) ||
          !facts_bounds(facts, &day->fences, store->now, day->number, range, &bounds))))
        return timeindex_bounds_all(rows);
    return timeindex_bounds_clip(bounds, day->fenced, rows);
}

bool day_fenced(struct store *store, struct day *day)
{
    return find_fences(store, day) &&
           day->fenced == day->files[SERIES_TIME]->state.size / sizeof(uint32_t);
}

bool day_mark(const struct store *store, const struct series *series, int32_t number,
              struct day_mark *mark)
{
    struct day *day = find(store, series, number);

    if (day == NULL)
        return false;
    *mark = (struct day_mark){
        .day = day, .hash = day->entry.hash, .ticket = day->entry.ticket, .looks = day->looks
    };
    return true;
}

bool day_unchanged(const struct store *store, const struct day_mark *mark)
{
    return lru_lists(&store->days, &mark->day->entry, mark->hash, mark->ticket) &&
           mark->day->looks == mark->looks;
}

void day_suspect(const struct store *store, struct day *day)
{
    day->checked = store->now - store->config->revalidate;
    day->suspect = true;
}

void day_drop(struct store *store, struct day *day)
{
    lru_drop(&store->days, &day->entry);
}

void day_hold(struct store *store, struct day *day)
{
    lru_pin(&store->days, &day->entry);
}

void day_release(struct store *store, struct day *day)
{
    lru_unpin(&store->days, &day->entry);
}

void day_free(void *arg, struct lru_entry *entry)
{
    struct store *store = arg;
    struct day *day = of_entry(entry);

    for (unsigned column = 0; column < day->file_count; column++) {
        if (day->files[column] != NULL) {
            stats_subtract(STATS_files_mapped, 1);
            stats_subtract(STATS_bytes_mapped, day->files[column]->mapped);
            store->bytes_mapped -= day->files[column]->mapped;
            dayfile_close(day->files[column]);
            store->files_open--;
        }
    }
    series_release(store, day->series);
    free(day->files);
    free(day->absent);
    free(day);
}
