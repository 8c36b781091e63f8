#ifndef SYSTEM_STATS_H
#define SYSTEM_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/request.h"
#include "system/segment.h"
#include "system/shared.h"

/*
 * What the processes of a server count. Each has a row of its own in the shared segment, which
 * it alone writes, so that counting is a load, an addition and a store. The place of a row is
 * the number of its process in the segment: 0 is the master. The last row is the past: what
 * was counted by processes that are gone.
 */

enum stats_counter {
#define COUNTER(name, help) STATS_##name,
#define GAUGE(name, help) STATS_##name,
#define HISTOGRAM(name, unit, help)
#include "system/counters.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    STATS_COUNTERS,
};

enum stats_histogram {
#define COUNTER(name, help)
#define GAUGE(name, help)
#define HISTOGRAM(name, unit, help) STATS_##name,
#include "system/counters.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    STATS_HISTOGRAMS,
};

/* What answers are counted by: see labels.def. */
enum stats_endpoint {
#define ENDPOINT(name) STATS_ENDPOINT_##name,
#define CODE(status)
#include "system/labels.def"
#undef ENDPOINT
#undef CODE
    STATS_ENDPOINTS,
};

enum stats_code {
    STATS_CODE_other,
#define ENDPOINT(name)
#define CODE(status) STATS_CODE_##status,
#include "system/labels.def"
#undef ENDPOINT
#undef CODE
    STATS_CODES,
};

#define STATS_METHODS (REQUEST_OTHER + 1)

/* Durations are sorted by upper bounds, in nanoseconds, that are the same for all histograms:
 * 1, 2 and 5 times powers of ten, from 10 microseconds to 10 seconds. What is longer than all
 * has a bucket of its own, the last. */
#define STATS_BOUNDS 19
#define STATS_BUCKETS (STATS_BOUNDS + 1)

extern const uint64_t stats_bounds[STATS_BOUNDS];

enum stats_kind { STATS_FREE, STATS_MASTER, STATS_WORKER, STATS_PAST };

struct stats_durations {
    uint64_t sum; /* nanoseconds */
    uint64_t buckets[STATS_BUCKETS];
};

struct stats_row {
    uint64_t kind; /* enum stats_kind: STATS_FREE as long as the rest is not there */
    uint64_t pid;
    uint64_t slot; /* of a worker */
    uint64_t born; /* seconds since the Unix epoch */
    uint64_t counters[STATS_COUNTERS];
    struct stats_durations durations[STATS_HISTOGRAMS];
    uint64_t answers[STATS_ENDPOINTS][STATS_METHODS][STATS_CODES]; /* sent whole */
} __attribute__((aligned(64)));

/* What a row of counters.def says. */
struct stats_about {
    const char *name, *help;
    bool is_gauge;
};

extern const struct stats_about stats_counters[STATS_COUNTERS];
extern const struct stats_about stats_histograms[STATS_HISTOGRAMS];

/* As labels: the names of endpoints and methods, and the codes ("other" is the first). */
extern const char *const stats_endpoints[STATS_ENDPOINTS];
extern const char *const stats_methods[STATS_METHODS];
extern const char *const stats_codes[STATS_CODES];

/* The place of each status among the codes. */
#define STATS_STATUS_MAX 511
extern const unsigned char stats_code_of[STATS_STATUS_MAX + 1];

/* Who counts: a process. Where threads play processes, it is _Thread_local. */
#ifndef STATS_OWNER
#define STATS_OWNER
#endif

/* The row of this process: one that nobody sees, until there is a segment. */
extern STATS_OWNER struct stats_row *stats_mine;

/**
 * stats_add(counter, count), stats_subtract(gauge, count):
 * Count ${count} more; or less. To be called by one thread of a process only, like all that
 * writes the process's own row.
 */
static inline void stats_add(enum stats_counter counter, uint64_t count)
{
    uint64_t *at = &stats_mine->counters[counter];

    shared_store(at, shared_load(at) + count);
}

static inline void stats_subtract(enum stats_counter gauge, uint64_t count)
{
    stats_add(gauge, 0 - count);
}

/**
 * stats_set(gauge, value):
 * Have ${gauge} say ${value}.
 */
static inline void stats_set(enum stats_counter gauge, uint64_t value)
{
    shared_store(&stats_mine->counters[gauge], value);
}

/**
 * stats_time(histogram, ns):
 * Count one that took ${ns} nanoseconds.
 */
static inline void stats_time(enum stats_histogram histogram, uint64_t ns)
{
    struct stats_durations *to = &stats_mine->durations[histogram];
    unsigned bucket = 0;

    while (bucket < STATS_BOUNDS && ns > stats_bounds[bucket])
        bucket++;
    shared_store(&to->buckets[bucket], shared_load(&to->buckets[bucket]) + 1);
    shared_store(&to->sum, shared_load(&to->sum) + ns);
}

/**
 * stats_answered(endpoint, method, status):
 * Count an answer that was sent whole.
 */
static inline void stats_answered(enum stats_endpoint endpoint, enum request_method method,
                                  int status)
{
    unsigned code = stats_code_of[(unsigned)status & STATS_STATUS_MAX];
    uint64_t *at = &stats_mine->answers[endpoint][method][code];

    shared_store(at, shared_load(at) + 1);
}

/**
 * stats_bytes(workers):
 * The bytes of the section for a master and ${workers} workers at once, whose numbers are 1 to
 * ${workers}.
 */
size_t stats_bytes(unsigned workers);

/**
 * stats_create(segment):
 * Make the section of the fresh ${segment} one for the rows of counters.def, and this process,
 * the master, the owner of row 0.
 */
void stats_create(struct segment *segment);

/**
 * stats_attach(segment, id, slot):
 * Make this process, the worker ${id} of ${slot}, the owner of the row ${id}, which is
 * nobody's.
 */
void stats_attach(struct segment *segment, unsigned id, unsigned slot);

/**
 * stats_resume(segment):
 * Count in row 0 of ${segment}, where this process, the master, has counted before.
 */
void stats_resume(struct segment *segment);

/**
 * stats_counts_in(segment):
 * Whether this process counts in ${segment}.
 */
bool stats_counts_in(const struct segment *segment);

/**
 * stats_turns(segment, id):
 * How many turns the loop of the process ${id} has made: a sign of life.
 */
uint64_t stats_turns(const struct segment *segment, unsigned id);

/**
 * stats_detach(void):
 * From now on, count where nobody sees it: before the segment goes.
 */
void stats_detach(void);

/**
 * stats_fold(segment, id):
 * Of the worker ${id}, which is dead and waited for: add what its row counted to the past, but
 * for gauges, and clear it for another. To be called by the master.
 */
void stats_fold(struct segment *segment, unsigned id);

/**
 * stats_fits(segment):
 * Whether the rows of ${segment}, which another program may have made, are those of
 * counters.def, so that this one can read them.
 */
bool stats_fits(const struct segment *segment);

/**
 * stats_least(segment, gauge, among):
 * The least value of ${gauge} in the rows of workers whose gauge ${among} is not 0; UINT64_MAX
 * if there are none.
 */
uint64_t stats_least(const struct segment *segment, enum stats_counter gauge,
                     enum stats_counter among);

/**
 * stats_rows(segment):
 * How many rows there are, the master's and the past included.
 */
unsigned stats_rows(const struct segment *segment);

/**
 * stats_read(segment, rows):
 * Copy all rows to ${rows}, which has room for stats_rows. Any process may do so at any time,
 * and waits for nobody. Returns whether no fold was met; if not, what a dead worker counted may
 * be in its row and in the past, or in neither.
 */
bool stats_read(const struct segment *segment, struct stats_row *rows);

/**
 * stats_sum(rows, count, total):
 * Add the counters, gauges, durations and answers of ${count} ${rows} up in ${total}.
 */
void stats_sum(const struct stats_row *rows, unsigned count, struct stats_row *total);

/**
 * stats_count(durations):
 * How many durations there are.
 */
uint64_t stats_count(const struct stats_durations *durations);

/**
 * stats_quantile(durations, share):
 * The bucket, 0 to STATS_BOUNDS, in which the shortest ${share} (0 to 1) of all ${durations}
 * ends: that many took no longer than its bound. -1 if there are none.
 */
int stats_quantile(const struct stats_durations *durations, double share);

#endif
