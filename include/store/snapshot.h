#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "store/load.h"
#include "store/store.h"

/*
 * Things that are known of DATA as a whole: each is made by a helper, never changes, and is
 * replaced as a whole by a newer one. Answers hold the one they began with. What is made may be
 * made from another one, its base, which it holds.
 *
 * Nothing is made before somebody asks for it, and nothing is looked at while nobody asks. No
 * answer is older than "catalog_refresh": one who asks when half of that is over has a new one
 * made and takes what there is; one who asks when all of it is over waits for the new one.
 *
 * Those who use a snapshot are threads of one process: the loop's holds and releases, a
 * helper's reads what its job holds.
 */

/* The first member of each kind's struct. */
struct snapshot {
    unsigned uses;
    size_t bytes; /* of memory, about */
    struct snapshot *base;
    void (*free)(struct snapshot *snapshot); /* all but the base */
};

/* What a helper makes one with. */
struct snapshot_job {
    struct load load;
    struct root *root;
    const struct config *config;
    int64_t wall;                  /* nanoseconds since the epoch */
    const struct snapshot *base;   /* held; NULL: none */
    const struct snapshot *before; /* held: what was made last; NULL: nothing */
    const struct snapshot_kind *kind;
    struct snapshot_slot *slot;
    uint64_t started; /* store time */
    uint64_t took;    /* nanoseconds */
    unsigned tries;
    bool cancelled; /* see snapshot_cancelled */

    /* What came of it. */
    struct snapshot *made;  /* NULL: what was made before is still right */
    int error;              /* errno; else 0 */
    struct failure failure; /* of it */
};

struct snapshot_kind {
    unsigned place;                          /* in the store's slots */
    bool timeless;                           /* right as long as its base is */
    void (*build)(struct snapshot_job *job); /* on a helper: it may block */
};

enum snapshot_result {
    SNAPSHOT_OK,
    SNAPSHOT_WAIT,   /* it is being made: the waiter will be woken; then call again */
    SNAPSHOT_FAILED, /* the waiter's failure says why */
};

/**
 * snapshot_get(store, kind, base, waiter, snapshot):
 * One of ${kind}, made from ${base} or one that was its base not long ago; NULL for a kind that
 * has none. Held: to be given to snapshot_release.
 */
enum snapshot_result snapshot_get(struct store *store, const struct snapshot_kind *kind,
                                  struct snapshot *base, struct load_waiter *waiter,
                                  struct snapshot **snapshot);

/**
 * snapshot_latest(store, kind, base, age):
 * What was made last of ${kind}, from whatever base, without waiting: NULL if there is nothing
 * for which the disk was looked at in the last ${age} milliseconds. A new one is made, from
 * ${base}, when snapshot_get would have done so. Not held: it may go once the loop goes on.
 */
struct snapshot *snapshot_latest(struct store *store, const struct snapshot_kind *kind,
                                 struct snapshot *base, uint64_t age);

/**
 * snapshot_took(store, kind):
 * How many nanoseconds the last one of ${kind} took to make.
 */
uint64_t snapshot_took(const struct store *store, const struct snapshot_kind *kind);

/**
 * snapshot_wall(store, kind):
 * The wall clock's seconds when the last look for one of ${kind} began.
 */
int64_t snapshot_wall(const struct store *store, const struct snapshot_kind *kind);

/**
 * snapshot_release(snapshot):
 * Let go of ${snapshot}; NULL is fine.
 */
void snapshot_release(struct snapshot *snapshot);

/**
 * snapshot_cancelled(job):
 * For build: whether nobody wants the result any more.
 */
bool snapshot_cancelled(const struct snapshot_job *job);

/**
 * snapshot_fail(job, error, path):
 * For build: ${path}, relative to DATA (NULL: memory), could not be had because of ${error}, an
 * errno. Logs it.
 */
void snapshot_fail(struct snapshot_job *job, int error, const char *path);

/**
 * snapshot_cancel(store):
 * Have what is being made come to an end soon: the store is to be given back.
 */
void snapshot_cancel(struct store *store);

/**
 * snapshot_clear(store):
 * Let go of all that was made.
 */
void snapshot_clear(struct store *store);

#endif
