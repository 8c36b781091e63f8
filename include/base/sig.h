#ifndef BASE_SIG_H
#define BASE_SIG_H

#include <stdbool.h>

/*
 * Signals as flags. Those that a process catches are blocked and arrive at a descriptor
 * (signalfd(2)), to be waited for beside others: so none is lost between looking and waiting,
 * and none waits for ever behind descriptors that are always ready.
 */

/**
 * sig_catch(signals):
 * Catch the signals of the 0-terminated list ${signals}, instead of those caught before.
 * Returns a descriptor that is readable when one has come, this module's own; or -1 with errno.
 */
int sig_catch(const int *signals);

/**
 * sig_collect(void):
 * Set the flags of the signals that have come. Does not wait.
 */
void sig_collect(void);

/**
 * sig_take(signal):
 * Whether ${signal} was collected since it was last taken.
 */
bool sig_take(int signal);

/**
 * sig_reset(void):
 * Catch none, and let signals do what they did before the first sig_catch: for a child that
 * goes on to be something else.
 */
void sig_reset(void);

#endif
