#include "store/dayfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Address space, not memory: a growing file may double, and be some megabytes larger still. */
#define ROOM_TO_GROW (16 << 20)

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t ns_of_statx(struct statx_timestamp time)
{
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

/* What the file is, with its birth if that can be known. */
static int ask_state(int fd, struct filestate *state)
{
    struct statx found;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &found))
        return -1;
    if (!S_ISREG(found.stx_mode)) {
        errno = EINVAL;
        return -1;
    }
    *state = (struct filestate){
        .id = { .device = makedev(found.stx_dev_major, found.stx_dev_minor),
                .inode = found.stx_ino },
        .size = found.stx_size,
        .mtime = ns_of_statx(found.stx_mtime),
        .changed = ns_of_statx(found.stx_ctime),
    };
    if (found.stx_mask & STATX_BTIME)
        state->id.birth = ns_of_statx(found.stx_btime);
    return 0;
}

struct dayfile *dayfile_open(const struct root *root, const char *path)
{
    struct dayfile *file = malloc(sizeof(*file));

    if (file == NULL)
        return NULL;
    /* Not blocking, in case somebody put a pipe there. */
    *file = (struct dayfile){ .fd = root_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY) };
    if (file->fd >= 0 && ask_state(file->fd, &file->state) == 0)
        return file;

    int saved = errno;
    if (file->fd >= 0)
        close(file->fd);
    free(file);
    errno = saved;
    return NULL;
}

int dayfile_map(struct dayfile *file, bool growing)
{
    size_t bytes = growing ? 2 * file->state.size + ROOM_TO_GROW : file->state.size;

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
    struct filestate *known = &file->state;
    uint64_t size = (uint64_t)found->st_size;
    int64_t mtime = ns_of(found->st_mtim);

    if (found->st_dev != known->id.device || found->st_ino != known->id.inode ||
        found->st_nlink == 0 || size < known->size || size > file->mapped)
        return DAYFILE_OTHER;
    if (size == known->size && mtime != known->mtime)
        return DAYFILE_OTHER;
    bool grown = size > known->size;
    known->size = size;
    known->mtime = mtime;
    known->changed = ns_of(found->st_ctim);
    return grown ? DAYFILE_GROWN : DAYFILE_SAME;
}

enum dayfile_change dayfile_look(struct dayfile *file)
{
    struct stat found;

    return fstat(file->fd, &found) ? DAYFILE_OTHER : dayfile_compare(file, &found);
}

bool dayfile_holds(const struct dayfile *file, uint64_t size)
{
    off_t end = lseek(file->fd, 0, SEEK_END);

    return end >= 0 && (uint64_t)end >= size;
}

void dayfile_close(struct dayfile *file)
{
    if (file == NULL)
        return;
    if (file->at != NULL)
        munmap((void *)file->at, file->mapped);
    close(file->fd);
    free(file->warm);
    free(file);
}
