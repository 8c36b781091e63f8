#ifndef STORE_DAYFRESH_H
#define STORE_DAYFRESH_H

#include "store/day.h"

/* Whether what is known of a day is still so, and whether it may still grow. For store/day.c.
 */

/**
 * dayfresh_current(store, number):
 * Whether the day is live by the calendar, whatever its files say.
 */
bool dayfresh_current(const struct store *store, int32_t number);

/**
 * dayfresh_recent(store):
 * A file that was modified after this time, in nanoseconds since the epoch, is live.
 */
int64_t dayfresh_recent(const struct store *store);

/**
 * dayfresh_appeared(store, day, column):
 * Look for the file of ${column}, which was not there. Whether it is now; then it is no longer
 * known as absent.
 */
bool dayfresh_appeared(struct store *store, struct day *day, unsigned column);

/**
 * dayfresh_look(store, day, waiter):
 * Look again at what must be looked at by now: at the paths once per "revalidate", at a live
 * time file every time. DAY_CHANGED if it is another day now; DAY_WAIT while many new rows are
 * read.
 */
enum day_result dayfresh_look(struct store *store, struct day *day, struct load_waiter *waiter);

#endif
