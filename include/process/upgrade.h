#ifndef PROCESS_UPGRADE_H
#define PROCESS_UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

#include "process/sockets.h"

/*
 * The way from one binary to the next, as the old master goes it: it runs the new one with its
 * listening sockets and with one end of a pair of sockets, over which they speak in single
 * bytes:
 *
 *     new to old   R   all my workers serve
 *     old to new   G   take the pid file: mine has another name now
 *     new to old   D   done: you may go
 *
 * Up to the last one the new master can be given up: its end is closed, it is told to drain,
 * and killed if it does not. Nothing here waits.
 */

struct upgrade;

enum upgrade_state {
    UPGRADE_IDLE,
    UPGRADE_STARTING,
    UPGRADE_READY,  /* it said R: to be answered by upgrade_go */
    UPGRADE_TAKING, /* it was told G */
    UPGRADE_DONE,   /* it said D */
    UPGRADE_ENDING, /* it failed, or was given up, and is not gone yet */
    UPGRADE_FAILED, /* ... and is gone: to be ended by upgrade_reset */
};

/**
 * upgrade_new(argv, here):
 * Remember how this program was started: ${argv}, before titles are written over it, in the
 * directory ${here} (NULL: it has no name). The program is found now where it was found by
 * then; what stands there later is what is run. NULL without memory. To be given to
 * upgrade_free.
 */
struct upgrade *upgrade_new(char **argv, const char *here);

/**
 * upgrade_begin(upgrade, sockets, stock):
 * Run what is the program now, with both sets of sockets. Returns 0, or -1 after a message.
 */
int upgrade_begin(struct upgrade *upgrade, const struct sockets *sockets,
                  const struct sockets *stock);

/**
 * upgrade_state(upgrade), upgrade_pid(upgrade), upgrade_fd(upgrade):
 * How far it is; the process of the new master; a descriptor to be polled, -1 if there is
 * none.
 */
enum upgrade_state upgrade_state(const struct upgrade *upgrade);
pid_t upgrade_pid(const struct upgrade *upgrade);
int upgrade_fd(const struct upgrade *upgrade);

/**
 * upgrade_hear(upgrade):
 * The descriptor can be read.
 */
void upgrade_hear(struct upgrade *upgrade);

/**
 * upgrade_go(upgrade):
 * Let the new master have the pid file.
 */
void upgrade_go(struct upgrade *upgrade);

/**
 * upgrade_tend(upgrade):
 * Give it up if it takes too long. Returns the milliseconds until it is to be called again; -1
 * if nothing is waited for.
 */
int upgrade_tend(struct upgrade *upgrade);

/**
 * upgrade_reap(upgrade, pid):
 * The process ${pid} has ended: perhaps the new master.
 */
void upgrade_reap(struct upgrade *upgrade, pid_t pid);

/**
 * upgrade_cancel(upgrade):
 * Give it up, if it is under way.
 */
void upgrade_cancel(struct upgrade *upgrade);

/**
 * upgrade_reset(upgrade):
 * After a failure: another one can begin.
 */
void upgrade_reset(struct upgrade *upgrade);

/**
 * upgrade_free(upgrade):
 * Give back ${upgrade}; NULL is fine.
 */
void upgrade_free(struct upgrade *upgrade);

#endif
