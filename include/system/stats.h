#ifndef SYSTEM_STATS_H
#define SYSTEM_STATS_H

#include <stdint.h>

#include "system/shared.h"

/*
 * What the processes of a server count. Each has a row of its own in the shared segment, which
 * it alone writes, so that counting is a load, an addition and a store.
 */

enum stats_counter {
#define COUNTER(name, help) STATS_##name,
#define GAUGE(name, help) STATS_##name,
#include "system/counters.def"
#undef COUNTER
#undef GAUGE
    STATS_COUNTERS,
};

struct stats_row {
    uint64_t counters[STATS_COUNTERS];
};

/* Who counts: a process. Where threads play processes, it is _Thread_local. */
#ifndef STATS_OWNER
#define STATS_OWNER
#endif

/* The row of this process: one that nobody sees, until there is a segment. */
extern STATS_OWNER struct stats_row *stats_mine;

/**
 * stats_add(counter, count):
 * Count ${count} more. To be called by one thread of a process only.
 */
static inline void stats_add(enum stats_counter counter, uint64_t count)
{
    uint64_t *at = &stats_mine->counters[counter];

    shared_store(at, shared_load(at) + count);
}

#endif
