#ifndef TOOLS_STATFIND_H
#define TOOLS_STATFIND_H

#include <stdbool.h>

#include "system/segment.h"

/* A running tickd, found by the shared memory that its processes hold open: proc(5) leads to
 * it, for whoever may look at the process (its user, and root). */

struct statfind {
    struct segment *segment; /* for reading only */
    int pid;                 /* of the process that was asked for, or of the master */
    int process;             /* its directory in proc(5), open */
    char link[32];           /* the segment in there, such as "fd/7" */
};

/**
 * statfind_pid(found, proc, pid):
 * Attach to the server that the process ${pid} belongs to; ${proc} is where proc(5) is mounted.
 * Returns 0; else -1 after a message. To be given to statfind_free.
 */
int statfind_pid(struct statfind *found, const char *proc, int pid);

/**
 * statfind_only(found, proc):
 * As statfind_pid, with the only server there is; where there are several, the message lists
 * them.
 */
int statfind_only(struct statfind *found, const char *proc);

/**
 * statfind_alive(found):
 * Whether the process is still there.
 */
bool statfind_alive(const struct statfind *found);

/**
 * statfind_free(found):
 * Let go of the segment.
 */
void statfind_free(struct statfind *found);

#endif
