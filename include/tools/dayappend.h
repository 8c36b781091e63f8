#ifndef TOOLS_DAYAPPEND_H
#define TOOLS_DAYAPPEND_H

#include <stdint.h>

#include "tools/columns.h"
#include "tools/seriesdir.h"

/* Rows onto the end of a day that exists, in place, under the eyes of its readers. */

/* What a day that exists has: as many rows as its `time` has whole records. */
struct dayappend_end {
    uint64_t rows;
    uint64_t ns; /* of the last row; 0 without rows */
};

/**
 * dayappend_check(series, columns, day, end):
 * Whether rows of ${columns} can be appended to ${day}: it has the same columns, and each of
 * them at least as many records as `time`, whose end goes to ${end}. Records beyond those are
 * what an append that was killed has left, unless there are so many that the column must have
 * another type. Changes nothing. Returns 0, or -1 after a message.
 */
int dayappend_check(const struct seriesdir *series, const struct columns *columns, int32_t day,
                    struct dayappend_end *end);

/**
 * dayappend_run(series, columns, day, rows):
 * Cut all columns of ${day} to its ${rows} rows, append what is in their temporary files, one
 * after another and `time` last, and wait each time until it is on the disk: a reader, or
 * whoever comes after a kill, finds the rows of before or of after or, if the kill comes while
 * `time` is written, the first of the new ones. Returns 0, or -1 after a message; on an I/O
 * error the day is cut to what it was.
 */
int dayappend_run(const struct seriesdir *series, const struct columns *columns, int32_t day,
                  uint64_t rows);

#endif
