#ifndef TOOLS_CSV_H
#define TOOLS_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Comma-separated values (RFC 4180), plain or gzip, row by row. A line may end in CRLF, the
 * last one in nothing; empty lines are no rows; a byte order mark at the beginning is skipped.
 * A field that begins with a quote ends at the next single one, may hold delimiters and line
 * ends, and a doubled quote stands for one.
 */

/* No row may be longer. */
#define CSV_ROW_MAX (1024 * 1024)

struct csv;

enum csv_result {
    CSV_ROW,
    CSV_END,
    CSV_BAD,    /* this row is none, but the next may be */
    CSV_FAILED, /* the file cannot be read on; a message has said why */
};

/**
 * csv_open(path, delimiter):
 * Open ${path}, standard input for "-". gzip is known by its first bytes, and only
 * more of it, or zeros, may follow it. Returns NULL after a message.
 */
struct csv *csv_open(const char *path, char delimiter);

/**
 * csv_next(csv, fields, count, reason):
 * Read the next row: ${fields} gets its ${count} (1 or more) fields, which stay there until
 * the next call. For CSV_BAD, ${reason} says what is wrong with it.
 */
enum csv_result csv_next(struct csv *csv, const struct slice **fields, size_t *count,
                         const char **reason);

/**
 * csv_name(csv), csv_line(csv):
 * For messages: the file's name ("stdin" for "-"), and the line, counted from 1, in which the
 * row that csv_next last returned begins.
 */
const char *csv_name(const struct csv *csv);
uint64_t csv_line(const struct csv *csv);

/**
 * csv_position(csv):
 * How many bytes of the file, as it is on disk, have been read.
 */
uint64_t csv_position(const struct csv *csv);

/**
 * csv_close(csv):
 * Close and free ${csv}.
 */
void csv_close(struct csv *csv);

#endif
