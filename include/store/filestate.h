#ifndef STORE_FILESTATE_H
#define STORE_FILESTATE_H

#include <stdbool.h>
#include <stdint.h>

/* Which file it is. An inode may be used again for another file; the time of birth tells them
 * apart, where the file system knows it. */
struct filestate_id {
    uint64_t device, inode;
    int64_t birth; /* nanoseconds since the epoch; 0: unknown */
};

/* A file in a state. Contents that change without the size and the times changing are beyond
 * what can be noticed. */
struct filestate {
    struct filestate_id id;
    uint64_t size;
    int64_t mtime, changed; /* nanoseconds since the epoch: the contents, and anything at all */
};

static inline bool filestate_id_same(struct filestate_id a, struct filestate_id b)
{
    return a.device == b.device && a.inode == b.inode && a.birth == b.birth;
}

/**
 * filestate_same(a, b):
 * Whether both are the same file, with the same contents.
 */
static inline bool filestate_same(const struct filestate *a, const struct filestate *b)
{
    return filestate_id_same(a->id, b->id) && a->size == b->size && a->mtime == b->mtime &&
           a->changed == b->changed;
}

/**
 * filestate_grew(before, now):
 * Whether ${now} is the same file, with what it had ${before} at its beginning, for all that
 * can be known of a file that is only appended to.
 */
static inline bool filestate_grew(const struct filestate *before, const struct filestate *now)
{
    if (filestate_same(before, now))
        return true;
    return before->id.birth != 0 && filestate_id_same(before->id, now->id) &&
           before->size < now->size;
}

#endif
