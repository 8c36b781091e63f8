#ifndef PROCESS_SUCCESSION_H
#define PROCESS_SUCCESSION_H

#include "process/state.h"

/*
 * Who is master: the pid file, and how it goes from an old master to a new one. What they say
 * to one another is in process/upgrade.h. Nothing here waits.
 */

/**
 * succession_lock(master, config):
 * Be the only one with the pid file of ${config}, if it has one. Returns 0, or -1 after a
 * message.
 */
int succession_lock(struct master *master, const struct config *config);

/**
 * succession_write(master, config):
 * Say in the pid file who we are. Returns 0, or -1 after a message.
 */
int succession_write(const struct master *master, const struct config *config);

/**
 * succession_begin(master):
 * As the old master: run the new binary.
 */
void succession_begin(struct master *master);

/**
 * succession_advance(master):
 * As the old master: go on with an upgrade, if one is under way, up to the end: either of this
 * master, or of the new one.
 */
void succession_advance(struct master *master);

/**
 * succession_take(master):
 * As the new master, to which the old one has left the pid file: be the one.
 */
void succession_take(struct master *master);

/**
 * succession_refuse(master):
 * As the new master: this one is not to be, the old one goes on.
 */
void succession_refuse(struct master *master);

#endif
