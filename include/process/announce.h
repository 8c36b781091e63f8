#ifndef PROCESS_ANNOUNCE_H
#define PROCESS_ANNOUNCE_H

#include "process/state.h"

/* Where a master is, for its users: in the log, in its title, and for the service manager. */

/**
 * announce_sockets(what, sockets, others):
 * Log ${what} and the address, for each of ${sockets} that is not in ${others} (NULL: none).
 */
void announce_sockets(const char *what, const struct sockets *sockets,
                      const struct sockets *others);

/**
 * announce_title(master):
 * Show where the master listens.
 */
void announce_title(const struct master *master);

/**
 * announce_serving(master):
 * Say that all workers serve.
 */
void announce_serving(const struct master *master);

/**
 * announce_started(master):
 * Say so for the first time, also to whoever waits for the daemon: the start is over.
 */
void announce_started(struct master *master);

#endif
