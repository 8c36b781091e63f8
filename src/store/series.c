#include "store/series.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/name.h"

/* A directory read this soon after its modification, in nanoseconds, may still change unseen.
 */
#define SETTLED INT64_C(2000000000)

static struct series *of_entry(struct lru_entry *entry)
{
    return (struct series *)((char *)entry - offsetof(struct series, entry));
}

static int64_t mtime_of(const struct stat *found)
{
    return (int64_t)found->st_mtim.tv_sec * 1000000000 + found->st_mtim.tv_nsec;
}

static int find_column(const struct series *series, struct slice name)
{
    for (unsigned i = 0; i < series->column_count; i++) {
        if (series->columns[i].len == name.len &&
            memcmp(series->columns[i].name, name.at, name.len) == 0)
            return (int)i;
    }
    return -1;
}

int series_column(const struct series *series, struct slice name)
{
    int place = find_column(series, name);

    return place >= 0 && series->columns[place].present ? place : -1;
}

static int add_column(struct store *store, struct series *series, struct slice name)
{
    if (series->column_count == series->column_room) {
        unsigned room = series->column_room == 0 ? 8 : 2 * series->column_room;
        struct series_column *grown = realloc(series->columns, room * sizeof(*grown));

        if (grown == NULL)
            return -1;
        series->columns = grown;
        series->column_room = room;
    }
    struct series_column *column = &series->columns[series->column_count++];
    memcpy(column->name, name.at, name.len);
    column->name[name.len] = '\0';
    column->len = (unsigned char)name.len;
    column->present = true;
    column->type = coltypes_find(store->config->coltypes, series->exchange, series->type, name);
    return 0;
}

/* Learn from one file name of the directory. */
static int learn(struct store *store, struct series *series, const char *file)
{
    struct slice column;
    int32_t day;

    if (name_parse_file(slice_of(file), &column, &day))
        return 0;
    int place = find_column(series, column);
    if (place < 0) {
        if (series->column_count == SERIES_COLUMNS_MAX) {
            log_warn("%s holds more than %d columns: '%.*s' is left out", series->path,
                     SERIES_COLUMNS_MAX, SLICE_ARG(column));
            return 0;
        }
        return add_column(store, series, column);
    }
    series->columns[place].present = true;
    if (place == SERIES_TIME)
        days_add(&series->days, day);
    return 0;
}

/* Read the directory: its days anew, its columns in addition to those known. */
static int scan(struct store *store, struct series *series)
{
    int fd = openat(series->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct stat found;
    int result = 0;

    if (directory == NULL || fstat(fd, &found)) {
        if (directory != NULL)
            closedir(directory);
        else if (fd >= 0)
            close(fd);
        return -1;
    }
    series->mtime = mtime_of(&found);
    series->dirty = store->wall * 1000000000 - series->mtime < SETTLED;
    memset(&series->days, 0, sizeof(series->days));
    for (unsigned i = 0; i < series->column_count; i++)
        series->columns[i].present = false;
    for (struct dirent *entry; result == 0 && (entry = readdir(directory)) != NULL;)
        result = learn(store, series, entry->d_name);
    closedir(directory);
    log_info("%s: read %u days, %u columns", series->path,
             days_count(&series->days, DATE_FIRST, DATE_LAST), series->column_count);
    return result;
}

/* Look at the directory again. False if it is not the same any more. */
static bool refresh(struct store *store, struct series *series)
{
    struct stat by_path, found;
    int fd = root_open(store->root, series->path, O_PATH | O_DIRECTORY);

    if (fd < 0)
        return false;
    bool same = fstat(fd, &by_path) == 0 && fstat(series->fd, &found) == 0 &&
                by_path.st_dev == found.st_dev && by_path.st_ino == found.st_ino;
    close(fd);
    if (!same)
        return false;
    series->checked = store->now;
    if (!series->dirty && mtime_of(&found) == series->mtime)
        return true;
    return scan(store, series) == 0;
}

/* Which of the three names is the first that leads nowhere, and what to answer. */
static void explain(struct store *store, const struct series *series, int error,
                    struct failure *failure)
{
    static const char *const parameters[] = { "exchange", "symbol", "type" };
    const struct slice names[] = { series->exchange, series->symbol, series->type };
    char path[sizeof(series->path)];

    if (error == EXDEV || error == ELOOP)
        log_info("%s is a link that leads out of the data directory, or in circles",
                 series->path);
    if (!root_present(store->root)) {
        failure_set(failure, 503, NULL, "the data directory is missing or empty");
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        size_t len = (size_t)(names[i].at + names[i].len - series->path);
        int fd;

        memcpy(path, series->path, len);
        path[len] = '\0';
        fd = root_open(store->root, path, O_PATH | O_DIRECTORY);
        if (fd < 0 || i == 2) {
            if (fd >= 0)
                close(fd);
            failure_set(failure, 404, parameters[i], "there is no %s '%.*s'%s%.*s",
                        parameters[i], SLICE_ARG(names[i]), i > 0 ? " in " : "",
                        i > 0 ? (int)(len - names[i].len - 1) : 0, series->path);
            return;
        }
        close(fd);
    }
}

static struct series *make(struct slice exchange, struct slice symbol, struct slice type)
{
    struct series *series = calloc(1, sizeof(*series));
    char *at;

    if (series == NULL)
        return NULL;
    at = series->path;
    series->fd = -1;
    const struct slice names[] = { exchange, symbol, type };
    struct slice *copies[] = { &series->exchange, &series->symbol, &series->type };
    for (unsigned i = 0; i < 3; i++) {
        memcpy(at, names[i].at, names[i].len);
        *copies[i] = (struct slice){ at, names[i].len };
        at += names[i].len;
        *at++ = i < 2 ? '/' : '\0';
    }
    return series;
}

static struct series *open_series(struct store *store, struct series *series,
                                  struct failure *failure)
{
    do {
        series->fd = root_open(store->root, series->path, O_RDONLY | O_DIRECTORY);
    } while (series->fd < 0 && (errno == EMFILE || errno == ENFILE) && lru_evict(&store->days));
    if (series->fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR || errno == EXDEV || errno == ELOOP)
            explain(store, series, errno, failure);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            failure_set(failure, 503, NULL, "out of files or memory");
        else
            failure_set(failure, 500, NULL, "%s cannot be read: %s", series->path,
                        strerror(errno));
        return NULL;
    }
    if (add_column(store, series, SLICE("time")) || scan(store, series)) {
        failure_set(failure, 500, NULL, "%s cannot be read: %s", series->path, strerror(errno));
        return NULL;
    }
    series->checked = store->now;
    return series;
}

/* The key of the three names; they hold no NUL, so that none runs into the next. */
static uint64_t hash_names(struct slice exchange, struct slice symbol, struct slice type)
{
    uint64_t hash = lru_hash(exchange.at, exchange.len, 1);

    hash = lru_hash(symbol.at, symbol.len, hash);
    return lru_hash(type.at, type.len, hash);
}

static struct series *find(struct store *store, uint64_t hash, struct slice exchange,
                           struct slice symbol, struct slice type)
{
    struct lru_entry *entry = lru_first(&store->series, hash);

    for (; entry != NULL; entry = lru_next(entry)) {
        struct series *series = of_entry(entry);

        if (slice_equal(series->exchange, exchange) && slice_equal(series->symbol, symbol) &&
            slice_equal(series->type, type))
            return series;
    }
    return NULL;
}

struct series *series_get(struct store *store, struct slice exchange, struct slice symbol,
                          struct slice type, struct failure *failure)
{
    uint64_t hash = hash_names(exchange, symbol, type);
    struct series *series = find(store, hash, exchange, symbol, type);

    if (series != NULL && store_stale(store, series->checked) && !refresh(store, series)) {
        lru_drop(&store->series, &series->entry);
        series = NULL;
    }
    if (series == NULL) {
        struct series *fresh = make(exchange, symbol, type);

        if (fresh == NULL) {
            failure_set(failure, 503, NULL, "out of memory");
            return NULL;
        }
        series = open_series(store, fresh, failure);
        if (series == NULL) {
            if (failure->status >= 500)
                log_error("%s", failure->reason);
            series_free(store, &fresh->entry);
            return NULL;
        }
        /* Cached days hold their series: the oldest days go until a series can. */
        while (store->series.count >= store->config->max_series &&
               (lru_evict(&store->series) || lru_evict(&store->days)))
            ;
        lru_add(&store->series, &series->entry, hash);
    }
    lru_pin(&store->series, &series->entry);
    return series;
}

void series_hold(struct store *store, struct series *series)
{
    lru_pin(&store->series, &series->entry);
}

void series_release(struct store *store, struct series *series)
{
    lru_unpin(&store->series, &series->entry);
}

void series_free(void *store, struct lru_entry *entry)
{
    struct series *series = of_entry(entry);

    (void)store;
    if (series->fd >= 0)
        close(series->fd);
    free(series->columns);
    free(series);
}
