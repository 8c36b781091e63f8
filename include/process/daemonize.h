#ifndef PROCESS_DAEMONIZE_H
#define PROCESS_DAEMONIZE_H

#include <stdbool.h>

/*
 * Into the background, and only there: the process that was started returns to its shell when
 * the daemon serves, or with the daemon's failure.
 */

/**
 * daemonize_begin(last):
 * Go on as a daemon: in a session of its own, in /, with standard input on /dev/null and
 * descriptors up to ${last}, or standard error, and no others. Only the
 * daemon returns, with a descriptor for daemonize_ready; the process that called waits for
 * that, and exits with 0, or with the daemon's exit code if it ends before. Returns -1 with
 * errno, in the caller, if it cannot be done.
 */
int daemonize_begin(int last);

/**
 * daemonize_detach(keep_stderr):
 * Let go of the caller's terminal: standard output goes to /dev/null, and so does standard
 * error unless ${keep_stderr}.
 */
void daemonize_detach(bool keep_stderr);

/**
 * daemonize_ready(fd):
 * Let the process that was started return: the daemon serves. Closes ${fd}.
 */
void daemonize_ready(int fd);

#endif
