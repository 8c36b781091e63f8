#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

#include <stdbool.h>

#include "system/commandline.h"
#include "system/config.h"

/**
 * master_run(commandline, config, argv):
 * Be the master of ${config}, which came from ${commandline}, which check_config has found good
 * and which is the master's from now on; in the background unless the foreground was asked for:
 * lower the limits that the system does not allow, take the pid file, listen, open the error
 * log, fork the workers, replace those that die, reopen the error log when told to (USR1), read
 * the configuration again (HUP), run a new binary (USR2; ${argv} is how this one was run), and
 * stop when told to (TERM, INT: at once; QUIT: when all answers are out). Returns the exit
 * code; what went wrong is logged.
 */
int master_run(const struct commandline *commandline, struct config *config, char **argv);

#endif
