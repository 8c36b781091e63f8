#ifndef STORE_ROOT_H
#define STORE_ROOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * The data root, DATA: the one directory beneath which everything is opened. Nothing else in
 * the server opens a file that a request names. Links are followed as long as they stay beneath
 * DATA (openat2(2), RESOLVE_BENEATH); where the kernel has no openat2, links are not followed
 * at all.
 */

struct root;

/**
 * root_new(path):
 * The data root at ${path}, which need not exist yet. NULL without memory. To be given to
 * root_free.
 */
struct root *root_new(const char *path);

/**
 * root_refresh(root):
 * Look whether the directory at the path is still the same one (a disk may be mounted over it)
 * and take the new one if not. Returns true if it is another one than before, or gone, or back:
 * what was known of it is void.
 */
bool root_refresh(struct root *root);

/**
 * root_present(root):
 * Whether there is a directory that can be read and has something in it: an empty one is taken
 * for the mount point of a disk that is not mounted.
 */
bool root_present(const struct root *root);

/**
 * root_open(root, path, flags):
 * Open ${path}, relative to DATA, with the open(2) ${flags}, beneath DATA only. Returns a
 * descriptor that is the caller's, or -1 with errno (EXDEV or ELOOP: a link leads out; ENOENT
 * also when DATA is missing).
 */
int root_open(const struct root *root, const char *path, int flags);

/**
 * root_stat(root, path, found):
 * What stat(2) says of ${path}, relative to DATA, wherever links lead: to compare with, not to
 * open. Returns 0, or -1 with errno.
 */
int root_stat(const struct root *root, const char *path, struct stat *found);

/**
 * root_share(root):
 * The same directory once more, as it is now, whatever root_refresh finds later: for work on
 * another thread, which may call root_open, root_stat and root_present on it. NULL without
 * memory. To be given to root_free by the caller's thread.
 */
struct root *root_share(const struct root *root);

/**
 * root_same(a, b):
 * Whether both, one made of the other by root_share, stand for the same directory.
 */
bool root_same(const struct root *a, const struct root *b);

/**
 * root_left(root, path):
 * Whether ${root} stands for a directory that is not at ${path} any more. May block.
 */
bool root_left(const struct root *root, const char *path);

/**
 * root_mark(root):
 * A number that stands for the directory, in all processes; 0: there is none.
 */
uint64_t root_mark(const struct root *root);

/**
 * root_free(root):
 * Give back ${root}; NULL is fine.
 */
void root_free(struct root *root);

#endif
