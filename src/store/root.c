#include "store/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct root {
    char *path;
    int fd; /* -1 while there is none */
    dev_t device;
    ino_t inode;
    bool has_openat2;
};

static int openat2_beneath(int at, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    /* EAGAIN: something was renamed while the kernel followed a "..". */
    for (int tries = 0; tries < 8; tries++) {
        fd = syscall(SYS_openat2, at, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return (int)fd;
}

/* The same without openat2: one component after another, following no link. */
static int walk_beneath(int at, const char *path, int flags)
{
    int directory = at;

    for (;;) {
        const char *slash = strchr(path, '/');
        char name[256];
        size_t len = slash == NULL ? strlen(path) : (size_t)(slash - path);

        if (len >= sizeof(name)) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        if (len == 0 || strcmp(name, "..") == 0) {
            errno = EXDEV;
            break;
        }
        int want = slash == NULL ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC;
        int fd = openat(directory, name, want | O_NOFOLLOW);
        int saved = errno;

        if (directory != at)
            close(directory);
        errno = saved;
        if (fd < 0 || slash == NULL)
            return fd;
        directory = fd;
        path = slash + 1;
    }
    if (directory != at)
        close(directory);
    return -1;
}

struct root *root_new(const char *path)
{
    struct root *root = calloc(1, sizeof(*root));

    if (root == NULL || (root->path = strdup(path)) == NULL) {
        free(root);
        return NULL;
    }
    root->fd = -1;
    root_refresh(root);
    return root;
}

bool root_refresh(struct root *root)
{
    struct stat found = { 0 };
    bool was_there = root->fd >= 0;
    bool exists = stat(root->path, &found) == 0 && S_ISDIR(found.st_mode);

    if (root->fd >= 0 && exists && found.st_dev == root->device && found.st_ino == root->inode)
        return false;
    if (root->fd < 0 && !exists)
        return false;

    if (root->fd >= 0)
        close(root->fd);
    root->fd = exists ? open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (root->fd >= 0 && fstat(root->fd, &found)) {
        close(root->fd);
        root->fd = -1;
    }
    root->device = found.st_dev;
    root->inode = found.st_ino;

    if (root->fd >= 0) {
        int probe = openat2_beneath(root->fd, ".", O_PATH | O_CLOEXEC);
        root->has_openat2 = probe >= 0;
        if (probe >= 0)
            close(probe);
    }
    return was_there || root->fd >= 0;
}

bool root_present(const struct root *root)
{
    bool found = false;

    if (root->fd < 0)
        return false;
    int fd = openat(root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(directory)) != NULL;)
        found = entry->d_name[0] != '.';
    closedir(directory);
    return found;
}

int root_open(const struct root *root, const char *path, int flags)
{
    if (root->fd < 0) {
        errno = ENOENT;
        return -1;
    }
    flags |= O_CLOEXEC;
    return root->has_openat2 ? openat2_beneath(root->fd, path, flags)
                             : walk_beneath(root->fd, path, flags);
}

int root_stat(const struct root *root, const char *path, struct stat *found)
{
    if (root->fd < 0) {
        errno = ENOENT;
        return -1;
    }
    return fstatat(root->fd, path, found, 0);
}

void root_free(struct root *root)
{
    if (root == NULL)
        return;
    if (root->fd >= 0)
        close(root->fd);
    free(root->path);
    free(root);
}
