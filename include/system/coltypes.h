#ifndef SYSTEM_COLTYPES_H
#define SYSTEM_COLTYPES_H

#include <stddef.h>

#include "base/coltype.h"
#include "base/slice.h"

/*
 * Which type the records of a column have, by rows "exchange/type/column:u64" in which * stands
 * for any name. The last row that fits wins; rows for the usual columns come first. "time" is
 * always u32.
 */

struct coltypes;

/**
 * coltypes_new(void):
 * The table that tickd ships with: time, nanos, side u32; id u64; maker_order_id,
 * taker_order_id bytes16; all else f32. NULL without memory. To be given to coltypes_free.
 */
struct coltypes *coltypes_new(void);

/**
 * coltypes_add(table, row, problem, size):
 * Add the row written as "exchange/type/column:u64". Returns 0, or -1 with what is wrong in the
 * ${size} bytes of
 * ${problem}.
 */
int coltypes_add(struct coltypes *table, const char *row, char *problem, size_t size);

/**
 * coltypes_find(table, exchange, type, column):
 * The type of the records of ${column} in the series of ${exchange} and ${type}.
 */
struct coltype coltypes_find(const struct coltypes *table, struct slice exchange,
                             struct slice type, struct slice column);

/**
 * coltypes_free(table):
 * Give back ${table}; NULL is fine.
 */
void coltypes_free(struct coltypes *table);

#endif
