#ifndef STORE_DAYLOAD_H
#define STORE_DAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "store/dayfile.h"
#include "store/facts.h"
#include "store/load.h"
#include "store/series.h"

/*
 * The part of a day's making that can block: opening files, and reading a whole time column to
 * know its order. It works on its own copies, on a helper; store/day.h asks for it and takes
 * over what came of it.
 */

struct dayload_file {
    unsigned column; /* its place in the series */
    char path[DAYFILE_PATH];
    struct dayfile *file;
    int error; /* where there is none: errno */
};

struct dayload {
    struct load load;
    struct series *series; /* pinned; not to be read by a helper */
    int32_t number;
    char time_path[DAYFILE_PATH];
    bool current;     /* live by the calendar */
    int64_t recent;   /* a file modified after this time, in nanoseconds, is live */
    uint64_t started; /* store time */

    struct day *day;         /* pinned: the one that lacks something; NULL: a new one is made */
    struct filestate time;   /* of the day's time file */
    struct timeindex index;  /* what the day knows of it */
    const uint32_t *times;   /* mapped: ... */
    uint64_t rows;           /* ... so many */
    bool index_wanted;       /* know the order of all rows */
    struct fact_times known; /* what others know of it (all zeros: nothing), and then we */
    bool known_is_news;      /* ... but they do not */

    bool index_broken; /* the rows could not be read */
    bool replaced;     /* what was opened may not belong together */

    unsigned tries; /* made again because the system was out of files */
    unsigned count;
    struct dayload_file files[]; /* to open; a new day's time file first */
};

/**
 * dayload_new(count):
 * A load that is to open ${count} files; all else is zeros. NULL without memory. To be given to
 * dayload_free.
 */
struct dayload *dayload_new(unsigned count);

/**
 * dayload_read(load):
 * The load's read.
 */
void dayload_read(struct load *load);

/**
 * dayload_free(dayload):
 * Give it back, with the files that are still in it.
 */
void dayload_free(struct dayload *dayload);

#endif
