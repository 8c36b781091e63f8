#ifndef TOOLS_DAYWRITER_H
#define TOOLS_DAYWRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/columns.h"
#include "tools/seriesdir.h"

/*
 * The rows of one day on their way to temporary files, a file for each column. Nothing here
 * touches the day itself: see dayswap.h and dayappend.h.
 *
 * A writer holds at most half a MiB of rows (or one row), and no descriptor between calls.
 * Every function that returns -1 has said why.
 */

struct daywriter;

/**
 * daywriter_new(series, columns, day):
 * A writer for ${day} (DATE_FIRST to DATE_LAST); both pointers must outlive it. Temporary files
 * of that day that a killed run left behind are overwritten. Returns NULL without memory.
 */
struct daywriter *daywriter_new(const struct seriesdir *series, const struct columns *columns,
                                int32_t day);

/**
 * daywriter_put(writer, ns, row):
 * Add a row: ${ns} since the epoch becomes its `time` and `nanos`; the other columns are taken
 * from ${row}, laid out as the writer's columns say. ${ns} should lie in the writer's day.
 */
int daywriter_put(struct daywriter *writer, uint64_t ns, const char *row);

/**
 * daywriter_park(writer):
 * Write out what is in memory and give the memory back. The next row takes it again.
 */
int daywriter_park(struct daywriter *writer);

/**
 * daywriter_finish(writer):
 * As daywriter_park, then bring the rows in the order of their nanosecond; rows of the same
 * nanosecond stay in the order they came in. No memory is taken for that unless some row was
 * earlier than the one before it; see daysort.h.
 */
int daywriter_finish(struct daywriter *writer);

/**
 * daywriter_day(writer), daywriter_rows(writer):
 * The day, and how many rows were put.
 */
int32_t daywriter_day(const struct daywriter *writer);
uint64_t daywriter_rows(const struct daywriter *writer);

/**
 * daywriter_free(writer):
 * Free ${writer}; its temporary files stay (seriesdir_close removes them).
 */
void daywriter_free(struct daywriter *writer);

#endif
