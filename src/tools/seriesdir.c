#include "tools/seriesdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/name.h"

#define LEVELS 3 /* exchange, symbol, type */

struct seriesdir {
    int fds[LEVELS + 1]; /* DATA and the directory of each level; -1: not open */
    bool made[LEVELS];
    const char *names[LEVELS];
    char path[LEVELS * (NAME_MAX_BYTES + 1)];
    bool durable;
    char (*columns)[NAME_MAX_BYTES + 1];
    size_t column_count;
};

int seriesdir_fd(const struct seriesdir *series)
{
    return series->fds[LEVELS];
}

const char *seriesdir_path(const struct seriesdir *series)
{
    return series->path;
}

const char *seriesdir_column(const struct seriesdir *series, size_t i)
{
    return i < series->column_count ? series->columns[i] : NULL;
}

int seriesdir_complain(const struct seriesdir *series, const char *file)
{
    log_error("%s/%s: %m", series->path, file);
    return -1;
}

char *seriesdir_temp(const char *column, int32_t day, char file[SERIESDIR_FILE])
{
    char name[NAME_FILE];

    snprintf(file, SERIESDIR_FILE, ".%s.tmp", name_file(slice_of(column), day, name));
    return file;
}

int seriesdir_sync_file(const struct seriesdir *series, int fd, const char *file)
{
    if (!series->durable || fsync(fd) == 0)
        return 0;
    return seriesdir_complain(series, file);
}

int seriesdir_sync(const struct seriesdir *series)
{
    return seriesdir_sync_file(series, seriesdir_fd(series), "");
}

int seriesdir_has_day(const struct seriesdir *series, int32_t day)
{
    char file[NAME_FILE];
    struct stat st;

    name_file(SLICE("time"), day, file);
    if (fstatat(seriesdir_fd(series), file, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    if (errno == ENOENT)
        return 0;
    return seriesdir_complain(series, file);
}

static bool is_temp(const char *file)
{
    size_t len = strlen(file);
    struct slice column;
    int32_t day;

    return len > 5 && file[0] == '.' && strcmp(file + len - 4, ".tmp") == 0 &&
           name_parse_file((struct slice){ file + 1, len - 5 }, &column, &day) == 0;
}

/* A stream of the series' entries, with a descriptor of its own; NULL after a message. */
static DIR *list(const struct seriesdir *series)
{
    int fd = openat(seriesdir_fd(series), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        log_error("%s: %m", series->path);
        if (fd >= 0)
            close(fd);
    }
    return dir;
}

static bool known(const struct seriesdir *series, struct slice column)
{
    for (size_t i = 0; i < series->column_count; i++) {
        if (slice_is(column, series->columns[i]))
            return true;
    }
    return false;
}

static int remember(struct seriesdir *series, struct slice column)
{
    size_t n = series->column_count;
    void *grown = realloc(series->columns, (n + 1) * sizeof(*series->columns));

    if (grown == NULL) {
        log_error("%s: %m", series->path);
        return -1;
    }
    series->columns = grown;
    memcpy(series->columns[n], column.at, column.len);
    series->columns[n][column.len] = '\0';
    series->column_count++;
    return 0;
}

/* Learn which columns there are. */
static int survey(struct seriesdir *series)
{
    DIR *dir = list(series);
    struct dirent *entry;
    struct slice column;
    int32_t day;
    int rc = dir == NULL ? -1 : 0;

    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        if (name_parse_file(slice_of(entry->d_name), &column, &day) == 0 &&
            !known(series, column))
            rc = remember(series, column);
    }
    if (dir != NULL)
        closedir(dir);
    return rc;
}

static void sweep(const struct seriesdir *series)
{
    DIR *dir = list(series);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_temp(entry->d_name) && unlinkat(seriesdir_fd(series), entry->d_name, 0))
            log_warn("%s/%s: %m", series->path, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
}

/* Open the directory of one level below the one before it, and make it if there is none. */
static int descend(struct seriesdir *series, size_t level)
{
    int above = series->fds[level];
    const char *name = series->names[level];

    if (mkdirat(above, name, 0777) == 0) {
        series->made[level] = true;
        if (series->durable && fsync(above))
            return -1;
    } else if (errno != EEXIST) {
        return -1;
    }
    series->fds[level + 1] = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return series->fds[level + 1] < 0 ? -1 : 0;
}

static int open_levels(struct seriesdir *series, const char *data)
{
    series->fds[0] = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (series->fds[0] < 0) {
        log_error("%s: %m", data);
        return -1;
    }
    for (size_t level = 0; level < LEVELS; level++) {
        if (descend(series, level)) {
            log_error("%s/%s: %m", data, series->path);
            return -1;
        }
    }
    return 0;
}

static int lock(const struct seriesdir *series)
{
    struct stat st;

    if (flock(seriesdir_fd(series), LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            log_error("%s is locked: another tickload or tickgen writes there; try again when "
                      "it is done",
                      series->path);
        else
            log_error("%s: cannot lock: %m", series->path);
        return -1;
    }
    /* Whoever made it and had nothing to put there may have removed it before we locked it. */
    if (fstat(seriesdir_fd(series), &st) || st.st_nlink == 0) {
        log_error("%s was removed by another tickload; try again", series->path);
        return -1;
    }
    return 0;
}

int seriesdir_check_names(const char *exchange, const char *symbol, const char *type)
{
    const char *const names[LEVELS] = { exchange, symbol, type };
    static const char *const what[LEVELS] = { "exchange", "symbol", "type" };

    for (size_t i = 0; i < LEVELS; i++) {
        if (!name_valid(slice_of(names[i]))) {
            log_error("'%s' cannot be the name of the %s (1-64 of A-Z a-z 0-9 . _ : -, no dot "
                      "at its start, no \"..\")",
                      names[i], what[i]);
            return -1;
        }
    }
    return 0;
}

/* Give all back; ${held}: the lock is ours, and with it what lies there. */
static void release(struct seriesdir *series, bool held)
{
    if (held) {
        sweep(series);
        /* Only empty directories go; innermost first. */
        for (size_t level = LEVELS; level-- > 0 && series->made[level];) {
            if (unlinkat(series->fds[level], series->names[level], AT_REMOVEDIR))
                break;
        }
    }
    for (size_t i = 0; i <= LEVELS; i++) {
        if (series->fds[i] >= 0)
            close(series->fds[i]);
    }
    free(series->columns);
    free(series);
}

struct seriesdir *seriesdir_open(const char *data, const char *exchange, const char *symbol,
                                 const char *type, bool durable)
{
    const char *const names[LEVELS] = { exchange, symbol, type };
    struct seriesdir *series;

    if ((series = calloc(1, sizeof(*series))) == NULL) {
        log_error("%m");
        return NULL;
    }
    memset(series->fds, -1, sizeof(series->fds));
    memcpy(series->names, names, sizeof(names));
    series->durable = durable;
    snprintf(series->path, sizeof(series->path), "%s/%s/%s", exchange, symbol, type);

    bool held = false;
    if (open_levels(series, data) || lock(series))
        goto fail;
    held = true;
    if (survey(series))
        goto fail;
    return series;

fail:
    release(series, held);
    return NULL;
}

void seriesdir_close(struct seriesdir *series)
{
    release(series, true);
}
