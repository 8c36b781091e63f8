#ifndef STORE_CENSUS_H
#define STORE_CENSUS_H

#include <stdint.h>

#include "store/load.h"
#include "store/store.h"

/* Which files a series has, and how large they are: one look at its directory, by a helper. */

struct census_file {
    int32_t day;
    uint32_t column; /* its place in the census */
    uint64_t bytes;
    int64_t mtime; /* nanoseconds since the epoch */
};

struct census {
    unsigned column_count, column_room;
    char (*columns)[65]; /* "time", then the others by name */
    size_t file_count, file_room;
    struct census_file *files; /* by day, then by column */
};

struct census_load;

/**
 * census_begin(store, path, waiter, census):
 * Take the census of the series ${path}, which ${waiter} waits for. Once that is settled, and
 * not failed, ${census} has it: to be given to census_free. Returns the load, for census_leave;
 * NULL if it cannot be begun: then ${waiter} waits for room, or has failed.
 */
struct census_load *census_begin(struct store *store, const char *path,
                                 struct load_waiter *waiter, struct census **census);

/**
 * census_leave(load):
 * Nobody wants what comes of ${load} any more, which has not settled.
 */
void census_leave(struct census_load *load);

/**
 * census_free(census):
 * Give it back; NULL is fine.
 */
void census_free(struct census *census);

#endif
