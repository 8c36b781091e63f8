#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

#include "process/heritage.h"

/* Exit codes of a worker: whether its master should start another. */
enum {
    WORKER_EXIT_OK = 0,
    WORKER_EXIT_FAILED = 1,
    WORKER_EXIT_HOPELESS = 2, /* another one would fail as well */
};

/**
 * worker_run(heritage):
 * Be a worker, in a process of its own, until told to stop (TERM, INT: at once; QUIT: when all
 * answers are out) or until the master is gone (as QUIT). Reopens its log on USR1. Says in
 * /health that the server is stopping from WINCH on, or when the master is gone. Returns the
 * exit code.
 */
int worker_run(const struct heritage *heritage);

#endif
