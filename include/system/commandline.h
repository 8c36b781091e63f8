#ifndef SYSTEM_COMMANDLINE_H
#define SYSTEM_COMMANDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "system/config.h"

/*
 * What the command line asks for, and the configuration that it makes together with the file:
 * read once, the latter as often as the file changes.
 */

enum commandline_task {
    COMMANDLINE_RUN,
    COMMANDLINE_CHECK,  /* -t */
    COMMANDLINE_PRINT,  /* -T */
    COMMANDLINE_SIGNAL, /* -s */
    COMMANDLINE_VERSION,
    COMMANDLINE_HELP,
};

struct commandline {
    enum commandline_task task;
    bool foreground;
    const char *signal; /* of -s, in argv: "stop quit reload reopen upgrade status" */
    char *file;         /* the configuration file, absolute; NULL: none */
    size_t count;
    char **pairs; /* what flags set, as "name=value", in their order */
    char *here;   /* the directory that relative paths start from; NULL if it has no name */
};

/**
 * commandline_read(argc, argv, problem, size):
 * Understand ${argv}, which is copied from. Without -c and without a data directory, the file
 * is the default one, if it exists. For -s with a pid file there is none. Returns what is to be
 * given to commandline_free; or NULL with one line about what makes no sense in the ${size}
 * bytes of ${problem}.
 */
struct commandline *commandline_read(int argc, char **argv, char *problem, size_t size);

/**
 * commandline_config(commandline, problem, size):
 * A new configuration, for config_free: the defaults, then what the file says now, then the
 * flags, with paths made absolute from where the command was given. Nothing is looked at but
 * the file (see check_config). Returns NULL with one line in ${problem}.
 */
struct config *commandline_config(const struct commandline *commandline, char *problem,
                                  size_t size);

/**
 * commandline_usage(void):
 * The text of --help, up to the list of options.
 */
const char *commandline_usage(void);

/**
 * commandline_free(commandline):
 * Give back ${commandline}; NULL is fine.
 */
void commandline_free(struct commandline *commandline);

#endif
