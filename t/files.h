#ifndef T_FILES_H
#define T_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "system/config.h"

/*
 * A data root for one test: a new directory, which goes when the process ends. All paths are
 * relative to it. Whatever fails ends the test.
 */

/* The series that most tests need one of. */
#define FILES_SERIES "ex/SYM/MD"

/* Wall-clock seconds at which no file of files_write is live any more: 2025-06-15 12:00 UTC,
 * and the day number of that day. */
#define FILES_WALL INT64_C(1749988800)
#define FILES_TODAY 20254

/**
 * files_root(void):
 * The path of the directory, which is made when it is first asked for.
 */
const char *files_root(void);

/**
 * files_fresh(void):
 * Remove it, and begin another one.
 */
void files_fresh(void);

/**
 * files_config(void):
 * A configuration with everything at its default, but for its data, which is a fresh root.
 */
struct config *files_config(void);

/**
 * files_config_again(void):
 * The same on the root that there is.
 */
struct config *files_config_again(void);

/**
 * files_set(config, name, value):
 * config_set, which must succeed.
 */
void files_set(struct config *config, const char *name, const char *value);

/**
 * files_folder(path):
 * Make the directory ${path} and those above it, as far as they are not there.
 */
void files_folder(const char *path);

/**
 * files_write(path, bytes, len):
 * Make ${path} a new file of these bytes, renamed into its place, and last changed an hour
 * before FILES_WALL.
 */
void files_write(const char *path, const void *bytes, size_t len);

/**
 * files_append(path, bytes, len):
 * Append to the file ${path} (made, if need be); its modification time is FILES_WALL.
 */
void files_append(const char *path, const void *bytes, size_t len);

/**
 * files_truncate(path, len):
 * Cut off the file ${path}, in place; last changed half an hour before FILES_WALL.
 */
void files_truncate(const char *path, size_t len);

/**
 * files_chill(path):
 * Have the kernel forget the bytes of ${path}, as far as they are on a disk and not mapped.
 */
void files_chill(const char *path);

/**
 * files_touch(path, wall):
 * Let ${path} be last changed at ${wall}.
 */
void files_touch(const char *path, int64_t wall);

/**
 * files_remove(path), files_rename(from, to), files_link(target, path):
 * Remove, rename, make a symbolic link.
 */
void files_remove(const char *path);
void files_rename(const char *from, const char *to);
void files_link(const char *target, const char *path);

/**
 * files_openat2(void):
 * Whether there is an openat2(2), without which no link is followed: valgrind can be an old
 * kernel.
 */
bool files_openat2(void);

/**
 * files_column(series, column, day):
 * The path of one column's file of one day; valid until the fourth call after this one.
 */
const char *files_column(const char *series, const char *column, int32_t day);

#endif
