#ifndef TOOLS_STATVIEW_H
#define TOOLS_STATVIEW_H

#include "system/segment.h"
#include "system/stats.h"

/* What a server had counted at a moment. */

struct statview {
    const struct segment *segment;
    uint64_t at;            /* clock_ns */
    int64_t wall;           /* clock_wall */
    unsigned count;         /* of rows: the master's, the workers', the past */
    struct stats_row *rows; /* one more than that: all together */
};

/**
 * statview_new(segment):
 * A view of ${segment}, which must outlive it; NULL without memory. To be given to
 * statview_free.
 */
struct statview *statview_new(const struct segment *segment);

/**
 * statview_look(view):
 * Fill in what is now.
 */
void statview_look(struct statview *view);

/**
 * statview_since(view, before, place, row):
 * In ${row}, what the row ${place} of ${view} counted since ${before}, or without that, since
 * its process was born; gauges are as they are. Returns the seconds in which it did, more than
 * 0.
 */
double statview_since(const struct statview *view, const struct statview *before,
                      unsigned place, struct stats_row *row);

/**
 * statview_free(view):
 * Give back ${view}; NULL is fine.
 */
void statview_free(struct statview *view);

#endif
