#ifndef TOOLS_COLMAP_H
#define TOOLS_COLMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/columns.h"
#include "tools/decimal.h"
#include "tools/ticktime.h"

/*
 * Which field of a file goes to which column, and as what: tickload's -m and --scale.
 *
 *     column=source[:type],...    source: a name in the header line, #N (the Nth field, from
 *                                 1), or @row (1, 2, ... for the rows that are loaded)
 *
 * The type stands behind the last colon. That of `time` is its unit, and required.
 */

/* Where a column's records come from. */
struct colmap_source {
    bool is_row;       /* @row */
    struct slice name; /* in the header line; at is NULL for #N and @row */
    size_t field;      /* #N: N - 1 */
    bool scaled;
    struct decimal_scale scale;
};

/* Passive. sources[i] belongs to columns.at[i]; that of `nanos`, which comes from `time`, is
 * not used. */
struct colmap {
    struct columns columns;
    struct colmap_source sources[COLUMNS_MAX];
    enum ticktime_unit unit;
    bool has_time;
};

/**
 * colmap_parse(text, map):
 * Read ${text}, in which the names of ${map} then lie. Returns 0, or -1 after a message.
 */
int colmap_parse(const char *text, struct colmap *map);

/**
 * colmap_scale(map, text):
 * Scale columns of floats, each by its factor: "column=factor,...", see decimal_parse_scale.
 * Returns 0, or -1 after a message.
 */
int colmap_scale(struct colmap *map, const char *text);

/**
 * colmap_has_names(map):
 * Whether some source is a name, so that every file needs a header line.
 */
bool colmap_has_names(const struct colmap *map);

#endif
