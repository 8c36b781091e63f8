#ifndef STORE_FACTS_H
#define STORE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/board.h"
#include "store/cache.h"
#include "store/days.h"
#include "store/filestate.h"
#include "store/names.h"
#include "store/timeindex.h"
#include "system/config.h"
#include "system/segment.h"

/*
 * What the workers of a server tell one another, through the shared segment, about series and
 * files: so that one look at the disk serves all. A worker acts on it only where it is about
 * the very file or directory that it has open, or was seen no longer ago than "revalidate".
 *
 * Facts are handed over by value. Without a segment nothing is ever known.
 */

/* What a path led to. */
struct fact_file {
    struct filestate state;
    uint64_t checked; /* clock_ms of the look */
    uint64_t absent;  /* there was no file; then only ${checked} counts */
};

/* A time file, in a state, and what is known of its rows then. */
struct fact_index {
    struct filestate state;
    struct timeindex index;
};

/* ... and where each stretch of its day begins; void unless timeindex_fenceable. */
struct fact_times {
    struct fact_index known;
    struct timefences fences;
};

#define FACT_COLUMNS_MAX 64

/* The days and columns of a series; one with more columns is not shared. */
struct fact_series {
    struct filestate directory; /* as seriesload_state has it */
    uint64_t
        dirty; /* it was read so soon after its modification that it may have changed since */
    uint64_t checked;
    uint64_t column_count;
    uint32_t columns[FACT_COLUMNS_MAX]; /* numbers of names */
    struct days days;
};

struct facts {
    bool shared;
    struct names names;
    struct cache series, files, times;
    struct board board; /* of DATA as a whole; see there */
};

/* The numbers of a series' names; zeros: it cannot be shared. */
struct fact_names {
    uint32_t exchange, symbol, type;
};

/**
 * facts_sizes(config, bytes):
 * How large the sections are to be that facts are kept in.
 */
void facts_sizes(const struct config *config, size_t bytes[SEGMENT_SECTIONS]);

/**
 * facts_attach(facts, segment, owner):
 * Make ${facts} this process's view of those in ${segment} (NULL: none); ${owner} as for
 * cache_attach.
 */
void facts_attach(struct facts *facts, const struct segment *segment, unsigned owner);

/**
 * facts_sweep(facts, owner):
 * Undo what the dead process ${owner} was in the middle of. For the master. Returns how many
 * writes that were.
 */
unsigned facts_sweep(struct facts *facts, unsigned owner);

/**
 * facts_names(facts, exchange, symbol, type):
 * The numbers of names that were all seen on disk. Zeros if there is no room for them.
 */
struct fact_names facts_names(struct facts *facts, struct slice exchange, struct slice symbol,
                              struct slice type);

/**
 * facts_known_names(facts, exchange, symbol, type):
 * The numbers of any names: zeros if one of them has none. Adds nothing.
 */
struct fact_names facts_known_names(struct facts *facts, struct slice exchange,
                                    struct slice symbol, struct slice type);

/* The facts about one thing; find returns whether there are any, put does what it can. Of
 * files,
 * ${column} is the number of its name. Of times, ${hint} is for facts_bounds; find_index is
 * find_times without the fences. */
bool facts_find_series(struct facts *facts, struct fact_names names, uint64_t now,
                       struct fact_series *series);
void facts_put_series(struct facts *facts, struct fact_names names, uint64_t now,
                      const struct fact_series *series);
bool facts_find_file(struct facts *facts, struct fact_names names, uint32_t column, int32_t day,
                     uint64_t now, struct fact_file *file);
void facts_put_file(struct facts *facts, struct fact_names names, uint32_t column, int32_t day,
                    uint64_t now, const struct fact_file *file);
bool facts_find_times(struct facts *facts, struct fact_names names, int32_t day, uint64_t now,
                      struct fact_times *times, struct cache_hint *hint);
bool facts_find_index(struct facts *facts, struct fact_names names, int32_t day, uint64_t now,
                      struct fact_index *known, struct cache_hint *hint);
void facts_put_times(struct facts *facts, struct fact_names names, int32_t day, uint64_t now,
                     const struct fact_times *times, struct cache_hint *hint);

/**
 * facts_bounds(facts, hint, now, day, range, bounds):
 * What the fences of ${day} say about ${range}, to be given to timeindex_bounds_clip. Returns
 * whether they are still those that left ${hint}.
 */
bool facts_bounds(const struct facts *facts, const struct cache_hint *hint, uint64_t now,
                  int32_t day, struct timerange range, struct timebounds *bounds);

#endif
