#ifndef PROCESS_RELOAD_H
#define PROCESS_RELOAD_H

#include "process/state.h"

/*
 * A new configuration for a master that serves, in two phases: first everything that can fail,
 * up to workers that serve; then, what cannot. Nothing here waits, but for an address that is
 * in use (sockets_open).
 */

/**
 * reload_begin(master):
 * Read the configuration file again, and make ready all that it asks for: master->next are the
 * workers to be. If there are none afterwards, it was refused, after a message that says why.
 */
void reload_begin(struct master *master);

/**
 * reload_advance(master):
 * See how master->next is getting on: when it serves, let the workers of before go; when it
 * fails, let it go instead.
 */
void reload_advance(struct master *master);

#endif
