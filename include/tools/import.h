#ifndef TOOLS_IMPORT_H
#define TOOLS_IMPORT_H

#include <stdint.h>

#include "tools/columns.h"
#include "tools/seriesdir.h"

/*
 * Rows in any order, split by UTC day. Days are left alone until import_publish: what comes
 * before goes to temporary files. At most 64 days at a time have rows in memory, half a MiB
 * each; a day whose rows do not come in order is sorted in memory at the end, see daysort.h.
 */

struct import;

/* What becomes of a day that exists. */
enum import_mode {
    IMPORT_NEW, /* it is refused */
    IMPORT_REPLACE,
    IMPORT_APPEND,
};

enum import_result {
    IMPORT_OK,
    IMPORT_BAD,     /* the row can belong to no day */
    IMPORT_REFUSED, /* the row's day cannot take it */
    IMPORT_FAILED,  /* an error, and a message has said which */
};

struct import_summary {
    uint64_t rows, days;
    int32_t first, last; /* days; only where there are any */
};

/**
 * import_new(series, columns, mode):
 * An import to ${series}; both pointers must outlive it. Returns NULL without memory.
 */
struct import *import_new(const struct seriesdir *series, const struct columns *columns,
                          enum import_mode mode);

/**
 * import_put(import, ns, row, reason):
 * Add a row, see daywriter_put. ${reason} says why for IMPORT_BAD and IMPORT_REFUSED.
 */
enum import_result import_put(struct import *import, int64_t ns, const char *row,
                              const char **reason);

/**
 * import_publish(import):
 * Sort what needs it, then replace or append day after day. Returns 0, or -1 after a message;
 * days before the one in the message are then done, it and those after it are not.
 */
int import_publish(struct import *import);

/**
 * import_summary(import):
 * What was put so far.
 */
struct import_summary import_summary(const struct import *import);

/**
 * import_free(import):
 * Free ${import}; temporary files that were not published stay (seriesdir_close removes them).
 */
void import_free(struct import *import);

#endif
