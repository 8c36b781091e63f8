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

#include "base/hash.h"

/* An open directory, with as many uses as roots were made of it. */
struct place {
    int fd;
    dev_t device;
    ino_t inode;
    bool has_openat2;
    unsigned uses;
};

struct root {
    char *path;          /* NULL: of a shared one */
    struct place *place; /* NULL while there is none */
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
    root_refresh(root);
    return root;
}

static void leave(struct place *place)
{
    if (place == NULL || --place->uses > 0)
        return;
    close(place->fd);
    free(place);
}

/* The directory at the path; NULL if it cannot be had. */
static struct place *enter(const char *path)
{
    struct place *place = calloc(1, sizeof(*place));
    struct stat found;

    if (place == NULL)
        return NULL;
    place->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->fd < 0 || fstat(place->fd, &found)) {
        if (place->fd >= 0)
            close(place->fd);
        free(place);
        return NULL;
    }
    place->device = found.st_dev;
    place->inode = found.st_ino;
    place->uses = 1;
    int probe = openat2_beneath(place->fd, ".", O_PATH | O_CLOEXEC);
    /* Whoever has no descriptor left for the probe may well have openat2. */
    place->has_openat2 = probe >= 0 || errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    if (probe >= 0)
        close(probe);
    return place;
}

/* Whether ${place}, which NULL is not, is at ${path}; and whether there is any directory. */
static bool is_at(const struct place *place, const char *path, bool *exists)
{
    struct stat found;

    *exists = stat(path, &found) == 0 && S_ISDIR(found.st_mode);
    return *exists && place != NULL && found.st_dev == place->device &&
           found.st_ino == place->inode;
}

bool root_left(const struct root *root, const char *path)
{
    bool exists;

    return root->place != NULL && !is_at(root->place, path, &exists);
}

bool root_refresh(struct root *root)
{
    struct place *before = root->place;
    bool exists;

    if (is_at(before, root->path, &exists) || (before == NULL && !exists))
        return false;
    root->place = exists ? enter(root->path) : NULL;
    leave(before);
    return before != NULL || root->place != NULL;
}

struct root *root_share(const struct root *root)
{
    struct root *shared = calloc(1, sizeof(*shared));

    if (shared == NULL)
        return NULL;
    shared->place = root->place;
    if (shared->place != NULL)
        shared->place->uses++;
    return shared;
}

bool root_same(const struct root *a, const struct root *b)
{
    return a->place == b->place;
}

uint64_t root_mark(const struct root *root)
{
    return root->place == NULL
               ? 0
               : hash_words(HASH_START, root->place->device, root->place->inode) | 1;
}

bool root_present(const struct root *root)
{
    bool found = false;

    if (root->place == NULL)
        return false;
    int fd = openat(root->place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
    if (root->place == NULL) {
        errno = ENOENT;
        return -1;
    }
    flags |= O_CLOEXEC;
    return root->place->has_openat2 ? openat2_beneath(root->place->fd, path, flags)
                                    : walk_beneath(root->place->fd, path, flags);
}

int root_stat(const struct root *root, const char *path, struct stat *found)
{
    if (root->place == NULL) {
        errno = ENOENT;
        return -1;
    }
    return fstatat(root->place->fd, path, found, 0);
}

void root_free(struct root *root)
{
    if (root == NULL)
        return;
    leave(root->place);
    free(root->path);
    free(root);
}
