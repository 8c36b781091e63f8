#ifndef PROCESS_RELOAD_H
#define PROCESS_RELOAD_H

#include <stdbool.h>

#include "process/setup.h"
#include "system/commandline.h"

/**
 * reload_prepare(commandline, before, stock, background):
 * What the configuration file and the flags of ${commandline} ask for now, as a setup that
 * takes from ${before} (and ${stock}) what can stay: read, checked, and everything that can
 * fail tried. Nothing that runs is changed. NULL after a message that says what is wrong.
 */
struct setup *reload_prepare(const struct commandline *commandline, const struct setup *before,
                             const struct sockets *stock, bool background);

#endif
