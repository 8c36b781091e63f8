#ifndef PROCESS_CONTROL_H
#define PROCESS_CONTROL_H

#include "system/config.h"

/* Exit code where there is no server to speak to. */
#define CONTROL_NOT_RUNNING 3

/**
 * control_send(config, command):
 * Send the signal that ${command} stands for, one of "stop quit reload reopen upgrade", to the
 * master that holds the pid file of ${config}; or, of "status", print whether there is one.
 * Does not wait for what it does. Returns the exit code: 0; CONTROL_NOT_RUNNING; or 1 after a
 * message.
 */
int control_send(const struct config *config, const char *command);

#endif
