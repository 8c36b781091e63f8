#ifndef STORE_DAYFETCH_H
#define STORE_DAYFETCH_H

#include "store/day.h"

/*
 * Getting a day, or more of one, from the disk into the store: starts what store/dayload.h does
 * on a helper, and takes over what comes of it. For store/day.c.
 */

/**
 * dayfetch_day(store, series, number, columns, waiter):
 * Have the day ${number} of ${series} put into the store, with the files of ${columns};
 * ${waiter} (NULL: nobody) waits. If something of that day is being read already, only wait for
 * that. Once the waiter is settled, all may have to be looked at again.
 */
void dayfetch_day(struct store *store, struct series *series, int32_t number,
                  struct day_columns columns, struct load_waiter *waiter);

/**
 * dayfetch_columns(store, day, columns, waiter):
 * Likewise those files of ${columns} that ${day} has not opened.
 */
void dayfetch_columns(struct store *store, struct day *day, struct day_columns columns,
                      struct load_waiter *waiter);

/**
 * dayfetch_index(store, day, waiter):
 * Likewise what is not known of its rows, and the fences.
 */
void dayfetch_index(struct store *store, struct day *day, struct load_waiter *waiter);

/**
 * dayfetch_tell_order(store, day):
 * Log, once, if the rows of ${day} step back in time: as an error where that is one.
 */
void dayfetch_tell_order(const struct store *store, struct day *day);

#endif
