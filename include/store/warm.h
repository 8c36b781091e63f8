#ifndef STORE_WARM_H
#define STORE_WARM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/waker.h"
#include "store/day.h"
#include "store/store.h"

/*
 * Which stretches of day files are in memory. To send or to read what is not would stop the
 * loop until the disk has answered. So what is about to be used is asked for here: what was
 * seen in memory within the last seconds is taken to be there still; else the kernel is asked,
 * without waiting; and what it does not have, helpers read, while the caller waits to be woken.
 */

/* Bytes of which one is asked for, and that are remembered together. */
#define WARM_STRETCH (128 << 10)

/* Bytes that a helper reads at a time, and that are read ahead of what is needed. */
#define WARM_AHEAD (2 << 20)

/* Bytes of a file of a held day. */
struct warm_range {
    struct day *day;
    struct dayfile *file;
    uint64_t from, to; /* needed now */
    uint64_t step;     /* of which only one in so many is; at least 1 */
    uint64_t end;      /* those up to here will be needed soon */
};

/* Who waits. All zeros, but for the waker, is who does not. */
struct warm_wait {
    struct waker waker;
    struct warm_wait *next, **link;
};

/**
 * warm_ready(store, range, wait):
 * Whether ${range} is in memory, as far as is known. If not, it is being read, and ${wait},
 * which stays where it is, is woken when this is to be asked again; with ${wait} NULL nobody
 * is. What cannot be read is as good as in memory: who touches it will find out. Without
 * helpers everything is.
 */
bool warm_ready(struct store *store, const struct warm_range *range, struct warm_wait *wait);

/**
 * warm_forget(wait):
 * Wait no more, if it does.
 */
void warm_forget(struct warm_wait *wait);

#endif
