#ifndef STORE_SERIESLOAD_H
#define STORE_SERIESLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/stat.h>

#include "base/failure.h"
#include "store/days.h"
#include "store/facts.h"
#include "store/load.h"
#include "store/series.h"

/*
 * The part of a series' making that can block: reading its directory. It works on its own
 * copies, on a helper; store/series.h asks for it and takes over what came of it.
 */

struct seriesload {
    struct load load;
    struct series *series; /* pinned; the one to bring up to date, or a new one */
    bool fresh;            /* it is new */
    char path[3 * 65];
    size_t ends[3];   /* of the path's parts */
    int64_t wall;     /* nanoseconds since the epoch */
    uint64_t started; /* store time */
    bool known;       /* others have told: */
    struct fact_series fact;

    unsigned tries; /* made again because the system was out of files */

    /* What came of it. */
    int error;              /* errno; else 0 */
    bool rootless;          /* ... as the data root is missing or empty */
    struct failure failure; /* of it */
    struct filestate directory;
    bool as_known; /* the directory is as others have told; all below is void */
    bool dirty;    /* read too soon after its modification */
    struct days days;
    unsigned column_count, column_room;
    char (*columns)[65];
};

/**
 * seriesload_state(found):
 * What stat(2) says of a directory, as far as it shows whether names have come or gone: mtime
 * alone does not where it is set back afterwards, as by rsync and tar.
 */
struct filestate seriesload_state(const struct stat *found);

/**
 * seriesload_read(load):
 * The load's read.
 */
void seriesload_read(struct load *load);

/**
 * seriesload_free(seriesload):
 * Give it back.
 */
void seriesload_free(struct seriesload *seriesload);

#endif
