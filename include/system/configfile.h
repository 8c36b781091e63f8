#ifndef SYSTEM_CONFIGFILE_H
#define SYSTEM_CONFIGFILE_H

#include <stddef.h>
#include <stdio.h>

#include "system/config.h"

/*
 * The configuration file, tickd.conf(5): options of options.def as "name = value", LISTs as
 * "name = {a, b}", comments from # to the end of the line. Values are texts for config_set,
 * whose units they have; they stand in quotes where they hold more than letters, digits and
 * the signs of paths and addresses.
 *
 * The grammar is libconfuse's, less what would surprise: nothing is included, no variable of
 * the environment is expanded, and no byte is dropped without a word. Its scanner is one for
 * the whole process, so only one thread may call.
 */

/* A larger file is refused. */
#define CONFIGFILE_MAX (1024 * 1024)

/**
 * configfile_read(config, path, problem, size):
 * Set the options that the file ${path} names. An option other than a LIST may be given once.
 * Returns 0, or -1 with "PATH:LINE: what is wrong" (or that the file cannot be read) in the
 * ${size} bytes of ${problem}; ${config} is then good for nothing but config_free.
 */
int configfile_read(struct config *config, const char *path, char *problem, size_t size);

/**
 * configfile_write(config, file):
 * Write all of ${config} to ${file} as such a file: read again, it gives the same.
 */
void configfile_write(const struct config *config, FILE *file);

#endif
