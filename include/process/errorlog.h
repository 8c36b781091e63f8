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

/**
 * errorlog_check(config, before, background):
 * Whether errorlog_open could go from what ${before} says to what ${config} says: the file can
 * be written, and in the ${background} standard error is there if it is to be logged to.
 * Returns 0, or -1 after a message.
 */
int errorlog_check(const struct config *config, const struct config *before, bool background);

/**
 * errorlog_follow(config, before, background):
 * As errorlog_open, where what ${config} says is not what ${before} says.
 */
void errorlog_follow(const struct config *config, const struct config *before, bool background);

#endif
