#include "files.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/name.h"

static char root[64];
static pid_t owner;

static int remove_one(const char *path, const struct stat *found, int flag, struct FTW *ftw)
{
    (void)found;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* At the end of the process that made it, not of those it forked. */
static void clean_up(void)
{
    if (getpid() == owner)
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void files_fresh(void)
{
    clean_up();
    snprintf(root, sizeof(root), "/tmp/tickd-check.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    if (owner == 0)
        atexit(clean_up);
    owner = getpid();
}

const char *files_root(void)
{
    if (owner != getpid())
        files_fresh();
    return root;
}

struct config *files_config(void)
{
    files_fresh();
    return files_config_again();
}

struct config *files_config_again(void)
{
    struct config *config = config_new();
    char problem[256];

    ck_assert_ptr_nonnull(config);
    files_set(config, "data", files_root());
    ck_assert_int_eq(config_complete(config, problem, sizeof(problem)), 0);
    return config;
}

void files_set(struct config *config, const char *name, const char *value)
{
    char problem[256];

    ck_assert_msg(config_set(config, name, value, problem, sizeof(problem)) == 0, "%s",
                  problem);
}

/* ${path} as the system wants it; valid until the second call after this one. */
static const char *full(const char *path)
{
    static char names[2][2 * PATH_MAX];
    static unsigned turn;
    char *name = names[++turn % 2];

    snprintf(name, sizeof(names[0]), "%s/%s", files_root(), path);
    return name;
}

void files_folder(const char *path)
{
    char part[PATH_MAX];

    for (const char *slash = path; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        snprintf(part, sizeof(part), "%.*s",
                 (int)(slash == NULL ? strlen(path) : (size_t)(slash - path)), path);
        mkdir(full(part), 0755);
    }
    struct stat found;
    ck_assert_int_eq(stat(full(path), &found), 0);
    ck_assert(S_ISDIR(found.st_mode));
}

static void put(int fd, const void *bytes, size_t len)
{
    ck_assert_int_ge(fd, 0);
    if (len > 0)
        ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

void files_write(const char *path, const void *bytes, size_t len)
{
    char folder[PATH_MAX], fresh[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (slash != NULL) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        files_folder(folder);
    }
    snprintf(fresh, sizeof(fresh), "%.*s~", PATH_MAX - 2, path);
    put(open(full(fresh), O_WRONLY | O_CREAT | O_TRUNC, 0644), bytes, len);
    files_touch(fresh, FILES_WALL - 3600);
    files_rename(fresh, path);
}

void files_append(const char *path, const void *bytes, size_t len)
{
    put(open(full(path), O_WRONLY | O_CREAT | O_APPEND, 0644), bytes, len);
    files_touch(path, FILES_WALL);
}

void files_truncate(const char *path, size_t len)
{
    ck_assert_int_eq(truncate(full(path), (off_t)len), 0);
    files_touch(path, FILES_WALL - 1800);
}

void files_chill(const char *path)
{
    int fd = open(full(path), O_RDONLY);

    ck_assert_int_ge(fd, 0);
    fsync(fd);
    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

void files_touch(const char *path, int64_t wall)
{
    struct timespec times[2] = { { .tv_sec = wall }, { .tv_sec = wall } };

    ck_assert_int_eq(utimensat(AT_FDCWD, full(path), times, 0), 0);
}

void files_remove(const char *path)
{
    ck_assert_int_eq(remove(full(path)), 0);
}

void files_rename(const char *from, const char *to)
{
    ck_assert_int_eq(rename(full(from), full(to)), 0);
}

void files_link(const char *target, const char *path)
{
    ck_assert_int_eq(symlink(target, full(path)), 0);
}

bool files_openat2(void)
{
    struct open_how how = { .flags = O_PATH };
    long fd = syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));

    if (fd >= 0)
        close((int)fd);
    return fd >= 0;
}

const char *files_column(const char *series, const char *column, int32_t day)
{
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[++turn % 4], file[NAME_FILE];

    snprintf(path, sizeof(paths[0]), "%s/%s", series, name_file(slice_of(column), day, file));
    return path;
}
