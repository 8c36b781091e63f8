#include "store/seriesload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/name.h"

/* A directory read this soon after its modification, in nanoseconds, may still change unseen.
 */
#define SETTLED INT64_C(2000000000)

static int find_column(const struct seriesload *seriesload, struct slice name)
{
    for (unsigned i = 0; i < seriesload->column_count; i++) {
        if (strncmp(seriesload->columns[i], name.at, name.len) == 0 &&
            seriesload->columns[i][name.len] == '\0')
            return (int)i;
    }
    return -1;
}

static int add_column(struct seriesload *seriesload, struct slice name)
{
    if (seriesload->column_count == seriesload->column_room) {
        unsigned room = 2 * seriesload->column_room + 16;
        void *grown = realloc(seriesload->columns, room * sizeof(*seriesload->columns));

        if (grown == NULL)
            return -1;
        seriesload->columns = grown;
        seriesload->column_room = room;
    }
    char *column = seriesload->columns[seriesload->column_count++];
    memcpy(column, name.at, name.len);
    column[name.len] = '\0';
    return 0;
}

/* Learn from one file name of the directory. */
static int learn(struct seriesload *seriesload, const char *file)
{
    struct slice column;
    int32_t day;

    if (name_parse_file(slice_of(file), &column, &day))
        return 0;
    if (slice_is(column, "time"))
        days_add(&seriesload->days, day);
    if (find_column(seriesload, column) >= 0)
        return 0;
    if (seriesload->column_count == SERIES_COLUMNS_MAX) {
        log_warn("%s holds more than %d columns: '%.*s' is left out", seriesload->path,
                 SERIES_COLUMNS_MAX, SLICE_ARG(column));
        return 0;
    }
    return add_column(seriesload, column);
}

/* Read the names in the directory; ${fd} is closed. */
static int scan(struct seriesload *seriesload, int fd)
{
    DIR *directory = fdopendir(fd);
    struct dirent *entry = NULL;
    int result = 0;

    if (directory == NULL) {
        close(fd);
        return -1;
    }
    while (result == 0 && (errno = 0, entry = readdir(directory)) != NULL)
        result = learn(seriesload, entry->d_name);
    if (entry == NULL && errno != 0)
        result = -1;
    int saved = errno;
    closedir(directory);
    errno = saved;
    return result;
}

/* Which of the three names is the first that leads nowhere, and what to answer. */
static void explain_absence(struct seriesload *seriesload)
{
    static const char *const parameters[] = { "exchange", "symbol", "type" };
    struct failure *failure = &seriesload->failure;
    char path[sizeof(seriesload->path)];

    seriesload->rootless = !root_present(seriesload->load.root);
    if (seriesload->rootless) {
        failure_set(failure, 503, NULL, "the data directory is missing or empty");
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        size_t start = i == 0 ? 0 : seriesload->ends[i - 1] + 1, end = seriesload->ends[i];

        memcpy(path, seriesload->path, end);
        path[end] = '\0';
        int fd = root_open(seriesload->load.root, path, O_PATH | O_DIRECTORY);
        if (fd >= 0)
            close(fd);
        if (fd >= 0 && i < 2)
            continue;
        failure_set(failure, 404, parameters[i], "there is no %s '%s'%s%.*s", parameters[i],
                    path + start, i > 0 ? " in " : "", i > 0 ? (int)start - 1 : 0, path);
        return;
    }
}

static void explain(struct seriesload *seriesload, int error)
{
    struct failure *failure = &seriesload->failure;

    seriesload->error = error;
    if (error == EXDEV || error == ELOOP)
        log_info("%s is a link that leads out of the data directory, or in circles",
                 seriesload->path);
    if (error == ENOENT || error == ENOTDIR || error == EXDEV || error == ELOOP)
        explain_absence(seriesload);
    else if (error == EMFILE || error == ENFILE || error == ENOMEM)
        failure_set(failure, 503, NULL, "out of files or memory");
    else
        failure_set(failure, 500, NULL, "%s cannot be read: %s", seriesload->path,
                    strerror(error));
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct filestate seriesload_state(const struct stat *found)
{
    return (struct filestate){
        .id = { .device = found->st_dev, .inode = found->st_ino },
        .mtime = ns_of(found->st_mtim),
        .changed = ns_of(found->st_ctim),
    };
}

void seriesload_read(struct load *load)
{
    struct seriesload *seriesload = (struct seriesload *)load;
    const struct fact_series *fact = &seriesload->fact;
    struct stat found;
    int fd = root_open(seriesload->load.root, seriesload->path, O_RDONLY | O_DIRECTORY);

    if (fd < 0 || fstat(fd, &found)) {
        explain(seriesload, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    seriesload->directory = seriesload_state(&found);
    seriesload->dirty = seriesload->wall - seriesload->directory.mtime < SETTLED;
    seriesload->as_known = seriesload->known && fact->dirty == 0 &&
                           filestate_same(&fact->directory, &seriesload->directory) &&
                           fact->column_count <= FACT_COLUMNS_MAX;
    if (seriesload->as_known)
        close(fd);
    else if (scan(seriesload, fd))
        explain(seriesload, errno);
}

void seriesload_free(struct seriesload *seriesload)
{
    root_free(seriesload->load.root);
    free(seriesload->columns);
    free(seriesload);
}
