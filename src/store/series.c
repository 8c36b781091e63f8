#include "store/series.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "store/seriesload.h"
#include "system/stats.h"

/* How often a directory is tried again when the system had no file left for it, each time with
 * one day fewer kept. */
#define TRIES 8

static struct series *of_entry(struct lru_entry *entry)
{
    return (struct series *)((char *)entry - offsetof(struct series, entry));
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
    column->id = store->facts.shared ? names_id(&store->facts.names, name) : 0;
    return 0;
}

static struct series *make(struct slice exchange, struct slice symbol, struct slice type)
{
    struct series *series = calloc(1, sizeof(*series));
    char *at;

    if (series == NULL)
        return NULL;
    at = series->path;
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

static uint64_t hash_names(struct slice exchange, struct slice symbol, struct slice type)
{
    uint64_t hash = lru_hash(exchange.at, exchange.len, 1);

    hash = lru_hash(symbol.at, symbol.len, hash);
    return lru_hash(type.at, type.len, hash);
}

static struct series *find(const struct store *store, uint64_t hash, struct slice exchange,
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

/* --- What came of reading the directory */

/* The series has this column now, whether it was known or not. */
static int meet_column(struct store *store, struct series *series, struct slice name)
{
    int place = find_column(series, name);

    if (place < 0)
        return add_column(store, series, name);
    series->columns[place].present = true;
    return 0;
}

/* Take over days and columns: what others have told, or what was read. */
static int take_contents(struct store *store, struct series *series,
                         const struct seriesload *seriesload)
{
    const struct fact_series *fact = &seriesload->fact;
    int result = 0;

    for (unsigned i = 0; i < series->column_count; i++)
        series->columns[i].present = false;
    if (seriesload->as_known) {
        series->days = fact->days;
        for (unsigned i = 0; result == 0 && i < fact->column_count; i++)
            result =
                meet_column(store, series, names_of(&store->facts.names, fact->columns[i]));
    } else {
        series->days = seriesload->days;
        for (unsigned i = 0; result == 0 && i < seriesload->column_count; i++)
            result = meet_column(store, series, slice_of(seriesload->columns[i]));
    }
    return result;
}

/* Tell others. */
static void publish(struct store *store, const struct series *series)
{
    struct fact_series fact = {
        .directory = series->directory,
        .dirty = series->dirty,
        .checked = series->checked,
        .days = series->days,
    };

    for (unsigned i = 0; i < series->column_count; i++) {
        if (!series->columns[i].present)
            continue;
        if (series->columns[i].id == 0 || fact.column_count == FACT_COLUMNS_MAX)
            return;
        fact.columns[fact.column_count++] = series->columns[i].id;
    }
    facts_put_series(&store->facts, series->names, store->now, &fact);
}

static int install(struct store *store, struct seriesload *seriesload)
{
    struct series *series = seriesload->series;

    if (seriesload->fresh) {
        series->names =
            facts_names(&store->facts, series->exchange, series->symbol, series->type);
        if (add_column(store, series, SLICE("time")))
            return -1;
    }
    if (take_contents(store, series, seriesload))
        return -1;
    series->directory = seriesload->directory;
    series->dirty = seriesload->dirty;
    series->checked = seriesload->started;
    if (!seriesload->as_known) {
        log_info("%s: read %u days, %u columns", series->path,
                 days_count(&series->days, DATE_FIRST, DATE_LAST), series->column_count);
        publish(store, series);
    }
    return 0;
}

static void enter(struct store *store, struct series *series)
{
    /* Cached days hold their series: the oldest days go until a series can. */
    while (store->series.count >= store->config->max_series &&
           (lru_evict(&store->series) || lru_evict(&store->days)))
        ;
    lru_add(&store->series, &series->entry,
            hash_names(series->exchange, series->symbol, series->type));
    stats_set(STATS_series_known, store->series.count);
}

/* The system was out of files: once more, with one day fewer kept. */
static bool try_again(struct store *store, struct seriesload *seriesload)
{
    int error = seriesload->error;

    if ((error != EMFILE && error != ENFILE) || ++seriesload->tries == TRIES ||
        !lru_evict(&store->days))
        return false;
    seriesload->error = 0;
    load_start(store, &seriesload->load);
    return true;
}

static enum load_result take_over(struct store *store, struct seriesload *seriesload)
{
    struct series *series = seriesload->series;

    if (load_is_stray(&seriesload->load))
        return LOAD_AGAIN;
    if (seriesload->error == 0 && install(store, seriesload)) {
        seriesload->error = ENOMEM;
        failure_set(&seriesload->failure, 503, NULL, "out of memory");
    }
    store_outage(store, seriesload->rootless);
    if (seriesload->error != 0) {
        if (seriesload->failure.status >= 500 && !seriesload->rootless)
            trouble_tell(&store->troubles, store->now, TROUBLE_READING, series->path,
                         seriesload->failure.reason);
        lru_drop(&store->series, &series->entry);
        return LOAD_FAILED;
    }
    if (trouble_known(&store->troubles))
        trouble_over(&store->troubles, TROUBLE_READING, series->path);
    if (seriesload->fresh)
        enter(store, series);
    return LOAD_OK;
}

static void settle(struct load *load)
{
    struct seriesload *seriesload = (struct seriesload *)load;
    struct series *series = seriesload->series;
    struct store *store = load->store;

    if (try_again(store, seriesload))
        return;
    enum load_result result = take_over(store, seriesload);
    load_end(load, result, &seriesload->failure, &store->series, &series->entry);
    series_release(store, series);
    seriesload_free(seriesload);
}

/* --- Asking for it */

static struct load *find_under_way(const struct store *store, const char *path)
{
    for (struct load *load = store->loads; load != NULL; load = load->next) {
        const struct seriesload *seriesload = (const struct seriesload *)load;

        if (load->read == seriesload_read && strcmp(seriesload->path, path) == 0)
            return load;
    }
    return NULL;
}

static struct seriesload *prepare(struct store *store, struct series *series, bool fresh)
{
    struct seriesload *seriesload = calloc(1, sizeof(*seriesload));

    if (seriesload == NULL || (seriesload->load.root = root_share(store->root)) == NULL) {
        free(seriesload);
        return NULL;
    }
    seriesload->load.read = seriesload_read;
    seriesload->load.settle = settle;
    seriesload->series = series;
    seriesload->fresh = fresh;
    memcpy(seriesload->path, series->path, sizeof(series->path));
    seriesload->ends[0] = series->exchange.len;
    seriesload->ends[1] = seriesload->ends[0] + 1 + series->symbol.len;
    seriesload->ends[2] = seriesload->ends[1] + 1 + series->type.len;
    seriesload->wall = store->wall * 1000000000;
    seriesload->started = store->now;
    struct fact_names names =
        facts_known_names(&store->facts, series->exchange, series->symbol, series->type);
    seriesload->known = facts_find_series(&store->facts, names, store->now, &seriesload->fact);
    return seriesload;
}

/* Have the directory of ${series}, which is to be put into the store if it is ${fresh}, read.
 */
static void fetch(struct store *store, struct series *series, bool fresh,
                  struct load_waiter *waiter)
{
    struct load *load = find_under_way(store, series->path);
    struct seriesload *seriesload = NULL;

    lru_pin(&store->series, &series->entry); /* released by settle */
    if (load != NULL) {
        load_await(waiter, load);
    } else if (!load_has_room(store)) {
        load_await_any(waiter, store);
    } else if ((seriesload = prepare(store, series, fresh)) == NULL) {
        load_deny(waiter);
    } else {
        load_await(waiter, &seriesload->load);
        load_start(store, &seriesload->load);
        return;
    }
    series_release(store, series);
}

/* Whether another process has seen, not long ago, that the directory is as we know it. */
static bool is_known_same(struct store *store, struct series *series)
{
    struct fact_series fact;

    if (!facts_find_series(&store->facts, series->names, store->now, &fact) ||
        fact.checked < store->root_since || store_stale(store, fact.checked) ||
        fact.dirty != 0 || !filestate_same(&fact.directory, &series->directory))
        return false;
    series->checked = fact.checked;
    return true;
}

enum look { SAME, CHANGED, OTHER };

/* Look at the directory again. */
static enum look look_again(struct store *store, struct series *series)
{
    struct stat found;

    if (!series->dirty && is_known_same(store, series))
        return SAME;
    if (root_stat(store->root, series->path, &found))
        return OTHER;
    struct filestate directory = seriesload_state(&found);
    if (!filestate_id_same(directory.id, series->directory.id))
        return OTHER;
    if (series->dirty || !filestate_same(&directory, &series->directory))
        return CHANGED;
    series->checked = store->now;
    publish(store, series);
    return SAME;
}

/* The series in the table, if it is up to date; NULL after something was begun to make it so.
 */
static struct series *get_known(struct store *store, struct series *series, bool just_read,
                                struct load_waiter *waiter)
{
    if (just_read || !store_stale(store, series->checked))
        return series;
    switch (look_again(store, series)) {
    case SAME:
        return series;
    case CHANGED:
        fetch(store, series, false, waiter);
        return NULL;
    case OTHER:
        break;
    }
    struct series *fresh = make(series->exchange, series->symbol, series->type);
    lru_drop(&store->series, &series->entry);
    if (fresh == NULL)
        load_deny(waiter);
    else
        fetch(store, fresh, true, waiter);
    return NULL;
}

enum series_result series_get(struct store *store, struct slice exchange, struct slice symbol,
                              struct slice type, struct load_waiter *waiter,
                              struct series **series)
{
    uint64_t hash = hash_names(exchange, symbol, type);
    struct series *found, *fresh;

    do {
        bool settled = waiter->settled;
        struct lru_entry *just_read = waiter->found;

        if (settled && waiter->result == LOAD_FAILED) {
            load_leave(waiter);
            return SERIES_FAILED;
        }
        found = find(store, hash, exchange, symbol, type);
        load_leave(waiter); /* which held it until it was found */
        if (found != NULL) {
            *series = get_known(store, found, &found->entry == just_read, waiter);
            if (*series != NULL) {
                lru_pin(&store->series, &found->entry);
                return SERIES_OK;
            }
        } else if ((fresh = make(exchange, symbol, type)) == NULL) {
            load_deny(waiter);
        } else {
            fetch(store, fresh, true, waiter);
        }
    } while (waiter->settled);
    return SERIES_WAIT;
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
    free(series->columns);
    free(series);
}
