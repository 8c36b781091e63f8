#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

#include <stdbool.h>

#include "system/config.h"

/**
 * master_run(config, background):
 * Be the master of ${config}, which check_config has found good, in the ${background} if so
 * wanted: lower the limits that the system does not allow, take the pid file, listen, open the
 * error log, fork the workers, replace those that die, reopen the error log when told to
 * (USR1), and stop when told to (TERM, INT: at once; QUIT: when all answers are out). Returns
 * the exit code; what went wrong is logged.
 */
int master_run(struct config *config, bool background);

#endif
