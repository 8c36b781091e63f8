#ifndef SYSTEM_HELPER_H
#define SYSTEM_HELPER_H

#include <stdbool.h>

#include "base/cpu.h"

/*
 * A few threads beside a worker's loop, for what can block: opening files and directories,
 * reading what is not in memory. Jobs go to them and come back through rings; nobody locks.
 */

struct helper;

/* To be the first member of the caller's struct, which is the helpers' from helper_submit until
 * ${done}. */
struct helper_job {
    void (*run)(struct helper_job *job);  /* on a helper */
    void (*done)(struct helper_job *job); /* then, from helper_reap; it may give back the job */
};

/**
 * helper_new(threads, cpus):
 * ${threads} helpers, at least 1, that run on the cores ${cpus} (empty: where the caller does).
 * NULL with errno. To be given to helper_free.
 */
struct helper *helper_new(unsigned threads, const struct cpu_list *cpus);

/**
 * helper_submit(helper, job):
 * Have ${job} run. Returns whether there was room for it; if not, there is when another one was
 * reaped.
 */
bool helper_submit(struct helper *helper, struct helper_job *job);

/**
 * helper_fd(helper):
 * A descriptor that can be read while there is something for helper_reap.
 */
int helper_fd(const struct helper *helper);

/**
 * helper_reap(helper):
 * Call done for all jobs that have run.
 */
void helper_reap(struct helper *helper);

/**
 * helper_wait(helper):
 * Wait until a job has run, if any is under way, and reap. Returns whether one was.
 */
bool helper_wait(struct helper *helper);

/**
 * helper_free(helper):
 * Wait for all jobs, reap them, end the threads; NULL is fine.
 */
void helper_free(struct helper *helper);

#endif
