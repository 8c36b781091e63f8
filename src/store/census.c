#include "store/census.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/name.h"
#include "store/root.h"
#include "store/series.h"

struct census_load {
    struct load load;
    char path[3 * 65];
    struct census *made;
    struct census **to; /* NULL: nobody wants it */
    int error;          /* errno */
};

void census_free(struct census *census)
{
    if (census == NULL)
        return;
    free(census->columns);
    free(census->files);
    free(census);
}

/* The place of a column, which is added if it is new; -1 without memory or room. */
static int find_column(struct census *census, struct slice name)
{
    for (unsigned i = 0; i < census->column_count; i++) {
        if (strncmp(census->columns[i], name.at, name.len) == 0 &&
            census->columns[i][name.len] == '\0')
            return (int)i;
    }
    if (census->column_count == census->column_room) {
        unsigned room = 2 * census->column_room + 16;
        void *grown = realloc(census->columns, room * sizeof(*census->columns));

        if (grown == NULL)
            return -1;
        census->columns = grown;
        census->column_room = room;
    }
    char *column = census->columns[census->column_count];
    memcpy(column, name.at, name.len);
    column[name.len] = '\0';
    return (int)census->column_count++;
}

static int add_file(struct census *census, struct census_file file)
{
    if (census->file_count == census->file_room) {
        size_t room = 2 * census->file_room + 256;
        void *grown = realloc(census->files, room * sizeof(*census->files));

        if (grown == NULL)
            return -1;
        census->files = grown;
        census->file_room = room;
    }
    census->files[census->file_count++] = file;
    return 0;
}

/* What stat(2) says of an entry: of a link, what it leads to beneath DATA. */
static int look(const struct census_load *load, DIR *directory, const char *name,
                struct stat *found)
{
    char path[sizeof(load->path) + 257]; /* NAME_MAX and what stands around it */

    if (fstatat(dirfd(directory), name, found, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISLNK(found->st_mode))
        return 0;
    snprintf(path, sizeof(path), "%s/%s", load->path, name);
    int fd = root_open(load->load.root, path, O_PATH);
    int result = fd < 0 ? -1 : fstat(fd, found);
    if (fd >= 0)
        close(fd);
    return result;
}

/* Count one entry of the directory. Returns 0, or -1 without memory. */
static int count(struct census_load *load, DIR *directory, const char *name)
{
    struct census_file file;
    struct slice column;
    struct stat found;

    if (name_parse_file(slice_of(name), &column, &file.day) ||
        look(load, directory, name, &found) || !S_ISREG(found.st_mode))
        return 0;
    int place = find_column(load->made, column);
    if (place >= SERIES_COLUMNS_MAX)
        return 0;
    file.column = (uint32_t)place;
    file.bytes = (uint64_t)found.st_size;
    file.mtime = (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec;
    return place < 0 ? -1 : add_file(load->made, file);
}

/* --- In order */

static int compare_columns(const void *a, const void *b)
{
    const char *x = a, *y = b;
    int time = (strcmp(y, "time") == 0) - (strcmp(x, "time") == 0);

    return time != 0 ? time : strcmp(x, y);
}

static int compare_files(const void *a, const void *b)
{
    const struct census_file *x = a, *y = b;

    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

/* Sort columns, and files by them. Returns 0, or -1 without memory. */
static int sort(struct census *census)
{
    size_t bytes = census->column_count * sizeof(*census->columns);
    char(*before)[65];

    if (census->file_count == 0)
        return 0;
    if ((before = malloc(bytes)) == NULL)
        return -1;
    memcpy(before, census->columns, bytes);
    qsort(census->columns, census->column_count, sizeof(*census->columns), compare_columns);
    for (size_t i = 0; i < census->file_count; i++) {
        struct census_file *file = &census->files[i];
        const char(*place)[65] =
            bsearch(before[file->column], census->columns, census->column_count,
                    sizeof(*census->columns), compare_columns);

        file->column = (uint32_t)(place - (const char(*)[65])census->columns);
    }
    free(before);
    qsort(census->files, census->file_count, sizeof(*census->files), compare_files);
    return 0;
}

/* --- On a helper */

static int read_directory(struct census_load *load, DIR *directory)
{
    struct dirent *entry;

    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        if (count(load, directory, entry->d_name)) {
            errno = ENOMEM;
            return -1;
        }
    }
    if (errno != 0)
        return -1;
    errno = ENOMEM;
    return sort(load->made);
}

static void take(struct load *arg)
{
    struct census_load *load = (struct census_load *)arg;
    int fd = root_open(load->load.root, load->path, O_RDONLY | O_DIRECTORY);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);

    if (directory == NULL) {
        load->error = errno;
        if (fd >= 0)
            close(fd);
        return;
    }
    if (read_directory(load, directory))
        load->error = errno;
    closedir(directory);
}

static void free_load(struct census_load *load)
{
    census_free(load->made);
    root_free(load->load.root);
    free(load);
}

/* --- In the loop's thread */

static void explain(struct store *store, const struct census_load *load,
                    struct failure *failure)
{
    switch (load->error) {
    case ENOENT:
    case ENOTDIR:
        failure_set(failure, 404, "type", "there is no series %s", load->path);
        return;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        failure_set(failure, 503, NULL, "out of files or memory");
        break;
    default:
        failure_set(failure, 500, NULL, "%s cannot be read: %s", load->path,
                    strerror(load->error));
    }
    trouble_tell(&store->troubles, store->now, TROUBLE_LISTING, load->path, failure->reason);
}

static void settle(struct load *arg)
{
    struct census_load *load = (struct census_load *)arg;
    struct store *store = arg->store;
    struct failure failure;
    bool stray = load_is_stray(arg);

    if (!stray && load->error == 0 && trouble_known(&store->troubles))
        trouble_over(&store->troubles, TROUBLE_LISTING, load->path);
    if (stray) {
        load->error = 0;
    } else if (load->error != 0) {
        explain(store, load, &failure);
    } else if (load->to != NULL) {
        *load->to = load->made;
        load->made = NULL;
    }
    load_end(arg, load->error == 0 ? LOAD_AGAIN : LOAD_FAILED, &failure, NULL, NULL);
    free_load(load);
}

struct census_load *census_begin(struct store *store, const char *path,
                                 struct load_waiter *waiter, struct census **census)
{
    if (!load_has_room(store)) {
        load_await_any(waiter, store);
        return NULL;
    }
    struct census_load *load = calloc(1, sizeof(*load));
    if (load == NULL || (load->made = calloc(1, sizeof(*load->made))) == NULL ||
        (load->load.root = root_share(store->root)) == NULL) {
        if (load != NULL)
            census_free(load->made);
        free(load);
        load_deny(waiter);
        return NULL;
    }
    load->load.read = take;
    load->load.settle = settle;
    load->to = census;
    snprintf(load->path, sizeof(load->path), "%s", path);
    load_await(waiter, &load->load);
    load_start(store, &load->load);
    return load;
}

void census_leave(struct census_load *load)
{
    load->to = NULL;
}
