#ifndef QUERY_RAW_H
#define QUERY_RAW_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "query/gather.h"
#include "query/plan.h"

/* The raw format: a line of JSON, then the columns one after another. */

/**
 * raw_line(gather, plan, arena, line, data_bytes):
 * Write the line, padded with spaces so that it and its newline have a multiple of 64 bytes, to
 * ${arena} and ${line}; and how many bytes of columns follow it to ${data_bytes}. Returns 0, or
 * -1 without memory.
 */
int raw_line(const struct gather *gather, const struct plan *plan, struct arena *arena,
             struct slice *line, uint64_t *data_bytes);

#endif
