#ifndef PROCESS_GENERATION_H
#define PROCESS_GENERATION_H

#include <stdbool.h>
#include <sys/types.h>

#include "process/setup.h"

/*
 * A set of workers with one setup: they are started, kept alive, and in the end drained or
 * stopped together. The master has one that serves; while it reloads, one more that is to take
 * over; and any number that drain. None of these functions waits.
 */

struct generation;

/* What workers get from the master itself. */
struct parent {
    int death_fd;  /* reads its end when the master is gone */
    int heartbeat; /* for struct heritage */
    /* In a child: close what is only the master's. ${mine} is what the child serves with. */
    void (*leave)(void *arg, const struct setup *mine);
    void *arg;
};

/**
 * generation_new(setup, parent):
 * A generation without workers yet, which generation_tend starts. It is on trial: a worker that
 * fails before it serves, or all that do not serve within some time, make it fail, instead of
 * being replaced. ${parent} must outlive it. Returns NULL after a message; else ${setup} is the
 * generation's. To be given to generation_free.
 */
struct generation *generation_new(struct setup *setup, const struct parent *parent);

/**
 * generation_settle(generation):
 * The trial is over: from now on, workers that fail are replaced, after a while.
 */
void generation_settle(struct generation *generation);

/**
 * generation_setup(generation):
 * What it was made from.
 */
struct setup *generation_setup(const struct generation *generation);

/**
 * generation_fd(generation), generation_hear(generation):
 * A descriptor to be polled, and what to do when it can be read: workers say that they serve.
 */
int generation_fd(const struct generation *generation);
void generation_hear(struct generation *generation);

/**
 * generation_tend(generation):
 * Start workers that are due, and kill those that have not ended in time. Returns the
 * milliseconds until it is to be called again; -1 if nothing is waited for.
 */
int generation_tend(struct generation *generation);

/**
 * generation_reap(generation, pid, status):
 * The process ${pid} has ended with ${status}: if it was a worker of this generation, decide
 * what becomes of its slot.
 */
void generation_reap(struct generation *generation, pid_t pid, int status);

/**
 * generation_serves(generation):
 * Whether all workers have said that they serve.
 */
bool generation_serves(const struct generation *generation);

/**
 * generation_failed(generation):
 * Whether it has not stood its trial; why was logged.
 */
bool generation_failed(const struct generation *generation);

/**
 * generation_empty(generation):
 * Whether it has no process.
 */
bool generation_empty(const struct generation *generation);

/**
 * generation_hopeless(generation):
 * Whether none of its workers is to be started again, ever.
 */
bool generation_hopeless(const struct generation *generation);

/**
 * generation_alive(generation):
 * Whether each worker that serves has made a turn of its loop since this was last asked.
 */
bool generation_alive(struct generation *generation);

/**
 * generation_reopen(generation):
 * Tell the workers to open their log again; one that cannot hear signals yet is told when it
 * can.
 */
void generation_reopen(struct generation *generation);

/**
 * generation_leave(generation):
 * Have the workers say in /health that the server is stopping.
 */
void generation_leave(struct generation *generation);

/**
 * generation_drain(generation):
 * Let go of the listening sockets, and let the workers finish what is under way; kill them when
 * they take much longer than drain_timeout.
 */
void generation_drain(struct generation *generation);

/**
 * generation_stop(generation):
 * Let go of the listening sockets and end the workers at once.
 */
void generation_stop(struct generation *generation);

/**
 * generation_free(generation):
 * Give back ${generation}, which has no process, and its setup; NULL is fine.
 */
void generation_free(struct generation *generation);

/**
 * generation_part(generation):
 * In a child: close what belongs to the master of ${generation}, which may be another one than
 * the child's; NULL is fine.
 */
void generation_part(const struct generation *generation);

#endif
