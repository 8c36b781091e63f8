#ifndef PROCESS_HERITAGE_H
#define PROCESS_HERITAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cpu.h"
#include "system/config.h"
#include "system/loop.h"
#include "system/segment.h"

/* All that a worker inherits from its master. */
struct heritage {
    const struct config *config;
    const struct loop_engine *engine; /* of its loop */
    size_t listener_count;
    const int *listeners;    /* listening sockets, shared by all workers */
    size_t admin_from;       /* from this one on, they are admin listeners */
    struct segment *segment; /* what all processes share */
    unsigned id;             /* its number in the segment, from 1: no other process's */
    int slot;                /* which of the workers it is, from 0 */
    int cpu;                 /* the core it runs on; -1: any */
    struct cpu_list cpus;    /* the cores of all workers: its helpers may run on them */
    int ready_fd;            /* its process id (pid_t) written here says that it serves */
    int heartbeat;           /* a turn of its loop is due after so many ms; -1: whenever */
    int master_fd;           /* reads its end when the master is gone */
};

#endif
