/*
 * tickd: the program's entry. Options, checks that concern the one who typed them, and then the
 * master.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/title.h"
#include "config.h"
#include "process/master.h"
#include "system/config.h"

#define EXIT_USAGE 2

#define OPTION_CPUS 256

static const char usage[] =
    "usage: tickd [-f] -d DIR [-l ADDRESS]... [-w N] [--cpus LIST] [-o NAME=VALUE]...\n"
    "\n"
    "Serve time ranges of columnar tick files over HTTP.\n"
    "\n"
    "  -f, --foreground       stay in the foreground and log to standard error; without it,\n"
    "                         become a daemon that logs to syslog\n"
    "  -d, --data DIR         the data root (option data)\n"
    "  -l, --listen ADDRESS   where to listen (option listen)\n"
    "  -w, --workers N        worker processes (option workers)\n"
    "      --cpus LIST        the cores to pin workers to (option cpus)\n"
    "  -o, --option NAME=VALUE  set any option\n"
    "  -V, --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "Options:\n";

static const struct option long_options[] = {
    { "foreground", no_argument, NULL, 'f' },
    { "data", required_argument, NULL, 'd' },
    { "listen", required_argument, NULL, 'l' },
    { "workers", required_argument, NULL, 'w' },
    { "cpus", required_argument, NULL, OPTION_CPUS },
    { "option", required_argument, NULL, 'o' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_option(void *arg, const char *name, const char *argument,
                         const char *standard, const char *help)
{
    (void)arg;
    printf("  %s=%s\n      %s", name, argument, help);
    if (standard[0] != '\0')
        printf(" [%s]", standard);
    printf("\n");
}

static void print_help(void)
{
    fputs(usage, stdout);
    config_each(print_option, NULL);
}

/* Set options from the command line. Returns 0; -1 after a message; 1 if there is nothing more
 * to do. */
static int parse_arguments(int argc, char **argv, struct config *config, bool *foreground)
{
    char problem[512];
    int c, failed = 0;

    while ((c = getopt_long(argc, argv, ":fd:l:w:o:Vh", long_options, NULL)) != -1 && !failed) {
        switch (c) {
        case 'f':
            *foreground = true;
            break;
        case 'd':
            failed = config_set(config, "data", optarg, problem, sizeof(problem));
            break;
        case 'l':
            failed = config_set(config, "listen", optarg, problem, sizeof(problem));
            break;
        case 'w':
            failed = config_set(config, "workers", optarg, problem, sizeof(problem));
            break;
        case OPTION_CPUS:
            failed = config_set(config, "cpus", optarg, problem, sizeof(problem));
            break;
        case 'o':
            failed = config_set_pair(config, optarg, problem, sizeof(problem));
            break;
        case 'V':
            printf("tickd %s\n", PACKAGE_VERSION);
            return 1;
        case 'h':
            print_help();
            return 1;
        case ':':
            snprintf(problem, sizeof(problem), "%s needs a value (see tickd -h)",
                     argv[optind - 1]);
            failed = -1;
            break;
        default:
            if (optopt != 0 && optopt < OPTION_CPUS)
                snprintf(problem, sizeof(problem), "there is no flag -%c (see tickd -h)",
                         optopt);
            else
                snprintf(problem, sizeof(problem), "there is no flag %s (see tickd -h)",
                         argv[optind - 1]);
            failed = -1;
        }
    }
    if (!failed)
        failed = config_complete(config, problem, sizeof(problem));
    if (failed) {
        log_error("%s", problem);
        return -1;
    }
    if (config->data[0] == '\0') {
        log_error("which data directory? Name it with -d DIR");
        return -1;
    }
    if (optind < argc) {
        log_error("what is '%s' for? tickd takes options only (see tickd -h)", argv[optind]);
        return -1;
    }
    return 0;
}

/* A daemon works in /: its data must be found from there. */
static int make_absolute(struct config *config)
{
    char *here = getcwd(NULL, 0), *path = NULL, problem[512];
    int result = -1;

    if (config->data[0] == '/') {
        result = 0;
    } else if (here != NULL && asprintf(&path, "%s/%s", here, config->data) >= 0) {
        result = config_set(config, "data", path, problem, sizeof(problem));
        free(path);
    }
    if (result != 0)
        log_error("cannot find the data directory from /: %m");
    free(here);
    return result;
}

/* Whether there is nothing in the directory. */
static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    bool found = false;

    for (struct dirent *entry;
         directory != NULL && !found && (entry = readdir(directory)) != NULL;)
        found = entry->d_name[0] != '.';
    if (directory != NULL)
        closedir(directory);
    return !found;
}

static int check_data(const struct config *config)
{
    struct stat found;

    if (stat(config->data, &found)) {
        log_error("the data directory %s cannot be used: %m", config->data);
        return -1;
    }
    if (!S_ISDIR(found.st_mode)) {
        log_error(
            "%s is not a directory; -d names the one that holds {exchange}/{symbol}/{type}",
            config->data);
        return -1;
    }
    if (access(config->data, R_OK | X_OK)) {
        log_error("the data directory %s cannot be read: %m", config->data);
        return -1;
    }
    if (is_empty(config->data))
        log_warn("the data directory %s is empty: queries are answered 503 until it is not",
                 config->data);
    return 0;
}

/* What was done to us before we were started must not matter. */
static void tidy_inheritance(void)
{
    int fd;

    /* Something must stand at 0, 1 and 2, or sockets would, and be written to as standard
     * error. */
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    signal(SIGCHLD, SIG_DFL); /* ignored, children would end without a word */
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_NOTICE,
                                             LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
    bool foreground = false;
    int code = EXIT_USAGE;

    tidy_inheritance();
    struct config *config = config_new();
    if (config == NULL) {
        log_error("out of memory");
        return EXIT_FAILURE;
    }
    int parsed = parse_arguments(argc, argv, config, &foreground);
    if (parsed > 0) {
        code = EXIT_SUCCESS;
    } else if (parsed == 0 && (check_data(config) || make_absolute(config))) {
        code = EXIT_FAILURE;
    } else if (parsed == 0) {
        title_init(argv);
        log_set_level(levels[config->log_level]);
        if (foreground)
            log_to_stderr_dated();
        code = master_run(config, !foreground);
    }
    config_free(config);
    return code;
}
