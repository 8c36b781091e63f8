#ifndef PROCESS_STATE_H
#define PROCESS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process/generation.h"
#include "process/pidfile.h"
#include "process/sockets.h"
#include "process/upgrade.h"
#include "system/commandline.h"

/* Generations that may drain at once; a reload waits until they are fewer. */
#define OLD_MAX 64

/*
 * The master, for the files that it is made of: master, reload, succession.
 *
 * All that happens to the master is noted by what it polls (signals, words of workers and of
 * other masters, the clock); what follows from it is decided in one place, advance(). At most
 * one of these is under way: the start, a reload, an upgrade, the end.
 */
struct master {
    const struct commandline *commandline;
    bool background;
    int daemon_fd; /* for daemonize_ready; -1: in the foreground, or said */
    struct parent parent;
    int death[2];            /* a pipe whose end workers see when we are gone */
    struct pidfile *pidfile; /* NULL: none */
    struct sockets *stock;   /* that we were started with */
    struct generation *current;
    struct generation *next; /* a reload is under way */
    struct generation *old[OLD_MAX];
    size_t old_count;
    struct upgrade *upgrade;
    int takeover_fd;    /* to the master that we are to replace; -1: none */
    bool takeover_said; /* to it, that all serve */
    bool announced;     /* to others */
    bool reload_wanted;
    bool upgrade_wanted;
    bool stopping;
    bool succeeded;    /* by a new master */
    bool failed;       /* so that the exit code says so */
    uint64_t drain_at; /* clock_ms: when QUIT is to have its effect; 0: not waiting for that */
    unsigned watchdog; /* ms between two signs of life for the service manager; 0: none */
    uint64_t watchdog_at;
};

static inline const struct config *state_config(const struct master *master)
{
    return generation_setup(master->current)->config;
}

#endif
