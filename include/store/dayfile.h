#ifndef STORE_DAYFILE_H
#define STORE_DAYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "store/filestate.h"
#include "store/root.h"

/* Room for the path of a column's file, relative to DATA, and its NUL. */
#define DAYFILE_PATH (3 * 65 + 78)

/* One file, of one column of one day: open, mapped, and known by its identity. */

struct dayfile {
    int fd;
    const char *at;         /* its bytes; NULL if it has none */
    size_t mapped;          /* bytes mapped: more than its size where it is expected to grow */
    struct filestate state; /* as of the last look */
    uint32_t *warm;         /* warm.h's: by stretch, when it was last seen in memory; or NULL */
    struct warm_job *warming; /* likewise: being read */
};

/* What a look at a file shows, against what was known of it. */
enum dayfile_change {
    DAYFILE_SAME,
    DAYFILE_GROWN, /* appended to; its state is brought up to date */
    DAYFILE_OTHER, /* another file, cut off, rewritten, or outgrown its mapping: open it anew */
};

/**
 * dayfile_open(root, path):
 * Open ${path}, relative to ${root}. Returns a file to be given to dayfile_close, not mapped
 * yet; or NULL with errno (ENOENT if there is none, EINVAL if it is not a regular file).
 */
struct dayfile *dayfile_open(const struct root *root, const char *path);

/**
 * dayfile_map(file, growing):
 * Map the bytes of ${file}; with room to grow if ${growing}. Returns 0, or -1 with errno.
 */
int dayfile_map(struct dayfile *file, bool growing);

/**
 * dayfile_look(file):
 * Compare ${file} with itself on disk, by its descriptor.
 */
enum dayfile_change dayfile_look(struct dayfile *file);

/**
 * dayfile_compare(file, found):
 * Compare ${file} with ${found}, what stat(2) says of its path.
 */
enum dayfile_change dayfile_compare(struct dayfile *file, const struct stat *found);

/**
 * dayfile_holds(file, size):
 * Whether ${file} still has its first ${size} bytes on disk. Nobody else minds where its
 * descriptor stands: the size is all that is asked, for a third of what fstat(2) costs.
 */
bool dayfile_holds(const struct dayfile *file, uint64_t size);

/**
 * dayfile_close(file):
 * Unmap and close ${file}; NULL is fine.
 */
void dayfile_close(struct dayfile *file);

#endif
