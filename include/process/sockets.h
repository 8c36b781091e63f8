#ifndef PROCESS_SOCKETS_H
#define PROCESS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "system/config.h"

/*
 * Sets of listening sockets, the master's. Generations of workers have a set each; a socket
 * that is in two sets is one and the same, so that what waits in its queue is served by either.
 * A socket that was opened here and is in no set any more takes no more connections, in any
 * process (listen_stop), before it is closed; one that is somebody else's as well is only
 * closed.
 */

struct sockets;

/**
 * sockets_inherited(void):
 * Those that this process was started with: from systemd or the like (LISTEN_FDS and
 * LISTEN_PID, sd_listen_fds(3)), which are somebody else's for good, and from the master that
 * this one is to replace (TICKD_LISTEN_FDS), which are until sockets_claim. The variables are
 * unset. NULL after a message, if one of them is no listening socket. To be given to
 * sockets_free.
 */
struct sockets *sockets_inherited(void);

/**
 * sockets_open(config, before, stock):
 * A set for the addresses of ${config}: for each, the socket of ${before} that was opened by
 * the same text or is bound there; or one of ${stock}; or a new one. An address that is in use
 * is tried again for a moment: its owner may be about to end. NULL after a message. To be given
 * to sockets_free.
 */
struct sockets *sockets_open(const struct config *config, const struct sockets *before,
                             const struct sockets *stock);

/**
 * sockets_admin_from(sockets):
 * How many are for data; those from this place on are admin listeners. Where nobody asked for
 * one, and its default address cannot be had, there is none.
 */
size_t sockets_admin_from(const struct sockets *sockets);

/**
 * sockets_count(sockets), sockets_fd(sockets, place), sockets_last(sockets):
 * How many there are; the descriptor of one; the highest descriptor, -1 without any.
 */
size_t sockets_count(const struct sockets *sockets);
int sockets_fd(const struct sockets *sockets, size_t place);
int sockets_last(const struct sockets *sockets);

/**
 * sockets_drop_others(sockets, kept):
 * In a child: close those that are not in ${kept} as well.
 */
void sockets_drop_others(const struct sockets *sockets, const struct sockets *kept);

/**
 * sockets_export(sockets, more):
 * The text for TICKD_LISTEN_FDS that hands on both sets, to be freed; NULL without memory.
 */
char *sockets_export(const struct sockets *sockets, const struct sockets *more);

/**
 * sockets_pass(sockets):
 * In a child: let them stay open when another program is executed.
 */
void sockets_pass(const struct sockets *sockets);

/**
 * sockets_lend(sockets):
 * From now on they are another master's, too.
 */
void sockets_lend(struct sockets *sockets);

/**
 * sockets_claim(stock):
 * The master from which ${stock} came is going: its sockets are ours, and those that no other
 * set has are closed.
 */
void sockets_claim(struct sockets *stock);

/**
 * sockets_free(sockets):
 * Give back the set; NULL is fine.
 */
void sockets_free(struct sockets *sockets);

#endif
