#include "process/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pidfile {
    char *path;
    int fd; /* locked */
};

static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

/* Whether ${path} still names the file that is open as ${fd}. */
static bool is_same(const char *path, int fd)
{
    struct stat named, opened;

    return stat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* What else may be there, a device or a pipe, is not ours to write to, or to remove. */
static bool is_regular(int fd)
{
    struct stat opened;

    return fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode);
}

static void describe(const char *path, int fd, char *problem, size_t size)
{
    struct flock lock = whole_file;
    int saved = errno;

    if (fd >= 0 && (saved == EACCES || saved == EAGAIN)) {
        if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
            snprintf(problem, size, "tickd is already running as process %d (pid file %s)",
                     (int)lock.l_pid, path);
        else
            snprintf(problem, size, "the pid file %s was another process's just now", path);
    } else {
        snprintf(problem, size, "cannot use the pid file %s: %s", path, strerror(saved));
    }
}

/* Open and lock ${path}; -1 with a problem. */
static int take(const char *path, char *problem, size_t size)
{
    for (;;) {
        int fd =
            open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);

        if (fd >= 0 && !is_regular(fd)) {
            snprintf(problem, size, "the pid file %s is not a regular file", path);
            close(fd);
            return -1;
        }
        if (fd < 0 || fcntl(fd, F_SETLK, &whole_file)) {
            describe(path, fd, problem, size);
            if (fd >= 0)
                close(fd);
            return -1;
        }
        if (is_same(path, fd))
            return fd;
        /* Its owner removed it between our two steps. */
        close(fd);
    }
}

struct pidfile *pidfile_lock(const char *path, char *problem, size_t size)
{
    struct pidfile *pidfile = malloc(sizeof(*pidfile));

    if (pidfile == NULL || (pidfile->path = strdup(path)) == NULL) {
        snprintf(problem, size, "out of memory");
        free(pidfile);
        return NULL;
    }
    pidfile->fd = take(path, problem, size);
    if (pidfile->fd < 0) {
        free(pidfile->path);
        free(pidfile);
        return NULL;
    }
    return pidfile;
}

int pidfile_write(struct pidfile *pidfile)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    /* Over what a dead process wrote, so that nobody finds it empty. */
    ssize_t written = pwrite(pidfile->fd, text, (size_t)len, 0);
    if (written >= 0 && written != len)
        errno = ENOSPC;
    return written == len ? ftruncate(pidfile->fd, len) : -1;
}

int pidfile_move(struct pidfile *pidfile, const char *path)
{
    char *copy = strdup(path);

    if (copy == NULL || rename(pidfile->path, path)) {
        free(copy);
        return -1;
    }
    free(pidfile->path);
    pidfile->path = copy;
    return 0;
}

char *pidfile_oldbin(const char *path)
{
    char *other;

    return asprintf(&other, "%s.oldbin", path) < 0 ? NULL : other;
}

bool pidfile_is_at(const struct pidfile *pidfile, const char *path)
{
    return strcmp(pidfile->path, path) == 0;
}

void pidfile_remove(struct pidfile *pidfile)
{
    if (pidfile == NULL)
        return;
    if (is_same(pidfile->path, pidfile->fd))
        unlink(pidfile->path);
    close(pidfile->fd);
    free(pidfile->path);
    free(pidfile);
}

int pidfile_owner(const char *path, pid_t *owner)
{
    struct flock lock = whole_file;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    *owner = 0;
    if (fd < 0 && errno == EACCES) {
        /* A shared lock, too, would be in its way, and needs no right to write. */
        lock.l_type = F_RDLCK;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    }
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    int failed = fcntl(fd, F_GETLK, &lock);
    if (!failed && lock.l_type != F_UNLCK)
        *owner = lock.l_pid > 0 ? lock.l_pid : -1;
    close(fd);
    return failed;
}
