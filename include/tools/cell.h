#ifndef TOOLS_CELL_H
#define TOOLS_CELL_H

#include <stddef.h>
#include <stdint.h>

#include "base/coltype.h"
#include "base/slice.h"
#include "tools/decimal.h"

/*
 * A field of text as a record of a column.
 *
 * Floats are decimal numbers, which become binary64, are scaled, and for f32 are rounded once
 * more. Integers are digits, with a minus where the type has a sign, or "true" and "false" for
 * 1 and 0. bytesN is 2N hexadecimal digits; dashes do not count (UUIDs).
 */

/**
 * cell_parse(text, type, scale, at):
 * Store ${text} as a record of ${type} at ${at}; ${scale}, which may be NULL, is for floats.
 * Returns NULL, or what is wrong with ${text}.
 */
const char *cell_parse(struct slice text, struct coltype type,
                       const struct decimal_scale *scale, char *at);

/**
 * cell_put_count(value, type, at):
 * Store the count ${value} as a record of ${type}, any but bytesN, at ${at}. Returns NULL, or
 * what is wrong.
 */
const char *cell_put_count(uint64_t value, struct coltype type, char *at);

#endif
