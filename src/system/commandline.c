#include "system/commandline.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/configfile.h"

#define OPTION_CPUS 256

#define DEFAULT_FILE SYSCONFDIR "/tickd.conf"

static const char usage[] =
    "usage: tickd [-f] [-c FILE] [-d DIR] [-l ADDRESS]... [-w N] [--cpus LIST]\n"
    "             [-o NAME=VALUE]... [-t | -T | -s COMMAND]\n"
    "\n"
    "Serve time ranges of columnar tick files over HTTP.\n"
    "\n"
    "  -f, --foreground       stay in the foreground and log to standard error; without it,\n"
    "                         become a daemon that logs to syslog\n"
    "  -c, --config FILE      read options from FILE; without -c and -d, from\n"
    "                         " DEFAULT_FILE " if that exists\n"
    "  -d, --data DIR         the data root (option data)\n"
    "  -l, --listen ADDRESS   where to listen (option listen)\n"
    "  -w, --workers N        worker processes (option workers)\n"
    "      --cpus LIST        the cores to pin workers to (option cpus)\n"
    "  -o, --option NAME=VALUE  set any option; overrides the file\n"
    "  -t, --test             say whether the configuration is fine, and exit\n"
    "  -T, --print            print the configuration as a file, and exit\n"
    "  -s, --signal COMMAND   to the tickd that runs with this configuration (its pid_file):\n"
    "                         stop, quit, reload, reopen, upgrade; or ask for its status\n"
    "  -V, --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "Options, for -o and for the file:\n";

static const struct option long_options[] = {
    { "foreground", no_argument, NULL, 'f' },
    { "config", required_argument, NULL, 'c' },
    { "data", required_argument, NULL, 'd' },
    { "listen", required_argument, NULL, 'l' },
    { "workers", required_argument, NULL, 'w' },
    { "cpus", required_argument, NULL, OPTION_CPUS },
    { "option", required_argument, NULL, 'o' },
    { "test", no_argument, NULL, 't' },
    { "print", no_argument, NULL, 'T' },
    { "signal", required_argument, NULL, 's' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* What is known while the flags are gone through. */
struct reader {
    struct commandline *made;
    struct config *trial; /* values are tried on it, so that a bad flag is found as such */
    const char *file;     /* of -c */
    char **argv;
    char *problem;
    size_t size;
};

const char *commandline_usage(void)
{
    return usage;
}

/* ${path}, from ${here} if it is relative; to be freed. NULL with a problem. */
static char *absolute(const char *here, const char *path, char *problem, size_t size)
{
    char *whole = NULL;

    if (path[0] == '/')
        whole = strdup(path);
    else if (here == NULL) {
        snprintf(problem, size,
                 "%s: the current directory has no name: use paths that begin with /", path);
        return NULL;
    } else if (asprintf(&whole, "%s/%s", here, path) < 0)
        whole = NULL;
    if (whole == NULL)
        snprintf(problem, size, "out of memory");
    return whole;
}

/* Remember that a flag sets ${name}. */
static int keep(struct reader *reader, const char *name, const char *value)
{
    struct commandline *made = reader->made;
    char **grown = realloc(made->pairs, (made->count + 1) * sizeof(*grown));
    char *pair = NULL;

    if (grown != NULL)
        made->pairs = grown;
    if (grown == NULL || asprintf(&pair, "%s%s%s", name, *name ? "=" : "", value) < 0) {
        snprintf(reader->problem, reader->size, "out of memory");
        return -1;
    }
    made->pairs[made->count++] = pair;
    return config_set_pair(reader->trial, pair, reader->problem, reader->size);
}

static int keep_signal(struct reader *reader, const char *word)
{
    static const char words[] = "stop|quit|reload|reopen|upgrade|status";

    if (config_choice_named(words, slice_of(word)) < 0) {
        snprintf(reader->problem, reader->size, "-s: '%s' is none of %s", word, words);
        return -1;
    }
    reader->made->signal = word;
    reader->made->task = COMMANDLINE_SIGNAL;
    return 0;
}

static int refuse_flag(struct reader *reader, int c)
{
    if (c == ':')
        snprintf(reader->problem, reader->size, "%s needs a value (see tickd -h)",
                 reader->argv[optind - 1]);
    else if (optopt != 0 && optopt < OPTION_CPUS)
        snprintf(reader->problem, reader->size, "there is no flag -%c (see tickd -h)", optopt);
    else
        snprintf(reader->problem, reader->size, "there is no flag %s (see tickd -h)",
                 reader->argv[optind - 1]);
    return -1;
}

static int read_flag(struct reader *reader, int c)
{
    switch (c) {
    case 'f':
        reader->made->foreground = true;
        return 0;
    case 'c':
        reader->file = optarg;
        return 0;
    case 'd':
        return keep(reader, "data", optarg);
    case 'l':
        return keep(reader, "listen", optarg);
    case 'w':
        return keep(reader, "workers", optarg);
    case OPTION_CPUS:
        return keep(reader, "cpus", optarg);
    case 'o':
        return keep(reader, "", optarg);
    case 't':
        reader->made->task = COMMANDLINE_CHECK;
        return 0;
    case 'T':
        reader->made->task = COMMANDLINE_PRINT;
        return 0;
    case 's':
        return keep_signal(reader, optarg);
    case 'V':
        reader->made->task = COMMANDLINE_VERSION;
        return 0;
    case 'h':
        reader->made->task = COMMANDLINE_HELP;
        return 0;
    default:
        return refuse_flag(reader, c);
    }
}

/* All flags, and that nothing else is there. -V and -h end the reading. */
static int read_flags(struct reader *reader, int argc)
{
    int c;

    optind = 0; /* from the start, in case this is not the first time */
    while ((c = getopt_long(argc, reader->argv, ":fc:d:l:w:o:tTs:Vh", long_options, NULL)) !=
           -1) {
        if (read_flag(reader, c))
            return -1;
        if (reader->made->task >= COMMANDLINE_VERSION)
            return 0;
    }
    if (optind >= argc)
        return 0;
    snprintf(reader->problem, reader->size,
             "what is '%s' for? tickd takes options only (see tickd -h)", reader->argv[optind]);
    return -1;
}

/* Which configuration file is read, if any. */
static int choose_file(struct reader *reader)
{
    const char *path = reader->file;

    /* To find a server takes its pid file only; a broken file must not keep it from stopping.
     */
    if (reader->made->task == COMMANDLINE_SIGNAL && reader->trial->pid_file[0] != '\0')
        return 0;
    if (path == NULL && reader->trial->data[0] == '\0' && access(DEFAULT_FILE, F_OK) == 0)
        path = DEFAULT_FILE;
    if (path == NULL)
        return 0;
    reader->made->file = absolute(reader->made->here, path, reader->problem, reader->size);
    return reader->made->file == NULL ? -1 : 0;
}

struct commandline *commandline_read(int argc, char **argv, char *problem, size_t size)
{
    struct reader reader = { .made = calloc(1, sizeof(struct commandline)),
                             .trial = config_new(),
                             .argv = argv,
                             .problem = problem,
                             .size = size };
    int failed = -1;

    snprintf(problem, size, "out of memory");
    if (reader.made != NULL && reader.trial != NULL) {
        reader.made->here = getcwd(NULL, 0);
        failed = read_flags(&reader, argc) || choose_file(&reader);
    }
    config_free(reader.trial);
    if (failed) {
        commandline_free(reader.made);
        return NULL;
    }
    return reader.made;
}

/* A path must mean the same to a daemon, which works in /. */
static int make_absolute(const struct commandline *commandline, config_string *string,
                         char *problem, size_t size)
{
    if ((*string)[0] == '\0' || (*string)[0] == '/')
        return 0;
    char *path = absolute(commandline->here, *string, problem, size);
    if (path == NULL)
        return -1;
    free(*string);
    *string = path;
    return 0;
}

static int set_all(const struct commandline *commandline, struct config *config, char *problem,
                   size_t size)
{
    if (commandline->file != NULL && configfile_read(config, commandline->file, problem, size))
        return -1;
    config_override(config);
    for (size_t i = 0; i < commandline->count; i++) {
        if (config_set_pair(config, commandline->pairs[i], problem, size))
            return -1;
    }
    if (config_complete(config, problem, size))
        return -1;
    config_string *const paths[] = { &config->data, &config->pid_file, &config->access_log,
                                     &config->symbols_dir, &config->error_log };
    size_t count = sizeof(paths) / sizeof(*paths);

    /* The last one may be a word instead. */
    count -= config_error_log(config) != CONFIG_ERROR_LOG_FILE;
    for (size_t i = 0; i < count; i++) {
        if (make_absolute(commandline, paths[i], problem, size))
            return -1;
    }
    return 0;
}

struct config *commandline_config(const struct commandline *commandline, char *problem,
                                  size_t size)
{
    struct config *config = config_new();

    if (config == NULL) {
        snprintf(problem, size, "out of memory");
        return NULL;
    }
    if (set_all(commandline, config, problem, size)) {
        config_free(config);
        return NULL;
    }
    return config;
}

void commandline_free(struct commandline *commandline)
{
    if (commandline == NULL)
        return;
    while (commandline->count > 0)
        free(commandline->pairs[--commandline->count]);
    free(commandline->pairs);
    free(commandline->file);
    free(commandline->here);
    free(commandline);
}
