#ifndef SYSTEM_CONFIG_H
#define SYSTEM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "system/coltypes.h"

/*
 * The options of options.def as a struct with one member each. Filled in before the workers are
 * forked and never changed afterwards.
 */

struct config_list {
    size_t count;
    char **items;
    unsigned *lines; /* where each stands in the file; 0: not there */
    bool stale;      /* the next item replaces these */
    bool untouched;  /* nothing was given: it has its default */
};

typedef char *config_string;
typedef struct config_list config_list;
typedef uint64_t config_number, config_size;
typedef uint64_t config_duration; /* milliseconds */
typedef unsigned config_choice;   /* the place of the word among its choices, from 0 */

struct config {
#define STRING config_string
#define LIST config_list
#define NUMBER config_number
#define SIZE config_size
#define DURATION config_duration
#define CHOICE config_choice
#define OPTION(kind, name, standard, least, most, argument, help) kind name;
#include "system/options.def"
#undef OPTION
#undef STRING
#undef LIST
#undef NUMBER
#undef SIZE
#undef DURATION
#undef CHOICE
    struct coltypes *coltypes; /* what "type" says, as a table */

    /* Where values come from: see config_place. */
    char *file;
    unsigned line;   /* of what is set now; 0: it is in no file */
    unsigned *lines; /* of each option that is no LIST, likewise */
};

/* The choices of "engine". */
enum { CONFIG_ENGINE_AUTO, CONFIG_ENGINE_EPOLL, CONFIG_ENGINE_IO_URING };
/* The choices of "missing". */
enum { CONFIG_MISSING_ERROR, CONFIG_MISSING_SKIP, CONFIG_MISSING_PREFIX };
/* The choices of "sendfile". */
enum { CONFIG_SENDFILE_ON, CONFIG_SENDFILE_OFF };
/* The choices of "catalog_watch". */
enum { CONFIG_CATALOG_WATCH_AUTO, CONFIG_CATALOG_WATCH_OFF };
/* The choices of "framing". */
enum { CONFIG_FRAMING_CHUNKED, CONFIG_FRAMING_LENGTH };
/* The choices of "access_log_format". */
enum { CONFIG_ACCESS_LOG_FORMAT_COMBINED, CONFIG_ACCESS_LOG_FORMAT_JSON };
/* The choices of "unsorted". */
enum { CONFIG_UNSORTED_SERVE, CONFIG_UNSORTED_ERROR };

/**
 * config_listens_nowhere(address):
 * Whether this item of admin_listen is the word for no listener at all.
 */
bool config_listens_nowhere(const char *address);

/* What "error_log" stands for. */
enum config_error_log {
    CONFIG_ERROR_LOG_UNSET,
    CONFIG_ERROR_LOG_STDERR,
    CONFIG_ERROR_LOG_SYSLOG,
    CONFIG_ERROR_LOG_FILE,
};

/**
 * config_new(void):
 * A configuration in which every option has its default; NULL without memory. To be given to
 * config_free.
 */
struct config *config_new(void);

/**
 * config_set(config, name, value, problem, size):
 * Give the option ${name} the ${value} (a LIST: one more item). Returns 0, or -1 with one line
 * about what is wrong in the ${size} bytes of ${problem}.
 */
int config_set(struct config *config, const char *name, const char *value, char *problem,
               size_t size);

/**
 * config_set_pair(config, pair, problem, size):
 * As config_set, from one text "name=value" of the command line. A value in quotes, which the
 * shell has left there, is refused.
 */
int config_set_pair(struct config *config, const char *pair, char *problem, size_t size);

/**
 * config_reading(config, file, line):
 * What is set from now on stands in ${line} of ${file}. Returns 0, or -1 without memory.
 */
int config_reading(struct config *config, const char *file, unsigned line);

/**
 * config_override(config):
 * What is set from now on, in no file, goes before what was set so far: a LIST begins anew with
 * its next item.
 */
void config_override(struct config *config);

/* Room for a place as config_place writes it; what is longer is cut. */
#define CONFIG_PLACE 512

/**
 * config_place(config, name, item, place):
 * Write where the option ${name} (of a LIST: its ${item}, counted from 0) was set to ${place},
 * as the beginning of a message about it: "FILE:LINE: option ". Returns ${place}; or NULL
 * if it was not set in a file.
 */
const char *config_place(const struct config *config, const char *name, size_t item,
                         char place[CONFIG_PLACE]);

/**
 * config_complete(config, problem, size):
 * Let LISTs that are still empty have their default. To be called once, after the last
 * config_set. Returns 0, or -1 with a line in ${problem}.
 */
int config_complete(struct config *config, char *problem, size_t size);

/**
 * config_choice_named(choices, word):
 * The place of ${word} among ${choices}, which are separated by "|"; -1 if it is none.
 */
int config_choice_named(const char *choices, struct slice word);

/**
 * config_each(visit, arg):
 * Call ${visit} for each option, in the order of options.def, with its name, what stands for
 * its argument, its default and its one-line description.
 */
void config_each(void (*visit)(void *arg, const char *name, const char *argument,
                               const char *standard, const char *help),
                 void *arg);

/**
 * config_is_list(name):
 * Whether ${name} is an option that may be given several times.
 */
bool config_is_list(const char *name);

/* How an option's values are written down. */
enum config_form {
    CONFIG_FORM_WORD, /* one, of letters and digits */
    CONFIG_FORM_TEXT, /* one, of any bytes */
    CONFIG_FORM_LIST, /* any number, of any bytes */
};

/**
 * config_values(config, visit, arg):
 * Call ${visit} for each option, in the order of options.def, with its name and with the
 * ${count} texts that config_set would make what it is now from.
 */
void config_values(const struct config *config,
                   void (*visit)(void *arg, const char *name, enum config_form form,
                                 size_t count, const char *const *values),
                   void *arg);

/**
 * config_error_log(config):
 * Where the messages of ${config} go; a FILE's path is error_log itself.
 */
enum config_error_log config_error_log(const struct config *config);

/**
 * config_free(config):
 * Give back ${config}; NULL is fine.
 */
void config_free(struct config *config);

#endif
