#ifndef PROCESS_ERRORLOG_H
#define PROCESS_ERRORLOG_H

#include <stdbool.h>

#include "system/config.h"

/**
 * errorlog_open(config, background):
 * From now on log to where ${config} says; where it says nothing, to standard error in the
 * foreground and to syslog in the ${background}. In the background, standard output and error
 * are let go of: they become /dev/null; or standard error the log's file; or it stays, if that
 * is what is logged to. Returns 0, or -1 after saying where lines went before what is wrong.
 */
int errorlog_open(const struct config *config, bool background);

#endif
