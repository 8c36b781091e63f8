#ifndef STORE_LOAD_H
#define STORE_LOAD_H

#include <stdbool.h>

#include "base/failure.h"
#include "base/waker.h"
#include "store/lru.h"
#include "store/store.h"
#include "system/helper.h"

/*
 * What is not known yet is read from disk by a helper, while the loop serves others: a load.
 * Those who need it wait, any number of them for one load; it tells each what came of it, and
 * wakes it. A store without helpers reads at once, within load_start.
 */

enum load_result {
    LOAD_OK,      /* it is in its table, pinned for each who waited */
    LOAD_ABSENT,  /* there is no such thing */
    LOAD_CHANGED, /* it was replaced meanwhile: try again */
    LOAD_AGAIN,   /* nothing came of it: try again */
    LOAD_FAILED,  /* the failure says why */
};

/* The first member of what a kind of load needs. */
struct load {
    struct helper_job job;
    struct store *store;
    struct root *root;         /* what is read from; root_free is for who made the load */
    bool stray;                /* ... was not DATA any more when that was done */
    struct load *next, **link; /* in the store's list */
    struct load_waiter *waiters;
    void (*read)(struct load *load);   /* what can block: on a helper; not to touch the store */
    void (*settle)(struct load *load); /* then, in the loop's thread: must load_end */
};

/* One who waits; part of his struct. All zeros: not waiting, and nobody to wake. */
struct load_waiter {
    struct waker waker;
    struct failure *failure; /* where to say why */
    struct load *load;       /* waited for; NULL: none */
    bool any;                /* ... only for its end */
    bool partly; /* ... which also brings what others want: should it fail, that may be
                    why */
    struct load_waiter *next, **link;

    /* What came of it, until load_leave. */
    bool settled;
    enum load_result result;
    struct lru *table;
    struct lru_entry *found; /* pinned */
};

/**
 * load_has_room(store):
 * Whether another load may be started now. If not, some are under way.
 */
bool load_has_room(const struct store *store);

/**
 * load_is_stray(load):
 * For settle: whether what was read is not of DATA, as that was replaced meanwhile. Then the
 * store knows it, and nothing that was read is to be believed.
 */
bool load_is_stray(const struct load *load);

/**
 * load_start(store, load):
 * Have ${load} read, and then settled.
 */
void load_start(struct store *store, struct load *load);

/**
 * load_await(waiter, load):
 * Let ${waiter} wait for ${load}, which is to be started or is under way; it must not be
 * waiting.
 */
void load_await(struct load_waiter *waiter, struct load *load);

/**
 * load_await_partly(waiter, load):
 * The same where ${load} also brings what ${waiter} does not want: if it fails, that is
 * LOAD_AGAIN, and ${waiter} is to try by himself.
 */
void load_await_partly(struct load_waiter *waiter, struct load *load);

/**
 * load_await_any(waiter, store):
 * Let ${waiter} wait until there may be room for a load: LOAD_AGAIN.
 */
void load_await_any(struct load_waiter *waiter, struct store *store);

/**
 * load_deny(waiter):
 * Let ${waiter}'s wait be over at once: there is no memory.
 */
void load_deny(struct load_waiter *waiter);

/**
 * load_end(load, result, failure, table, found):
 * For settle: tell all who wait. ${failure} with LOAD_FAILED, ${found} in ${table} with
 * LOAD_OK; else NULL. Afterwards ${load} is its owner's.
 */
void load_end(struct load *load, enum load_result result, const struct failure *failure,
              struct lru *table, struct lru_entry *found);

/**
 * load_leave(waiter):
 * Wait no more, and let go of what was found. All zeros is fine.
 */
void load_leave(struct load_waiter *waiter);

#endif
