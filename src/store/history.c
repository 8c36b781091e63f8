#include "store/history.h"

#include <assert.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/date.h"
#include "base/name.h"
#include "store/root.h"

struct build {
    struct snapshot_job *job;
    const struct catalog *catalog;
    const struct history *before; /* NULL: none */
    struct history *made;
    bool changed;
};

#define TIME_BYTES 4 /* of a record of the time column */

#define NO_DAYS                                                                                \
    {                                                                                          \
        .first = INT32_MAX, .last = INT32_MIN, .before_last = INT32_MIN, .row_day = INT32_MIN  \
    }

/* --- One series */

static void learn_day(struct history_series *series, int32_t day)
{
    if (day < series->first)
        series->first = day;
    if (day > series->last) {
        series->before_last = series->last;
        series->last = day;
    } else if (day > series->before_last && day < series->last) {
        series->before_last = day;
    }
}

static void learn_time(struct history_series *series, int32_t day, const struct stat *found)
{
    if (found->st_mtim.tv_sec > series->newest) {
        series->newest = found->st_mtim.tv_sec;
        series->newest_day = day;
    }
    if (found->st_size >= TIME_BYTES && day >= series->row_day) {
        series->row_day = day;
        series->row_modified = found->st_mtim.tv_sec;
        series->row_bytes = found->st_size;
    }
}

static int read_files(struct history_series *series, DIR *directory)
{
    struct dirent *entry;
    struct stat found;
    struct slice column;
    int32_t day;

    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        if (name_parse_file(slice_of(entry->d_name), &column, &day) ||
            !slice_is(column, "time") || fstatat(dirfd(directory), entry->d_name, &found, 0))
            continue;
        learn_day(series, day);
        learn_time(series, day, &found);
    }
    return errno == 0 ? 0 : -1;
}

/* Read the whole directory. */
static int read_series(const struct build *build, struct history_series *series,
                       const char *path)
{
    struct stat found;
    int fd = root_open(build->job->load.root, path, O_RDONLY | O_DIRECTORY);
    DIR *directory = fd < 0 || fstat(fd, &found) ? NULL : fdopendir(fd);
    int error = errno;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        if (error != EMFILE && error != ENFILE && error != ENOMEM && error != EIO)
            return 0; /* it has gone, or is not for us: no days */
        snapshot_fail(build->job, error, path);
        return -1;
    }
    series->mark = catalog_mark_of(&found, build->job->wall);
    int result = read_files(series, directory);
    if (result)
        snapshot_fail(build->job, errno, path);
    closedir(directory);
    return result;
}

static bool is_among(const int32_t *days, unsigned count, int32_t day)
{
    for (unsigned i = 0; i < count; i++) {
        if (days[i] == day)
            return true;
    }
    return false;
}

/* Of a directory that has not changed: look at the files that are likely to have. */
static void look_again(const struct build *build, struct history_series *series,
                       const char *path)
{
    const int32_t days[] = { series->last, series->before_last, series->newest_day,
                             series->row_day };
    char file[NAME_FILE], whole[CATALOG_PATH + NAME_FILE];
    struct stat found;

    series->newest = 0;
    series->row_day = INT32_MIN;
    for (unsigned i = 0; i < sizeof(days) / sizeof(*days); i++) {
        if (days[i] < DATE_FIRST || is_among(days, i, days[i]))
            continue;
        snprintf(whole, sizeof(whole), "%s/%s", path, name_file(SLICE("time"), days[i], file));
        if (root_stat(build->job->load.root, whole, &found) == 0)
            learn_time(series, days[i], &found);
    }
}

/* What was known of a series; NULL if nothing was. */
static const struct history_series *find_before(const struct build *build,
                                                const struct catalog_exchange *exchange,
                                                const struct catalog_symbol *symbol,
                                                uint32_t place)
{
    if (build->before == NULL)
        return NULL;
    const struct catalog *catalog = build->before->catalog;
    if (catalog == build->catalog)
        return &build->before->series[place];
    const struct catalog_exchange *e = catalog_exchange(catalog, slice_of(exchange->name));
    const struct catalog_symbol *s =
        e == NULL ? NULL : catalog_symbol(catalog, e, symbol->name);
    for (uint32_t i = 0; s != NULL && i < s->type_count; i++) {
        if (strcmp(catalog_type(catalog, s->first_type + i),
                   catalog_type(build->catalog, place)) == 0)
            return &build->before->series[s->first_type + i];
    }
    return NULL;
}

static int fill_series(struct build *build, const struct catalog_exchange *exchange,
                       const struct catalog_symbol *symbol, uint32_t place)
{
    struct history_series *series = &build->made->series[place];
    const struct history_series *before = find_before(build, exchange, symbol, place);
    char path[CATALOG_PATH];
    struct stat found;

    snprintf(path, sizeof(path), "%s/%s/%s", exchange->name, symbol->name,
             catalog_type(build->catalog, place));
    if (before != NULL && before->mark != 0 &&
        root_stat(build->job->load.root, path, &found) == 0 &&
        catalog_mark_of(&found, build->job->wall) == before->mark) {
        *series = *before;
        look_again(build, series, path);
    } else {
        *series = (struct history_series)NO_DAYS;
        if (read_series(build, series, path))
            return -1;
    }
    build->changed |= before == NULL || before->mark != series->mark ||
                      before->first != series->first || before->last != series->last ||
                      before->newest != series->newest || before->row_day != series->row_day ||
                      before->row_bytes != series->row_bytes;
    return 0;
}

/* --- What was written last */

/* The update of a type among those of the exchange, which begin at ${first}. NULL without
 * memory. */
static struct history_update *find_update(struct history *made, uint32_t first,
                                          const char *exchange, const char *type)
{
    uint32_t at = first;

    while (at < made->update_count && strcmp(made->updates[at].type, type) < 0)
        at++;
    if (at < made->update_count && strcmp(made->updates[at].type, type) == 0)
        return &made->updates[at];
    if (made->update_count == made->update_room) {
        uint32_t room = 2 * made->update_room + 16;
        void *grown = realloc(made->updates, room * sizeof(*made->updates));

        if (grown == NULL)
            return NULL;
        made->updates = grown;
        made->update_room = room;
    }
    memmove(&made->updates[at + 1], &made->updates[at],
            (made->update_count++ - at) * sizeof(*made->updates));
    made->updates[at] = (struct history_update){ .exchange = exchange, .type = type };
    return &made->updates[at];
}

static void learn_update(struct history_update *update, const struct history_series *series,
                         const char *symbol)
{
    if (series->newest > update->newest) {
        update->newest = series->newest;
        update->symbol = symbol;
    }
    if (series->row_day != INT32_MIN &&
        (update->row_symbol == NULL || series->row_day > update->row_day ||
         (series->row_day == update->row_day && series->row_modified > update->row_modified))) {
        update->row_symbol = symbol;
        update->row_day = series->row_day;
        update->row_modified = series->row_modified;
    }
}

static int update_symbol(struct history *made, uint32_t first,
                         const struct catalog_exchange *exchange,
                         const struct catalog_symbol *symbol)
{
    for (uint32_t i = 0; i < symbol->type_count; i++) {
        uint32_t place = symbol->first_type + i;
        struct history_update *update =
            find_update(made, first, exchange->name, catalog_type(made->catalog, place));

        if (update == NULL)
            return -1;
        learn_update(update, &made->series[place], symbol->name);
    }
    return 0;
}

/* From all series. Returns 0, or -1 without memory. */
static int update_all(struct history *made)
{
    const struct catalog *catalog = made->catalog;

    for (uint32_t e = 0; e < catalog->exchange_count; e++) {
        const struct catalog_exchange *exchange = &catalog->exchanges[e];
        uint32_t first = made->update_count;

        for (uint32_t i = 0; i < exchange->symbol_count; i++) {
            if (update_symbol(made, first, exchange,
                              &catalog->symbols[exchange->first_symbol + i]))
                return -1;
        }
    }
    return 0;
}

/* --- All of them */

static int fill_symbol(struct build *build, const struct catalog_exchange *exchange,
                       const struct catalog_symbol *symbol)
{
    for (uint32_t i = 0; i < symbol->type_count; i++) {
        if (fill_series(build, exchange, symbol, symbol->first_type + i))
            return -1;
    }
    return 0;
}

/* The time of the last row where the newest one is looked for. */
static int64_t read_row(const struct build *build, const struct history_update *update)
{
    char file[NAME_FILE], path[CATALOG_PATH + NAME_FILE];
    struct stat found;
    uint32_t seconds;
    bool read = false;

    snprintf(path, sizeof(path), "%s/%s/%s/%s", update->exchange, update->row_symbol,
             update->type, name_file(SLICE("time"), update->row_day, file));
    int fd = root_open(build->job->load.root, path, O_RDONLY);
    if (fd < 0)
        return -1;
    if (fstat(fd, &found) == 0 && found.st_size >= TIME_BYTES) {
        off_t last = found.st_size / TIME_BYTES * TIME_BYTES - TIME_BYTES;

        read = pread(fd, &seconds, TIME_BYTES, last) == TIME_BYTES;
    }
    close(fd);
    return read ? (int64_t)le32toh(seconds) : -1;
}

static int fill(struct build *build)
{
    const struct catalog *catalog = build->catalog;

    for (uint32_t e = 0; e < catalog->exchange_count; e++) {
        const struct catalog_exchange *exchange = &catalog->exchanges[e];

        for (uint32_t i = 0; i < exchange->symbol_count; i++) {
            if (snapshot_cancelled(build->job)) {
                snapshot_fail(build->job, ECANCELED, exchange->name);
                return -1;
            }
            if (fill_symbol(build, exchange, &catalog->symbols[exchange->first_symbol + i]))
                return -1;
        }
    }
    if (update_all(build->made)) {
        snapshot_fail(build->job, ENOMEM, NULL);
        return -1;
    }
    for (uint32_t i = 0; build->changed && i < build->made->update_count; i++) {
        struct history_update *update = &build->made->updates[i];

        update->row = update->row_symbol == NULL ? -1 : read_row(build, update);
    }
    return 0;
}

static void free_history(struct snapshot *snapshot)
{
    struct history *history = (struct history *)snapshot;

    free(history->series);
    free(history->updates);
    free(history);
}

static struct history *new_history(const struct catalog *catalog)
{
    struct history *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return NULL;
    made->snapshot.free = free_history;
    made->catalog = catalog;
    made->series = calloc(catalog->type_count + 1, sizeof(*made->series));
    if (made->series == NULL) {
        free(made);
        return NULL;
    }
    return made;
}

static void weigh(struct history *made)
{
    made->snapshot.bytes = sizeof(*made) + made->catalog->type_count * sizeof(*made->series) +
                           made->update_room * sizeof(*made->updates);
}

static void build_history(struct snapshot_job *job)
{
    struct build build = {
        .job = job,
        .catalog = (const struct catalog *)job->base,
        .before = (const struct history *)job->before,
        .changed = job->before == NULL || job->before->base != job->base,
    };

    build.made = new_history(build.catalog);
    if (build.made == NULL) {
        snapshot_fail(job, ENOMEM, NULL);
        return;
    }
    if (fill(&build) || !build.changed) {
        free_history(&build.made->snapshot);
        return;
    }
    weigh(build.made);
    job->made = &build.made->snapshot;
}

/* --- For other workers: the series, as they are, and the rows of the updates */

static_assert(sizeof(struct history_series) == 4 * sizeof(int64_t) + 6 * sizeof(int32_t),
              "no gaps");

static int save_history(const struct snapshot *snapshot, struct buf *to)
{
    const struct history *history = (const struct history *)snapshot;

    if (buf_append(to, (const char *)history->series,
                   history->catalog->type_count * sizeof(*history->series)))
        return -1;
    for (uint32_t i = 0; i < history->update_count; i++) {
        if (buf_append(to, (const char *)&history->updates[i].row, sizeof(int64_t)))
            return -1;
    }
    return 0;
}

/* Whether it is a day, or says that there is ${none}. */
static bool is_day(int32_t day, int32_t none)
{
    return day == none || (day >= DATE_FIRST && day <= DATE_LAST);
}

static bool is_sound(const struct history *made)
{
    bool sound = true;

    for (uint32_t i = 0; sound && i < made->catalog->type_count; i++) {
        const struct history_series *series = &made->series[i];

        sound = is_day(series->first, INT32_MAX) && is_day(series->last, INT32_MIN) &&
                is_day(series->before_last, INT32_MIN) && is_day(series->newest_day, 0) &&
                is_day(series->row_day, INT32_MIN);
    }
    return sound;
}

static int load_rows(struct history *made, struct slice bytes)
{
    if (bytes.len != made->update_count * sizeof(int64_t))
        return -1;
    for (uint32_t i = 0; i < made->update_count; i++)
        memcpy(&made->updates[i].row, bytes.at + i * sizeof(int64_t), sizeof(int64_t));
    return 0;
}

static struct snapshot *load_history(struct slice bytes, const struct snapshot *base)
{
    const struct catalog *catalog = (const struct catalog *)base;
    size_t len = catalog->type_count * sizeof(struct history_series);
    struct history *made = bytes.len < len ? NULL : new_history(catalog);

    if (made == NULL)
        return NULL;
    if (len > 0)
        memcpy(made->series, bytes.at, len);
    if (!is_sound(made) || update_all(made) ||
        load_rows(made, (struct slice){ bytes.at + len, bytes.len - len })) {
        free_history(&made->snapshot);
        return NULL;
    }
    weigh(made);
    return &made->snapshot;
}

static const struct snapshot_kind kind = {
    .place = STORE_HISTORY,
    .build = build_history,
    .save = save_history,
    .load = load_history,
};

enum snapshot_result history_get(struct store *store, struct catalog *catalog,
                                 struct load_waiter *waiter, struct history **history)
{
    return snapshot_get(store, &kind, &catalog->snapshot, waiter, (struct snapshot **)history);
}

const struct history *history_latest(struct store *store, uint64_t age)
{
    const struct catalog *catalog = catalog_latest(store, age);

    if (catalog == NULL)
        return NULL;
    return (const struct history *)snapshot_latest(store, &kind,
                                                   (struct snapshot *)&catalog->snapshot, age);
}

int64_t history_wall(const struct store *store)
{
    return snapshot_wall(store, &kind);
}

uint64_t history_took(const struct store *store)
{
    return snapshot_took(store, &kind);
}
