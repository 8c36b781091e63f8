#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/failure.h"
#include "store/board.h"
#include "store/load.h"
#include "store/store.h"
#include "store/watch.h"

/*
 * Things that are known of DATA as a whole: each is made by a helper, never changes, and is
 * replaced as a whole by a newer one. Answers hold the one they began with. What is made may be
 * made from another one, its base, which it holds.
 *
 * Nothing is made before somebody asks for it, and nothing is looked at while nobody asks. No
 * answer is older than "catalog_refresh": one who asks when half of that is over has a new one
 * made and takes what there is; one who asks when all of it is over waits for the new one.
 *
 * What takes a look at the disk is shared by the workers of a server, on the board
 * (store/board.h): what one of them found, or that nothing has changed, is taken over by the
 * others, as long as it is no older than it would be if they had looked themselves. While one
 * looks, the others use what they have; who cannot, looks for himself.
 *
 * Where the kernel tells when directories change (store/watch.h), what is known of them is
 * right until it does: it is asked after "revalidate", and believed for some minutes.
 *
 * Those who use a snapshot are threads of one process: the loop's holds and releases, a
 * helper's reads what its job holds.
 */

/* The first member of each kind's struct. */
struct snapshot {
    unsigned uses;
    size_t bytes; /* of memory, about */
    struct snapshot *base;
    uint64_t generation;                     /* on the board; 0: it is not there */
    void (*free)(struct snapshot *snapshot); /* all but the base */
};

/* What a helper makes one with. */
struct snapshot_job {
    struct load load;
    const struct config *config;
    int64_t wall;                  /* nanoseconds since the epoch */
    const struct snapshot *base;   /* held; NULL: none */
    const struct snapshot *before; /* what to go on from; NULL: nothing */
    const struct snapshot_kind *kind;

    /* The worker's own, and that of all workers. */
    struct snapshot *current; /* held: what was made last; NULL: nothing */
    struct snapshot *taken;   /* off the board, held by nobody; NULL: nothing */
    const struct board *board;
    struct board_note posted; /* as it was found there; generation 0: there was none */
    bool useful;              /* it says more than is known here */
    bool look;                /* ... but not enough: look at the disk */
    int inotify;              /* to watch with; -1: not */
    struct watch watch;
    uint64_t claim; /* on the board: the generation of what is made; 0: it is not put up */
    struct board_note note; /* what is put up; generation 0: nothing, after all */
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
    unsigned place; /* in the store's slots, and on the board if there is one for it */
    bool timeless;  /* right as long as its base is */
    bool watches;   /* build has the directories that it looks at watched */

    /* All on a helper: they may block. Without the latter two it is not shared. */
    void (*build)(struct snapshot_job *job);
    int (*save)(const struct snapshot *snapshot, struct buf *to); /* 0; -1: no memory */
    struct snapshot *(*load)(struct slice bytes, const struct snapshot *base); /* NULL: no */
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
 * For build, at each of many small steps: whether nobody wants the result any more. Lets others
 * have the core first: answers go before looks at the disk.
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
