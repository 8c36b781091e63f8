#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

#include <stdbool.h>

#include "system/config.h"

/**
 * master_run(config, background):
 * Be the master: lower the limits of ${config} that the system does not allow, listen, fork the
 * workers, replace those that die, and stop when told to (TERM, INT: at once; QUIT: when all
 * answers are out). Once every worker serves, a byte is written to
 * ${ready_fd}, if that is not -1. Returns the exit code; what went wrong is logged.
 */
int master_run(struct config *config, bool background);

#endif
