#ifndef TOOLS_ORIGIN_H
#define TOOLS_ORIGIN_H

#include <stdint.h>

#include "base/slice.h"

/*
 * What times since a midnight count from: one time for all files, or one that stands in each
 * file's name.
 */
struct origin {
    int64_t ns;           /* the time, or what the zone adds to midnight UTC of the date */
    struct slice pattern; /* with YYYY, MM and DD; at is NULL for one time for all */
};

/**
 * origin_parse(text, origin):
 * Read "2014-05-01T00:00:00-05:00", or "name:" and a pattern and a zone, as in
 * "name:YYYYMMDD-05:00" or "name:ticks_DD.MM.YYYYZ". ${text} must outlive ${origin}. Returns
 * NULL, or what is wrong with it.
 */
const char *origin_parse(const char *text, struct origin *origin);

/**
 * origin_of_file(origin, path, ns):
 * Store the origin of ${path}'s times, in nanoseconds since the epoch, in ${ns}: the midnight,
 * in the pattern's zone, of the date at the first place in the file's name (its directories do
 * not count) that the pattern fits. Returns 0, or -1 if it fits nowhere.
 */
int origin_of_file(const struct origin *origin, const char *path, int64_t *ns);

#endif
