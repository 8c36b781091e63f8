#ifndef PROCESS_SETUP_H
#define PROCESS_SETUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "process/roster.h"
#include "process/sockets.h"
#include "system/config.h"
#include "system/loop.h"

/* All that a generation of workers is made from. Once made, it does not change. */
struct setup {
    struct config *config;
    const struct loop_engine *engine;
    struct cpu_list cpus;
    size_t workers;
    struct sockets *sockets;
    struct roster *roster;
    uint64_t device, inode; /* of the data directory; zeros: it could not be seen */
};

/**
 * setup_new(config, before, stock):
 * Get everything that ${config} asks for, taking from ${before}, the setup in use (NULL: none),
 * the sockets that both have, and the shared memory if that can stay; more sockets come from
 * ${stock} (see sockets_open). Limits of ${config} are lowered to what the system allows.
 * Returns NULL after a message: then ${config} is still the caller's, else the setup's. To be
 * given to setup_free.
 */
struct setup *setup_new(struct config *config, const struct setup *before,
                        const struct sockets *stock);

/**
 * setup_engine(config):
 * The engine that ${config} asks for; NULL after a message.
 */
const struct loop_engine *setup_engine(const struct config *config);

/**
 * setup_leave_sockets(setup):
 * Let go of the listening sockets before everything else.
 */
void setup_leave_sockets(struct setup *setup);

/**
 * setup_free(setup):
 * Give back all of it; NULL is fine.
 */
void setup_free(struct setup *setup);

#endif
