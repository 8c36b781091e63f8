#ifndef QUERY_GATHER_H
#define QUERY_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/waker.h"
#include "query/query.h"
#include "store/day.h"
#include "store/store.h"

/*
 * The facts that a query's answer is made from: which days have rows in the range, and which
 * rows. Days are looked at in slices, so that a query over thousands of them lets others have
 * their turn.
 */

/* A day with rows in the range. */
struct gather_day {
    int32_t number;
    bool live;
    struct timespan span;
    struct day
        *day; /* held until gather_end; NULL where that would be too many files: then ... */
    struct filestate *files; /* ... what its files were, by place in gather's columns: what is
                                sent later must still be that */
};

struct gather {
    struct store *store;
    const struct query *query;
    struct failure *failure;
    struct load_waiter waiter; /* for what is not known yet */
    struct series *series;     /* held until gather_end; NULL: not found yet */
    unsigned roots;            /* the store's when it was found: all is of that root */
    unsigned restarts;         /* because there was another one */
    struct timerange range; /* of the query; in whole seconds where the series has no nanos */
    unsigned *columns; /* places in the series: the query's columns, then those only needed to
                          choose rows */
    unsigned column_count; /* of the query's */
    unsigned needed_count; /* of all */
    bool use_nanos;
    int32_t first, last; /* days of the range; those beside it may have rows in it, too */
    int32_t next;        /* to look at */
    unsigned tries;      /* with that, which keeps changing */
    unsigned files_held;
    unsigned room; /* in days and in skipped */
    struct gather_day *days;
    unsigned day_count;
    bool live; /* one of the days looked at has rows and may still grow, or none and has changed
                  lately */
    int32_t *skipped; /* days left out because of "missing=skip" */
    unsigned skipped_count;
    uint64_t rows; /* in the range, over all days */
};

enum gather_state {
    GATHER_DONE,
    GATHER_MORE,   /* call gather_step again, after others had their turn */
    GATHER_WAIT,   /* call gather_step again once the waker was called */
    GATHER_FAILED, /* the failure says why */
};

/**
 * gather_begin(gather, store, query, waker, failure):
 * Make ${gather} ready to find out about ${query}. All of it, and ${failure}, must outlive
 * ${gather}, which stays where it is. ${waker} is called, after GATHER_WAIT, when it is time
 * for the next step. gather_end is to be called at any time.
 */
void gather_begin(struct gather *gather, struct store *store, const struct query *query,
                  struct waker waker, struct failure *failure);

/**
 * gather_step(gather, arena):
 * Look at the series, and at some more days. What is found out lies in ${arena}.
 */
enum gather_state gather_step(struct gather *gather, struct arena *arena);

/**
 * gather_open(gather, day, column, found):
 * Have the file of ${column} (its place in gather's columns) on the gathered ${day} open, and
 * make ${found} its day, held: to be given to day_release. GATHER_DONE; GATHER_WAIT until the
 * waker is called; or GATHER_FAILED: it is not the file any more that was gathered.
 */
enum gather_state gather_open(struct gather *gather, const struct gather_day *day,
                              unsigned column, struct day **found);

/**
 * gather_forget(gather):
 * Wait no more, after GATHER_WAIT: the waker will not be called.
 */
void gather_forget(struct gather *gather);

/**
 * gather_end(gather):
 * Let go of all that is held. All zeros is fine.
 */
void gather_end(struct gather *gather);

#endif
