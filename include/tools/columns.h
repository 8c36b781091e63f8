#ifndef TOOLS_COLUMNS_H
#define TOOLS_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/coltype.h"
#include "base/name.h"
#include "base/slice.h"

/*
 * The columns that a tool writes, and how a row of them lies in memory: one record after
 * another, little-endian as on disk, without padding. Row and files then hold the same bytes.
 */

#define COLUMNS_MAX 64

/* Where these two stand in every set of columns. */
#define COLUMNS_TIME 0
#define COLUMNS_NANOS 1

struct column {
    char name[NAME_MAX_BYTES + 1];
    struct coltype type;
    size_t offset; /* of its record in a row */
};

/* The first two are `time` and `nanos`, both u32, and names are unique. */
struct columns {
    size_t count;
    size_t row_size; /* bytes of a row */
    struct column at[COLUMNS_MAX];
};

/**
 * columns_init(columns):
 * Make ${columns} the set of `time` and `nanos`.
 */
void columns_init(struct columns *columns);

/**
 * columns_add(columns, name, type):
 * Add the column ${name}. Returns NULL, or what is wrong with it.
 */
const char *columns_add(struct columns *columns, struct slice name, struct coltype type);

/**
 * columns_has(columns, name):
 * Whether one of ${columns} is called ${name}.
 */
bool columns_has(const struct columns *columns, struct slice name);

/**
 * columns_default_type(name):
 * The type that the column ${name} has where nobody says otherwise; the same table as the
 * server's (tickd-http(7)).
 */
struct coltype columns_default_type(struct slice name);

/**
 * columns_put_time(row, ns):
 * Store ${ns}, nanoseconds since the epoch, as the `time` and `nanos` of ${row}.
 */
void columns_put_time(char *row, uint64_t ns);

/**
 * columns_get_time(row):
 * What columns_put_time stored, or what stands in the `time` and `nanos` of a day file's row.
 */
uint64_t columns_get_time(const char *row);

/**
 * columns_put_u32(at, value), columns_put_u64(at, value), columns_put_f32(at, value):
 * Store one record at ${at}, which need not be aligned.
 */
void columns_put_u32(char *at, uint32_t value);
void columns_put_u64(char *at, uint64_t value);
void columns_put_f32(char *at, float value);

#endif
