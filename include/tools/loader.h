#ifndef TOOLS_LOADER_H
#define TOOLS_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/colmap.h"
#include "tools/import.h"
#include "tools/origin.h"

/* The work of tickload(1), once its arguments are understood. */

struct loader_job {
    const char *data, *exchange, *symbol, *type;
    const struct colmap *map;
    const struct origin *origin; /* NULL: times are since the epoch */
    char delimiter;
    bool skip_header; /* drop the first line of a file that needs no header */
    bool skip_bad;
    bool quiet;
    enum import_mode mode;
    char **files; /* "-" is standard input */
    size_t file_count;
};

/**
 * loader_run(job):
 * Load all files of ${job}, say how it went on standard output and, where it did not go well,
 * on standard error. INT, TERM and HUP end it between two rows, with all temporary files
 * removed. Returns 0, or -1 if it failed: no day is touched then, unless publishing failed.
 */
int loader_run(const struct loader_job *job);

#endif
