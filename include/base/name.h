#ifndef BASE_NAME_H
#define BASE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * The names of exchanges, symbols, types and columns, and of the files made from them:
 * DATA/{exchange}/{symbol}/{type}/{column}.{DD}.{MM}.{YY}.bin
 */

#define NAME_MAX_BYTES 64

/* Room for a column's file name and its NUL. */
#define NAME_FILE (NAME_MAX_BYTES + 14)

/**
 * name_valid(name):
 * Whether ${name} has 1-64 bytes of A-Z a-z 0-9 . _ : -, no dot at its start and no "..".
 */
bool name_valid(struct slice name);

/**
 * name_file(column, day, file):
 * Write the file name of ${column} on ${day} (DATE_FIRST to DATE_LAST) and a NUL to ${file};
 * returns ${file}.
 */
char *name_file(struct slice column, int32_t day, char file[NAME_FILE]);

/**
 * name_parse_file(file, column, day):
 * Read a file name as name_file writes it; ${column} then lies in ${file}. Returns 0, or -1 if
 * it is no such name.
 */
int name_parse_file(struct slice file, struct slice *column, int32_t *day);

#endif
