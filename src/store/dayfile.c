#include "store/dayfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Address space, not memory: a growing file may double, and be some megabytes larger still. */
#define ROOM_TO_GROW (16 << 20)

static int64_t mtime_of(const struct stat *found)
{
    return (int64_t)found->st_mtim.tv_sec * 1000000000 + found->st_mtim.tv_nsec;
}

struct dayfile *dayfile_open(const struct root *root, const char *path)
{
    struct dayfile *file;
    struct stat found;

    /* Not blocking, in case somebody put a pipe there. */
    int fd = root_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &found))
        goto failed;
    if (!S_ISREG(found.st_mode)) {
        errno = EINVAL;
        goto failed;
    }
    file = malloc(sizeof(*file));
    if (file == NULL)
        goto failed;
    *file = (struct dayfile){
        .fd = fd,
        .size = (uint64_t)found.st_size,
        .mtime = mtime_of(&found),
        .device = found.st_dev,
        .inode = found.st_ino,
    };
    return file;

failed:
    close(fd);
    return NULL;
}

int dayfile_map(struct dayfile *file, bool growing)
{
    size_t bytes = growing ? 2 * file->size + ROOM_TO_GROW : file->size;

    if (bytes == 0)
        return 0;
    void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file->fd, 0);
    if (at == MAP_FAILED)
        return -1;
    file->at = at;
    file->mapped = bytes;
    return 0;
}

enum dayfile_change dayfile_compare(struct dayfile *file, const struct stat *found)
{
    uint64_t size = (uint64_t)found->st_size;
    int64_t mtime = mtime_of(found);

    if (found->st_dev != file->device || found->st_ino != file->inode || found->st_nlink == 0 ||
        size < file->size || size > file->mapped)
        return DAYFILE_OTHER;
    if (size == file->size)
        return mtime == file->mtime ? DAYFILE_SAME : DAYFILE_OTHER;
    file->size = size;
    file->mtime = mtime;
    return DAYFILE_GROWN;
}

enum dayfile_change dayfile_look(struct dayfile *file)
{
    struct stat found;

    return fstat(file->fd, &found) ? DAYFILE_OTHER : dayfile_compare(file, &found);
}

bool dayfile_holds(const struct dayfile *file, uint64_t size)
{
    struct stat found;

    return fstat(file->fd, &found) == 0 && (uint64_t)found.st_size >= size;
}

void dayfile_close(struct dayfile *file)
{
    if (file == NULL)
        return;
    if (file->at != NULL)
        munmap((void *)file->at, file->mapped);
    close(file->fd);
    free(file);
}
