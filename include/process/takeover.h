#ifndef PROCESS_TAKEOVER_H
#define PROCESS_TAKEOVER_H

#include <stdbool.h>

/*
 * What a master does that was started by another one, to replace it: the other side of
 * process/upgrade.h.
 */

/* The variable of the environment that names the descriptor, and what is said over it. */
#define TAKEOVER_VARIABLE "TICKD_UPGRADE_FD"
#define TAKEOVER_READY 'R'
#define TAKEOVER_GO 'G'
#define TAKEOVER_DONE 'D'

/**
 * takeover_begin(void):
 * The descriptor to the old master; -1 if there is none: this is an ordinary start. Messages go
 * to syslog where standard error leads nowhere. May be called again.
 */
int takeover_begin(void);

/**
 * takeover_ready(fd):
 * Say that all workers serve. ${fd} can be read when the old master has answered.
 */
void takeover_ready(int fd);

/**
 * takeover_may_go(fd):
 * Whether the pid file may be taken: the old master says so, or is gone. Does not wait.
 */
bool takeover_may_go(int fd);

/**
 * takeover_done(fd):
 * Let the old master go, and close ${fd}.
 */
void takeover_done(int fd);

#endif
