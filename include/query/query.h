#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/slice.h"
#include "store/timeindex.h"
#include "system/config.h"

/* What a request for data asks for, typed and checked: the parameters of GET /api/data. */

struct query {
    struct slice exchange, symbol, type; /* valid names */
    unsigned column_count;
    struct slice *columns; /* valid names, none twice */
    struct timerange range;
    bool fractional;     /* the range begins or ends within a second */
    uint64_t limit;      /* the first rows only; 0: all */
    uint64_t tail;       /* the last rows only; 0: all */
    uint64_t max_points; /* every so manyth row only; 0: all */
    unsigned missing;    /* CONFIG_MISSING_* */
    unsigned framing;    /* CONFIG_FRAMING_* */
};

/**
 * query_parse(query, text, config, arena, failure):
 * Fill in ${query} from ${text}, what stands behind the '?' of a target, with the defaults of
 * ${config}. What it refers to is copied to ${arena}. Returns 0, or -1 with ${failure} (400,
 * naming the parameter).
 */
int query_parse(struct query *query, struct slice text, const struct config *config,
                struct arena *arena, struct failure *failure);

#endif
