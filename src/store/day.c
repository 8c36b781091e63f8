#include "store/day.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/log.h"
#include "base/name.h"

/* How often a day that changes under our eyes is tried again. */
#define TRIES 8

static struct day *of_entry(struct lru_entry *entry)
{
    return (struct day *)((char *)entry - offsetof(struct day, entry));
}

static struct slice column_name(const struct series *series, unsigned column)
{
    return (struct slice){ series->columns[column].name, series->columns[column].len };
}

char *day_path(const struct series *series, int32_t number, unsigned column,
               char path[DAY_PATH])
{
    size_t len = strlen(series->path);

    memcpy(path, series->path, len);
    path[len] = '/';
    name_file(column_name(series, column), number, path + len + 1);
    return path;
}

/* Whether the system is out of something that a file less would give back. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

static enum day_result failed(const struct day *day, unsigned column, struct failure *failure)
{
    char path[DAY_PATH];

    day_path(day->series, day->number, column, path);
    if (is_shortage(errno))
        failure_set(failure, 503, NULL, "out of files or memory");
    else if (errno == EINVAL)
        failure_set(failure, 500, NULL, "%s is not a regular file", path);
    else if (errno == EXDEV || errno == ELOOP)
        failure_set(failure, 500, NULL,
                    "%s is a link that leads out of the data directory, or in circles", path);
    else
        failure_set(failure, 500, NULL, "%s cannot be read: %s", path, strerror(errno));
    log_error("%s: %s", path, failure->reason);
    return DAY_FAILED;
}

static bool in_window(const struct store *store, const struct dayfile *file)
{
    int64_t window = (int64_t)store->config->live_window * 1000000;

    return store->wall * 1000000000 - file->mtime < window;
}

/* Live by the calendar, whatever its files say. */
static bool is_current(const struct store *store, int32_t number)
{
    int64_t grace = (int64_t)(store->config->live_grace / 1000);

    return number == store->wall / DATE_SECONDS ||
           (number == store->wall / DATE_SECONDS - 1 && store->wall % DATE_SECONDS < grace);
}

bool day_live(const struct store *store, const struct day *day, const unsigned *columns,
              unsigned count)
{
    if (is_current(store, day->number) || in_window(store, day->files[SERIES_TIME]))
        return true;
    for (unsigned i = 0; i < count; i++) {
        const struct dayfile *file = day_file(day, columns[i]);

        if (file != NULL && in_window(store, file))
            return true;
    }
    return false;
}

/* Make room in files for all columns of the series. */
static int make_places(struct day *day)
{
    unsigned count = day->series->column_count;

    if (day->file_count >= count)
        return 0;
    struct dayfile **files = realloc(day->files, count * sizeof(struct dayfile *));
    if (files == NULL)
        return -1;
    day->files = files;
    bool *absent = realloc(day->absent, count * sizeof(bool));
    if (absent == NULL)
        return -1;
    day->absent = absent;
    for (; day->file_count < count; day->file_count++) {
        files[day->file_count] = NULL;
        absent[day->file_count] = false;
    }
    return 0;
}

/* Open and map one file. DAY_OK with none where there is none. */
static enum day_result open_file(struct store *store, struct day *day, unsigned column,
                                 struct failure *failure)
{
    char path[DAY_PATH];

    /* What answers under way hold may exceed the limit: a slow reader must not keep others from
     * theirs. */
    while (store->files_open >= store->config->max_mapped && lru_evict(&store->days))
        ;
    struct dayfile *file;
    day_path(day->series, day->number, column, path);
    do {
        file = dayfile_open(store->root, path);
    } while (file == NULL && is_shortage(errno) && lru_evict(&store->days));
    day->absent[column] = file == NULL && errno == ENOENT;
    if (file == NULL)
        return errno == ENOENT ? DAY_OK : failed(day, column, failure);
    if (dayfile_map(file, is_current(store, day->number) || in_window(store, file))) {
        int saved = errno;
        dayfile_close(file);
        errno = saved;
        return failed(day, column, failure);
    }
    day->files[column] = file;
    store->files_open++;
    log_debug("%s: opened, %llu bytes", path, (unsigned long long)file->size);
    return DAY_OK;
}

/* What the path of a column's file leads to now: the same path by which it would be opened. */
static enum dayfile_change compare_path(const struct store *store, const struct day *day,
                                        unsigned column)
{
    char path[DAY_PATH];
    struct stat found;
    struct dayfile *file = day->files[column];

    if (root_stat(store->root, day_path(day->series, day->number, column, path), &found))
        return file == NULL && errno == ENOENT ? DAYFILE_SAME : DAYFILE_OTHER;
    return file == NULL ? DAYFILE_OTHER : dayfile_compare(file, &found);
}

/* Compare all that is known of the day with the disk. False if it is another day now. */
static bool refresh(struct store *store, struct day *day)
{
    for (unsigned column = 0; column < day->file_count; column++) {
        if (day->files[column] == NULL && !day->absent[column])
            continue;
        if (compare_path(store, day, column) != DAYFILE_OTHER)
            continue;
        if (day->files[column] != NULL)
            return false;
        day->absent[column] = false; /* it has appeared: to be opened when it is asked for */
    }
    day->checked = store->now;
    return true;
}

static void index_times(void *arg)
{
    struct day *day = arg;
    uint64_t rows = day->files[SERIES_TIME]->size / sizeof(uint32_t);

    timeindex_extend(&day->index, day_times(day), rows);
}

/* Know the order of all rows. */
static enum day_result bring_index(struct day *day, struct failure *failure)
{
    char path[DAY_PATH];

    if (day->index.rows == day->files[SERIES_TIME]->size / sizeof(uint32_t))
        return DAY_OK;
    if (guard_run(index_times, day)) {
        /* Cut off, or the disk fails: a second look tells which. */
        if (dayfile_look(day->files[SERIES_TIME]) == DAYFILE_OTHER)
            return DAY_CHANGED;
        errno = EIO;
        return failed(day, SERIES_TIME, failure);
    }
    if (day->index.steps_back && !day->told) {
        day->told = true;
        log_notice("%s steps back in time at row %llu (counted from 0)",
                   day_path(day->series, day->number, SERIES_TIME, path),
                   (unsigned long long)day->index.first_step);
    }
    return DAY_OK;
}

static uint64_t hash_day(const struct series *series, int32_t number)
{
    uintptr_t key[2] = { (uintptr_t)series, (uintptr_t)number };

    return lru_hash(key, sizeof(key), 2);
}

static struct day *find(struct store *store, const struct series *series, int32_t number,
                        uint64_t hash)
{
    struct lru_entry *entry = lru_first(&store->days, hash);

    for (; entry != NULL; entry = lru_next(entry)) {
        struct day *day = of_entry(entry);

        if (day->series == series && day->number == number)
            return day;
    }
    return NULL;
}

/* A day that is known: look whether it is still so. */
static enum day_result look_again(struct store *store, struct day *day, struct failure *failure)
{
    struct dayfile *time = day->files[SERIES_TIME];

    if (store_stale(store, day->checked) && !refresh(store, day))
        return DAY_CHANGED;
    if ((is_current(store, day->number) || in_window(store, time)) &&
        dayfile_look(time) == DAYFILE_OTHER)
        return DAY_CHANGED;
    return bring_index(day, failure);
}

/* A day that is not known: open its time file. */
static enum day_result open_day(struct store *store, struct series *series, int32_t number,
                                uint64_t hash, struct day **day, struct failure *failure)
{
    struct day *fresh = calloc(1, sizeof(*fresh));
    enum day_result result = DAY_FAILED;

    if (fresh == NULL) {
        failure_set(failure, 503, NULL, "out of memory");
        return DAY_FAILED;
    }
    fresh->series = series;
    fresh->number = number;
    fresh->checked = store->now;
    series_hold(store, series);
    if (make_places(fresh))
        failure_set(failure, 503, NULL, "out of memory");
    else
        result = open_file(store, fresh, SERIES_TIME, failure);
    if (result == DAY_OK && fresh->absent[SERIES_TIME])
        result = DAY_ABSENT;
    if (result == DAY_OK)
        result = bring_index(fresh, failure);
    if (result != DAY_OK) {
        day_free(store, &fresh->entry);
        return result;
    }
    lru_add(&store->days, &fresh->entry, hash);
    *day = fresh;
    return DAY_OK;
}

enum day_result day_get(struct store *store, struct series *series, int32_t number,
                        struct day **day, struct failure *failure)
{
    uint64_t hash = hash_day(series, number);
    enum day_result result = DAY_CHANGED;

    for (int tries = 0; result == DAY_CHANGED && tries < TRIES; tries++) {
        *day = find(store, series, number, hash);
        if (*day == NULL) {
            result = open_day(store, series, number, hash, day, failure);
        } else {
            result = look_again(store, *day, failure);
            if (result != DAY_OK)
                lru_drop(&store->days, &(*day)->entry);
        }
    }
    if (result == DAY_OK)
        lru_pin(&store->days, &(*day)->entry);
    return result;
}

enum day_result day_columns(struct store *store, struct day *day, const unsigned *columns,
                            unsigned count, struct failure *failure)
{
    bool live = day_live(store, day, columns, count), opened = false;

    if (make_places(day)) {
        failure_set(failure, 503, NULL, "out of memory");
        return DAY_FAILED;
    }
    for (unsigned i = 0; i < count; i++) {
        struct dayfile *file = day->files[columns[i]];

        if (file != NULL) {
            if (live && columns[i] != SERIES_TIME && dayfile_look(file) == DAYFILE_OTHER)
                return DAY_CHANGED;
        } else if (!day->absent[columns[i]]) {
            enum day_result result = open_file(store, day, columns[i], failure);

            if (result != DAY_OK)
                return result;
            opened = true;
        }
    }
    /* What was opened just now belongs to this day if the time file is still the same one. */
    if (opened && compare_path(store, day, SERIES_TIME) == DAYFILE_OTHER)
        return DAY_CHANGED;
    return DAY_OK;
}

void day_suspect(const struct store *store, struct day *day)
{
    day->checked = store->now - store->config->revalidate;
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
            dayfile_close(day->files[column]);
            store->files_open--;
        }
    }
    series_release(store, day->series);
    free(day->files);
    free(day->absent);
    free(day);
}
