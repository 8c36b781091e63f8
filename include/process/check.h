#ifndef PROCESS_CHECK_H
#define PROCESS_CHECK_H

#include <stddef.h>

#include "system/config.h"

/**
 * check_config(config, problem, size):
 * Whether a server could run with ${config} on this machine, as far as that shows without
 * trying: its data is there, its cores are, its addresses are addresses. Warns, in the log, of
 * data without a file, and of a "symbols_dir" that is not there. Returns 0, or -1 with one line
 * in the ${size} bytes of ${problem}.
 */
int check_config(const struct config *config, char *problem, size_t size);

/**
 * check_engine(config, problem, size):
 * Whether the engine of ${config} can be used here. Returns 0, or -1 with a line in ${problem}.
 */
int check_engine(const struct config *config, char *problem, size_t size);

/**
 * check_addresses(config, problem, size):
 * Whether a server could listen where ${config} says, or the one that its pid file names does
 * so already: each address is bound, if it is free, and given back. An address that nobody
 * asked for does not matter. Returns 0, or -1 with a line in ${problem}.
 */
int check_addresses(const struct config *config, char *problem, size_t size);

#endif
