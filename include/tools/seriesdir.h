#ifndef TOOLS_SERIESDIR_H
#define TOOLS_SERIESDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * The directory of one series, DATA/{exchange}/{symbol}/{type}, held for writing: the holder
 * has an exclusive flock on it, so nobody else who asks for it here writes there. What is not
 * finished lies in it under temporary names that start with a dot and end in ".tmp", which
 * the server does not take for day files.
 *
 * Every function that returns -1 has said why.
 */

struct seriesdir;

/* Room for a temporary name and its NUL. */
#define SERIESDIR_FILE 128

/**
 * seriesdir_check_names(exchange, symbol, type):
 * Whether the three are names that can be on disk. Returns 0, or -1 after a message.
 */
int seriesdir_check_names(const char *exchange, const char *symbol, const char *type);

/**
 * seriesdir_open(data, exchange, symbol, type, durable):
 * Make the directories of the series in ${data}, which must exist, as far as they are missing,
 * and lock it. With ${durable}, seriesdir_sync and seriesdir_sync_file do their work, else
 * nothing. The names must be valid, and stay where they are until seriesdir_close. Returns NULL
 * on an I/O error, or when somebody else holds the lock.
 */
struct seriesdir *seriesdir_open(const char *data, const char *exchange, const char *symbol,
                                 const char *type, bool durable);

/**
 * seriesdir_close(series):
 * Remove all temporary files there are, this run's and those of runs that were killed, and the
 * directories seriesdir_open made if they have stayed empty; unlock and free ${series}.
 */
void seriesdir_close(struct seriesdir *series);

/**
 * seriesdir_fd(series):
 * The descriptor of the directory, for openat and its like.
 */
int seriesdir_fd(const struct seriesdir *series);

/**
 * seriesdir_path(series):
 * "exchange/symbol/type", for messages.
 */
const char *seriesdir_path(const struct seriesdir *series);

/**
 * seriesdir_complain(series, file):
 * Say what errno means for ${file} of the series. Returns -1.
 */
int seriesdir_complain(const struct seriesdir *series, const char *file);

/**
 * seriesdir_temp(column, day, file):
 * Write the temporary name of ${column} on ${day} to ${file}; returns ${file}.
 */
char *seriesdir_temp(const char *column, int32_t day, char file[SERIESDIR_FILE]);

/**
 * seriesdir_has_day(series, day):
 * Whether ${day} exists, that is, has its `time` file: 1 or 0, or -1.
 */
int seriesdir_has_day(const struct seriesdir *series, int32_t day);

/**
 * seriesdir_column(series, i):
 * The ${i}th of the names of columns that any day of the series had when it was opened, in no
 * order; NULL when there are no more.
 */
const char *seriesdir_column(const struct seriesdir *series, size_t i);

/**
 * seriesdir_sync(series):
 * Wait until all renames and removals so far are on the disk.
 */
int seriesdir_sync(const struct seriesdir *series);

/**
 * seriesdir_sync_file(series, fd, file):
 * Wait until the content of ${fd}, open on ${file} (for messages), is on the disk.
 */
int seriesdir_sync_file(const struct seriesdir *series, int fd, const char *file);

#endif
