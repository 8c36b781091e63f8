#ifndef BASE_SIG_H
#define BASE_SIG_H

#include <signal.h>
#include <stdbool.h>

/*
 * Signals as flags. The ones that sig_catch names stay blocked but while the process waits in a
 * call that takes sig_open()'s mask (ppoll, epoll_pwait), so that none is lost between looking
 * and waiting.
 */

/**
 * sig_catch(signals):
 * Block the signals of the 0-terminated list ${signals} and let their arrival set a flag; flags
 * set before are cleared. Returns 0, or -1 with errno.
 */
int sig_catch(const int *signals);

/**
 * sig_open(void):
 * The mask for waiting: the process's own from before sig_catch.
 */
const sigset_t *sig_open(void);

/**
 * sig_take(signal):
 * Whether ${signal} has come since it was last taken.
 */
bool sig_take(int signal);

/**
 * sig_reset(void):
 * Back to default actions and the mask from before sig_catch: for a child that goes on to be
 * something else.
 */
void sig_reset(void);

#endif
