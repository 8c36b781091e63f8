#include "store/dayfetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/dayfresh.h"
#include "store/dayload.h"
#include "system/stats.h"

/* How often files are tried again when the system had none left, each time with one day fewer
 * kept. */
#define TRIES 8

void dayfetch_tell_order(const struct store *store, struct day *day)
{
    bool refused = store->config->unsorted == CONFIG_UNSORTED_ERROR;
    char path[DAYFILE_PATH];

    if (!day->index.steps_back || day->told)
        return;
    day->told = true;
    (refused ? log_error : log_notice)("%s steps back in time at row %llu (counted from 0)",
                                       day_path(day->series, day->number, SERIES_TIME, path),
                                       (unsigned long long)day->index.first_step);
}

/* Whether the system is out of something that a file less would give back. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* Say what is wrong with a file. */
static void explain(struct store *store, const struct dayload *dayload, unsigned column,
                    int error, struct failure *failure)
{
    char path[DAYFILE_PATH];

    day_path(dayload->series, dayload->number, column, path);
    if (is_shortage(error))
        failure_set(failure, 503, NULL, "out of files or memory");
    else if (error == EINVAL)
        failure_set(failure, 500, NULL, "%s is not a regular file", path);
    else if (error == EXDEV || error == ELOOP)
        failure_set(failure, 500, NULL,
                    "%s is a link that leads out of the data directory, or in circles", path);
    else
        failure_set(failure, 500, NULL, "%s cannot be read: %s", path, strerror(error));
    /* Of a day that was only read ahead that is said when somebody asks for it. */
    if (dayload->day == NULL && dayload->load.waiters == NULL)
        return;
    if (is_shortage(error))
        log_error("%s: %s", path, failure->reason);
    else
        trouble_tell(&store->troubles, store->now, TROUBLE_READING, path, failure->reason);
}

/* What was looked at can be read, or is not there. */
static void calm(struct store *store, const struct dayload *dayload)
{
    if (!trouble_known(&store->troubles))
        return;
    for (unsigned i = 0; i < dayload->count; i++) {
        const struct dayload_file *wanted = &dayload->files[i];

        if (wanted->file != NULL || wanted->error == ENOENT)
            trouble_over(&store->troubles, TROUBLE_READING, wanted->path);
    }
    if (dayload->index_wanted)
        trouble_over(&store->troubles, TROUBLE_READING, dayload->time_path);
}

/* --- What came of it */

/* Let others know what was found at the paths. */
static void publish(struct store *store, const struct dayload *dayload)
{
    const struct series *series = dayload->series;

    for (unsigned i = 0; i < dayload->count; i++) {
        const struct dayload_file *opened = &dayload->files[i];
        struct fact_file fact = { .checked = dayload->started };

        if (opened->file != NULL)
            fact.state = opened->file->state;
        else
            fact.absent = 1;
        facts_put_file(&store->facts, series->names, series->columns[opened->column].id,
                       dayload->number, store->now, &fact);
    }
}

/* Make places in the day for all columns of its series. */
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

/* Take over the files. */
static int take_files(struct store *store, struct day *day, struct dayload *dayload)
{
    if (make_places(day))
        return -1;
    publish(store, dayload);
    for (unsigned i = 0; i < dayload->count; i++) {
        struct dayload_file *opened = &dayload->files[i];

        day->absent[opened->column] = opened->file == NULL;
        if (opened->file == NULL)
            continue;
        day->files[opened->column] = opened->file;
        opened->file = NULL;
        store->files_open++;
        stats_add(STATS_files_opened, 1);
        stats_add(STATS_files_mapped, 1);
        stats_add(STATS_bytes_mapped, day->files[opened->column]->mapped);
        store->bytes_mapped += day->files[opened->column]->mapped;
    }
    return 0;
}

/* Take over what is known of the rows. */
static void take_index(struct store *store, struct day *day, const struct dayload *dayload)
{
    const struct timeindex *index = &dayload->known.known.index;

    if (index->rows >= day->index.rows)
        day->index = *index;
    dayfetch_tell_order(store, day);
    day->fenced = index->rows;
    if (!dayload->known_is_news)
        day_fenced(store, day);
    else
        facts_put_times(&store->facts, day->series->names, day->number, store->now,
                        &dayload->known, &day->fences);
    if (!timeindex_fenceable(index))
        day->fences = (struct cache_hint){ 0 };
}

/* The first file that could not be opened though it is there; NULL if there is none. */
static const struct dayload_file *find_unreadable(const struct dayload *dayload)
{
    for (unsigned i = 0; i < dayload->count; i++) {
        if (dayload->files[i].error != 0 && dayload->files[i].error != ENOENT)
            return &dayload->files[i];
    }
    return NULL;
}

/* Whether the time file is not what it was when its rows were read. */
static bool time_has_changed(const struct dayload *dayload)
{
    struct dayfile *time =
        dayload->day != NULL ? dayload->day->files[SERIES_TIME] : dayload->files[0].file;

    return dayfile_look(time) == DAYFILE_OTHER;
}

static enum load_result judge(struct store *store, const struct dayload *dayload,
                              struct failure *failure)
{
    const struct dayload_file *unreadable = find_unreadable(dayload);

    if (dayload->day == NULL && dayload->files[0].error == ENOENT)
        return LOAD_ABSENT;
    if (unreadable != NULL) {
        explain(store, dayload, unreadable->column, unreadable->error, failure);
        return LOAD_FAILED;
    }
    if (dayload->index_broken && !time_has_changed(dayload)) {
        explain(store, dayload, SERIES_TIME, EIO, failure);
        return LOAD_FAILED;
    }
    return dayload->replaced || dayload->index_broken ? LOAD_CHANGED : LOAD_OK;
}

/* The day to put all into, pinned: a new one if there is none. */
static struct day *make_day(struct store *store, struct dayload *dayload)
{
    struct day *day = day_new(store, dayload->series, dayload->number);

    if (day != NULL) {
        day->checked = dayload->started;
        day_hold(store, day);
    }
    return day;
}

static enum load_result install(struct store *store, struct dayload *dayload,
                                struct failure *failure)
{
    bool fresh = dayload->day == NULL;

    if (fresh)
        dayload->day = make_day(store, dayload);
    if (dayload->day == NULL || take_files(store, dayload->day, dayload)) {
        failure_set(failure, 503, NULL, "out of memory");
        if (fresh && dayload->day != NULL)
            day_drop(store, dayload->day);
        return LOAD_FAILED;
    }
    if (dayload->index_wanted)
        take_index(store, dayload->day, dayload);
    return LOAD_OK;
}

/* The system was out of files: once more, with one day fewer kept. */
static bool try_again(struct store *store, struct dayload *dayload)
{
    const struct dayload_file *unreadable = find_unreadable(dayload);

    if (unreadable == NULL || !is_shortage(unreadable->error) || ++dayload->tries == TRIES ||
        !lru_evict(&store->days))
        return false;
    for (unsigned i = 0; i < dayload->count; i++) {
        dayfile_close(dayload->files[i].file);
        dayload->files[i].file = NULL;
        dayload->files[i].error = 0;
    }
    load_start(store, &dayload->load);
    return true;
}

static void settle(struct load *load)
{
    struct dayload *dayload = (struct dayload *)load;
    struct store *store = load->store;
    struct failure failure = { 0 };

    if (try_again(store, dayload))
        return;
    store->files_open -= dayload->count; /* they were reserved */
    enum load_result result =
        load_is_stray(load) ? LOAD_AGAIN : judge(store, dayload, &failure);
    if (result == LOAD_OK || result == LOAD_ABSENT)
        calm(store, dayload);
    if (result == LOAD_OK)
        result = install(store, dayload, &failure);
    struct day *day = dayload->day;
    if (result == LOAD_CHANGED && day != NULL)
        day_drop(store, day);
    load_end(load, result, &failure, &store->days, day == NULL ? NULL : &day->entry);
    if (day != NULL) {
        day->fencing = false;
        day_release(store, day);
    }
    series_release(store, dayload->series);
    dayload_free(dayload);
}

/* --- Asking for it */

static struct load *find_under_way(const struct store *store, const struct series *series,
                                   int32_t number)
{
    for (struct load *load = store->loads; load != NULL; load = load->next) {
        const struct dayload *dayload = (const struct dayload *)load;

        if (load->read == dayload_read && dayload->series == series &&
            dayload->number == number)
            return load;
    }
    return NULL;
}

/* Whether all that the load opens is wanted by who wants ${columns}. */
static bool is_all_wanted(const struct load *load, struct day_columns columns)
{
    const struct dayload *dayload = (const struct dayload *)load;

    for (unsigned i = 0; i < dayload->count; i++) {
        unsigned column = dayload->files[i].column, j = 0;

        while (j < columns.count && columns.places[j] != column)
            j++;
        if (column != SERIES_TIME && j == columns.count)
            return false;
    }
    return true;
}

/* Wait for what is under way for that day, or for room. Returns whether there is something to
 * wait for. */
static bool await_others(struct store *store, const struct series *series, int32_t number,
                         struct day_columns columns, struct load_waiter *waiter)
{
    struct load *load = find_under_way(store, series, number);

    if (load == NULL && load_has_room(store))
        return false;
    if (waiter == NULL)
        return true;
    if (load == NULL)
        load_await_any(waiter, store);
    else if (is_all_wanted(load, columns))
        load_await(waiter, load);
    else
        load_await_partly(waiter, load);
    return true;
}

/* A load of some files; NULL after the waiter was told that there is no memory. */
static struct dayload *prepare(struct store *store, struct series *series, int32_t number,
                               unsigned count, struct load_waiter *waiter)
{
    struct dayload *dayload = dayload_new(count);

    if (dayload == NULL || (dayload->load.root = root_share(store->root)) == NULL) {
        if (dayload != NULL)
            dayload_free(dayload);
        if (waiter != NULL)
            load_deny(waiter);
        return NULL;
    }
    dayload->load.read = dayload_read;
    dayload->load.settle = settle;
    dayload->series = series;
    dayload->number = number;
    dayload->started = store->now;
    dayload->current = dayfresh_current(store, number);
    dayload->recent = dayfresh_recent(store);
    series_hold(store, series);
    return dayload;
}

static void start(struct store *store, struct dayload *dayload, struct load_waiter *waiter)
{
    struct cache_hint ignored;

    for (unsigned i = 0; i < dayload->count; i++)
        day_path(dayload->series, dayload->number, dayload->files[i].column,
                 dayload->files[i].path);
    day_path(dayload->series, dayload->number, SERIES_TIME, dayload->time_path);
    if (dayload->index_wanted &&
        !facts_find_times(&store->facts, dayload->series->names, dayload->number, store->now,
                          &dayload->known, &ignored))
        memset(&dayload->known, 0, sizeof(dayload->known));
    /* What answers under way hold may exceed the limit: a slow reader must not keep others from
     * theirs. */
    store->files_open += dayload->count;
    while ((store->files_open > store->config->max_mapped ||
            store->bytes_mapped > store->config->max_mapped_bytes) &&
           lru_evict(&store->days))
        ;
    if (waiter != NULL)
        load_await(waiter, &dayload->load);
    load_start(store, &dayload->load);
}

/* Have a column's file opened, once. */
static void want(struct dayload *dayload, unsigned column)
{
    for (unsigned i = 0; i < dayload->count; i++) {
        if (dayload->files[i].column == column)
            return;
    }
    dayload->files[dayload->count++].column = column;
}

void dayfetch_day(struct store *store, struct series *series, int32_t number,
                  struct day_columns columns, struct load_waiter *waiter)
{
    if (await_others(store, series, number, columns, waiter))
        return;
    struct dayload *dayload = prepare(store, series, number, columns.count + 1, waiter);
    if (dayload == NULL)
        return;
    dayload->index_wanted = true;
    dayload->count = 0;
    want(dayload, SERIES_TIME);
    for (unsigned i = 0; i < columns.count; i++)
        want(dayload, columns.places[i]);
    start(store, dayload, waiter);
}

/* Be about a day that is there. */
static void refer_to(struct store *store, struct dayload *dayload, struct day *day)
{
    dayload->day = day;
    dayload->time = day->files[SERIES_TIME]->state;
    dayload->times = day_times(day);
    dayload->rows = dayload->time.size / sizeof(uint32_t);
    dayload->index = day->index;
    day_hold(store, day);
}

void dayfetch_columns(struct store *store, struct day *day, struct day_columns columns,
                      struct load_waiter *waiter)
{
    if (await_others(store, day->series, day->number, columns, waiter))
        return;
    struct dayload *dayload = prepare(store, day->series, day->number, columns.count, waiter);
    if (dayload == NULL)
        return;
    dayload->count = 0;
    for (unsigned i = 0; i < columns.count; i++) {
        unsigned place = columns.places[i];

        if (day_file(day, place) == NULL && (place >= day->file_count || !day->absent[place]))
            want(dayload, place);
    }
    refer_to(store, dayload, day);
    start(store, dayload, waiter);
}

void dayfetch_index(struct store *store, struct day *day, struct load_waiter *waiter)
{
    const struct day_columns none = { NULL, 0 };

    if (await_others(store, day->series, day->number, none, waiter))
        return;
    struct dayload *dayload = prepare(store, day->series, day->number, 0, waiter);
    if (dayload == NULL)
        return;
    dayload->index_wanted = true;
    day->fencing = true;
    refer_to(store, dayload, day);
    start(store, dayload, waiter);
}
