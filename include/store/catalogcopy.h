#ifndef STORE_CATALOGCOPY_H
#define STORE_CATALOGCOPY_H

#include "base/buf.h"
#include "base/slice.h"
#include "store/catalog.h"

/*
 * A catalog as bytes, for the other workers of a server: its tables, one behind the other. For
 * the same program on the same machine only.
 */

/**
 * catalogcopy_save(snapshot, to):
 * Append the catalog ${snapshot} to ${to}. Returns 0, or -1 without memory.
 */
int catalogcopy_save(const struct snapshot *snapshot, struct buf *to);

/**
 * catalogcopy_load(bytes, base):
 * The catalog that was saved as ${bytes}; ${base} is NULL. NULL if that is none, or without
 * memory.
 */
struct snapshot *catalogcopy_load(struct slice bytes, const struct snapshot *base);

#endif
