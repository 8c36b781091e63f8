#include "store/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/name.h"
#include "store/catalogcopy.h"
#include "store/lru.h"
#include "store/root.h"

/* A directory read this soon after its modification, in nanoseconds, may still change unseen.
 */
#define SETTLED INT64_C(2000000000)

/* What a build works with. */
struct build {
    struct snapshot_job *job;
    const struct catalog *before; /* NULL: none */
    struct catalog *made;
};

catalog_mark catalog_mark_of(const struct stat *found, int64_t wall)
{
    int64_t mtime = (int64_t)found->st_mtim.tv_sec * 1000000000 + found->st_mtim.tv_nsec;
    int64_t changed = (int64_t)found->st_ctim.tv_sec * 1000000000 + found->st_ctim.tv_nsec;

    if (wall - mtime < SETTLED)
        return 0;
    uint64_t file = lru_hash_words(found->st_dev, found->st_ino);
    return lru_hash_words(file ^ (uint64_t)mtime, (uint64_t)changed) | 1;
}

/* --- Names in a directory */

struct list {
    char **names;
    size_t count, room;
    bool links; /* where they lead can change without the directory */
    catalog_mark mark;
};

static void list_free(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct list){ 0 };
}

static int list_add(struct list *list, const char *name)
{
    if (list->count == list->room) {
        size_t room = 2 * list->room + 64;
        char **grown = realloc(list->names, room * sizeof(*grown));

        if (grown == NULL)
            return -1;
        list->names = grown;
        list->room = room;
    }
    if ((list->names[list->count] = strdup(name)) == NULL)
        return -1;
    list->count++;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the entry is itself. */
static unsigned char type_of(DIR *directory, const struct dirent *entry)
{
    struct stat found;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type;
    return fstatat(dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW)
               ? DT_UNKNOWN
               : (unsigned char)IFTODT(found.st_mode);
}

/* Whether the link ${name} in the directory ${path} leads to a directory beneath DATA. */
static bool leads_on(const struct build *build, const char *path, const char *name)
{
    char whole[CATALOG_PATH + 1];
    int len = snprintf(whole, sizeof(whole), "%s/%s", path, name);

    if (len >= (int)sizeof(whole))
        return false;
    watch_link(&build->job->watch, whole);
    int fd = root_open(build->job->load.root, whole, O_PATH | O_DIRECTORY);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int read_names(const struct build *build, const char *path, DIR *directory,
                      struct list *list)
{
    struct dirent *entry;

    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        const char *name = entry->d_name;

        if (!name_valid(slice_of(name)))
            continue;
        unsigned char type = type_of(directory, entry);
        list->links |= type == DT_LNK;
        if (type != DT_DIR && (type != DT_LNK || !leads_on(build, path, name)))
            continue;
        if (list_add(list, name)) {
            errno = ENOMEM;
            return -1;
        }
    }
    if (errno != 0)
        return -1;
    if (list->count > 0)
        qsort(list->names, list->count, sizeof(char *), compare_names);
    return 0;
}

/* Read the directories in ${path}. Returns 0; or -1 with errno. */
static int list_read(const struct build *build, const char *path, struct list *list)
{
    struct stat found;
    int fd = root_open(build->job->load.root, path, O_RDONLY | O_DIRECTORY);
    DIR *directory = fd < 0 || fstat(fd, &found) ? NULL : fdopendir(fd);

    if (directory == NULL) {
        int error = errno;

        if (fd >= 0)
            close(fd);
        errno = error;
        return -1;
    }
    int result = read_names(build, path, directory, list), error = errno;
    list->mark = list->links ? 0 : catalog_mark_of(&found, build->job->wall);
    closedir(directory);
    errno = error;
    return result;
}

/* What to do about a directory that cannot be read. Returns 0 if it is just not there any more,
 * or not for us; else -1. */
static int forgive(const struct build *build, const char *path)
{
    int error = errno;

    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EXDEV:
    case ELOOP:
        return 0;
    case EACCES:
        log_info("%s cannot be read: it is not listed", path);
        return 0;
    default:
        snapshot_fail(build->job, error, path);
        return -1;
    }
}

/* --- Growing the catalog */

static int out_of_memory(const struct build *build)
{
    snapshot_fail(build->job, ENOMEM, NULL);
    return -1;
}

/* Room for one more of ${count} things of ${size} bytes. Returns 0, or -1 without memory. */
static int make_room(void *things, uint32_t count, uint32_t *room, size_t size)
{
    void **at = things;

    if (count < *room)
        return 0;
    uint32_t more = 2 * *room + 64;
    void *grown = realloc(*at, more * size);
    if (grown == NULL)
        return -1;
    *at = grown;
    *room = more;
    return 0;
}

/* A valid name fits; what is left of the room becomes zeros. */
static void keep_name(char to[NAME_MAX_BYTES + 1], const char *name)
{
    size_t len = strlen(name);

    memcpy(to, name, len);
    memset(to + len, '\0', NAME_MAX_BYTES + 1 - len);
}

/* Find the place of a type's name, or make one. Types have few names: this one has mostly been
 * met among the last. Returns 0, or -1 without memory. */
static int place_type(struct catalog *made, const char *name, uint32_t *place)
{
    for (uint32_t i = made->type_name_count, tries = 32; i-- > 0 && tries-- > 0;) {
        if (strcmp(made->type_names[i].name, name) == 0) {
            *place = i;
            return 0;
        }
    }
    if (make_room(&made->type_names, made->type_name_count, &made->type_name_room,
                  sizeof(*made->type_names)))
        return -1;
    *place = made->type_name_count++;
    keep_name(made->type_names[*place].name, name);
    return 0;
}

static int add_type(const struct build *build, struct catalog_symbol *symbol, const char *name)
{
    struct catalog *made = build->made;

    if (symbol->type_count == CATALOG_TYPES_MAX)
        return 0;
    uint32_t place;
    if (place_type(made, name, &place) ||
        make_room(&made->types, made->type_count, &made->type_room, sizeof(*made->types)))
        return out_of_memory(build);
    made->types[made->type_count++] = place;
    symbol->type_count++;
    return 0;
}

/* --- Symbols */

/* What was known before of a symbol, if its directory has not changed since; else NULL. */
static const struct catalog_symbol *find_unchanged(const struct build *build,
                                                   const struct catalog_exchange *before,
                                                   const char *name, const char *path)
{
    const struct catalog_symbol *symbol =
        before == NULL ? NULL : catalog_symbol(build->before, before, name);
    struct stat found;

    if (symbol == NULL || symbol->mark == 0 || root_stat(build->job->load.root, path, &found) ||
        catalog_mark_of(&found, build->job->wall) != symbol->mark)
        return NULL;
    return symbol;
}

static int read_types(const struct build *build, struct catalog_symbol *symbol,
                      const char *path)
{
    struct list list = { 0 };
    int result = list_read(build, path, &list);

    if (result) {
        result = forgive(build, path) ? -1 : 1;
    } else {
        symbol->mark = list.mark;
        for (size_t i = 0; i < list.count && result == 0; i++)
            result = add_type(build, symbol, list.names[i]);
    }
    list_free(&list);
    return result;
}

static int copy_types(const struct build *build, struct catalog_symbol *symbol,
                      const struct catalog_symbol *before)
{
    symbol->mark = before->mark;
    for (unsigned i = 0; i < before->type_count; i++) {
        if (add_type(build, symbol, catalog_type(build->before, before->first_type + i)))
            return -1;
    }
    return 0;
}

/* Returns 1 if it is left out. */
static int add_symbol(struct build *build, const struct catalog_exchange *exchange,
                      const struct catalog_exchange *before, const char *name)
{
    struct catalog *made = build->made;
    struct catalog_symbol symbol = { .first_type = made->type_count };
    char path[CATALOG_PATH];

    if (made->symbol_count == build->job->config->max_symbols) {
        made->full = true;
        return 1;
    }
    snprintf(path, sizeof(path), "%s/%s", exchange->name, name);
    watch_add(&build->job->watch, path);
    const struct catalog_symbol *unchanged = find_unchanged(build, before, name, path);
    int result = unchanged != NULL ? copy_types(build, &symbol, unchanged)
                                   : read_types(build, &symbol, path);
    if (result != 0)
        return result;
    keep_name(symbol.name, name);
    symbol.len = (uint8_t)strlen(name);
    if (make_room(&made->symbols, made->symbol_count, &made->symbol_room,
                  sizeof(*made->symbols)))
        return out_of_memory(build);
    made->symbols[made->symbol_count++] = symbol;
    return 0;
}

/* --- Exchanges */

/* What is left out may be wanted next time, when there is room, or it can be read: the mark of
 * the exchange would not tell. */
static int add_symbols(struct build *build, struct catalog_exchange *exchange,
                       const struct catalog_exchange *before, const struct list *list)
{
    size_t count = list != NULL ? list->count : before->symbol_count;

    for (size_t i = 0; i < count; i++) {
        const char *name = list != NULL ? list->names[i]
                                        : build->before->symbols[before->first_symbol + i].name;

        if (snapshot_cancelled(build->job)) {
            snapshot_fail(build->job, ECANCELED, exchange->name);
            return -1;
        }
        int result = add_symbol(build, exchange, before, name);

        if (result < 0)
            return -1;
        if (result > 0)
            exchange->mark = 0;
    }
    exchange->symbol_count = build->made->symbol_count - exchange->first_symbol;
    return 0;
}

/* The symbols of an exchange: of its directory, or those known before if it has not changed.
 * Returns 1 if there is no such exchange any more. */
static int fill_exchange(struct build *build, struct catalog_exchange *exchange)
{
    const struct catalog_exchange *before =
        build->before == NULL ? NULL
                              : catalog_exchange(build->before, slice_of(exchange->name));
    struct list list = { 0 };
    struct stat found;

    watch_add(&build->job->watch, exchange->name);
    if (before != NULL && before->mark != 0 &&
        root_stat(build->job->load.root, exchange->name, &found) == 0 &&
        catalog_mark_of(&found, build->job->wall) == before->mark) {
        exchange->mark = before->mark;
        return add_symbols(build, exchange, before, NULL);
    }
    int result = list_read(build, exchange->name, &list);
    exchange->mark = list.mark;
    if (result)
        result = forgive(build, exchange->name) ? -1 : 1;
    else
        result = add_symbols(build, exchange, before, &list);
    list_free(&list);
    return result;
}

static int add_exchange(struct build *build, const char *name)
{
    struct catalog *made = build->made;
    struct catalog_exchange exchange = { .first_symbol = made->symbol_count };

    keep_name(exchange.name, name);
    if (make_room(&made->exchanges, made->exchange_count, &made->exchange_room,
                  sizeof(*made->exchanges)))
        return out_of_memory(build);
    int result = fill_exchange(build, &exchange);
    if (result != 0)
        return result < 0 ? -1 : 0;
    made->exchanges[made->exchange_count++] = exchange;
    return 0;
}

static int fill(struct build *build)
{
    struct list list = { 0 };

    watch_add(&build->job->watch, ".");
    int result = list_read(build, ".", &list);

    if (result)
        snapshot_fail(build->job, errno, "the data directory");
    for (size_t i = 0; i < list.count && result == 0; i++)
        result = add_exchange(build, list.names[i]);
    list_free(&list);
    return result;
}

static void free_catalog(struct snapshot *snapshot)
{
    struct catalog *catalog = (struct catalog *)snapshot;

    free(catalog->exchanges);
    free(catalog->symbols);
    free(catalog->types);
    free(catalog->type_names);
    free(catalog);
}

struct catalog *catalog_new(void)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    if (catalog != NULL)
        catalog->snapshot.free = free_catalog;
    return catalog;
}

static size_t weigh(const struct catalog *catalog)
{
    return sizeof(*catalog) + catalog->exchange_room * sizeof(*catalog->exchanges) +
           catalog->symbol_room * sizeof(*catalog->symbols) +
           catalog->type_room * sizeof(*catalog->types) +
           catalog->type_name_room * sizeof(*catalog->type_names);
}

static bool are_equal(const void *some, uint32_t some_count, const void *others,
                      uint32_t other_count, size_t size)
{
    return some_count == other_count &&
           (some_count == 0 || memcmp(some, others, some_count * size) == 0);
}

/* Whether both list the same, and would see the same changes. There are no gaps in what they
 * are made of, nor anything behind the names. */
static bool is_same(const struct catalog *a, const struct catalog *b)
{
    return a->full == b->full &&
           are_equal(a->exchanges, a->exchange_count, b->exchanges, b->exchange_count,
                     sizeof(*a->exchanges)) &&
           are_equal(a->symbols, a->symbol_count, b->symbols, b->symbol_count,
                     sizeof(*a->symbols)) &&
           are_equal(a->types, a->type_count, b->types, b->type_count, sizeof(*a->types)) &&
           are_equal(a->type_names, a->type_name_count, b->type_names, b->type_name_count,
                     sizeof(*a->type_names));
}

static void build_catalog(struct snapshot_job *job)
{
    struct build build = { .job = job, .before = (const struct catalog *)job->before };
    struct catalog *made = build.made = catalog_new();

    if (made == NULL) {
        out_of_memory(&build);
        return;
    }
    if (fill(&build) || (build.before != NULL && is_same(made, build.before))) {
        free_catalog(&made->snapshot);
        return;
    }
    made->snapshot.bytes = weigh(made);
    if (made->full && (build.before == NULL || !build.before->full))
        log_warn("there are more than %llu symbols: those over max_symbols are not listed",
                 (unsigned long long)job->config->max_symbols);
    job->made = &made->snapshot;
}

static const struct snapshot_kind kind = {
    .place = STORE_CATALOG,
    .watches = true,
    .build = build_catalog,
    .save = catalogcopy_save,
    .load = catalogcopy_load,
};

enum snapshot_result catalog_get(struct store *store, struct load_waiter *waiter,
                                 struct catalog **catalog)
{
    return snapshot_get(store, &kind, NULL, waiter, (struct snapshot **)catalog);
}

struct catalog *catalog_latest(struct store *store, uint64_t age)
{
    return (struct catalog *)snapshot_latest(store, &kind, NULL, age);
}

/* --- Looking up */

static int compare_exchange(const void *key, const void *thing)
{
    const struct slice *name = key;
    const struct catalog_exchange *exchange = thing;
    int order = strncmp(name->at, exchange->name, name->len);

    return order != 0 ? order : exchange->name[name->len] == '\0' ? 0 : -1;
}

const struct catalog_exchange *catalog_exchange(const struct catalog *catalog,
                                                struct slice name)
{
    return catalog->exchange_count == 0
               ? NULL
               : bsearch(&name, catalog->exchanges, catalog->exchange_count,
                         sizeof(*catalog->exchanges), compare_exchange);
}

static int compare_symbol(const void *key, const void *thing)
{
    const struct catalog_symbol *symbol = thing;

    return strcmp(key, symbol->name);
}

const struct catalog_symbol *catalog_symbol(const struct catalog *catalog,
                                            const struct catalog_exchange *exchange,
                                            const char *name)
{
    return exchange->symbol_count == 0
               ? NULL
               : bsearch(name, catalog->symbols + exchange->first_symbol,
                         exchange->symbol_count, sizeof(*catalog->symbols), compare_symbol);
}
