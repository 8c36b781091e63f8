/*
 * tickd: the program's entry. What the command line asks for is done, or left to the master.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"
#include "process/check.h"
#include "process/control.h"
#include "process/master.h"
#include "process/takeover.h"
#include "system/commandline.h"
#include "system/config.h"
#include "system/configfile.h"

#define EXIT_USAGE 2

static void print_option(void *arg, const char *name, const char *argument,
                         const char *standard, const char *help)
{
    (void)arg;
    printf("  %s=%s\n      %s", name, argument, help);
    if (standard[0] != '\0')
        printf(" [%s]", standard);
    printf("\n");
}

static int print_help(void)
{
    fputs(commandline_usage(), stdout);
    config_each(print_option, NULL);
    return EXIT_SUCCESS;
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

/* Say what keeps the server from starting. */
static int refuse(const struct commandline *commandline, const struct config *config,
                  const char *problem)
{
    log_error("%s", problem);
    /* Where there is no file, it is the command line that names no data. */
    return commandline->file == NULL && config->data[0] == '\0' ? EXIT_USAGE : EXIT_FAILURE;
}

/* What -t has to say of a configuration that a server could start with. */
static int report(const struct commandline *commandline, const struct config *config)
{
    char problem[1024];

    if (check_engine(config, problem, sizeof(problem)) ||
        check_addresses(config, problem, sizeof(problem)))
        return refuse(commandline, config, problem);
    fprintf(stderr, "tickd: %s%sconfiguration is fine\n",
            commandline->file != NULL ? commandline->file : "",
            commandline->file != NULL ? ": " : "");
    return EXIT_SUCCESS;
}

static int print(const struct config *config)
{
    configfile_write(config, stdout);
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    log_error("cannot write the configuration: %m");
    return EXIT_FAILURE;
}

/* What is to be done with a configuration, but for being the server. */
static int act(const struct commandline *commandline, const struct config *config)
{
    char problem[1024];

    if (commandline->task == COMMANDLINE_SIGNAL)
        return control_send(config, commandline->signal);
    if (commandline->task == COMMANDLINE_PRINT)
        return print(config);
    if (check_config(config, problem, sizeof(problem)))
        return refuse(commandline, config, problem);
    return report(commandline, config);
}

/* Be the server. ${config} is given away. */
static int serve(const struct commandline *commandline, struct config *config, char **argv)
{
    char problem[1024];

    if (check_config(config, problem, sizeof(problem))) {
        int code = refuse(commandline, config, problem);
        config_free(config);
        return code;
    }
    if (commandline->foreground)
        log_to_stderr_dated();
    return master_run(commandline, config, argv);
}

static int run(const struct commandline *commandline, char **argv)
{
    char problem[1024];

    if (commandline->task == COMMANDLINE_HELP)
        return print_help();
    if (commandline->task == COMMANDLINE_VERSION) {
        printf("tickd %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    struct config *config = commandline_config(commandline, problem, sizeof(problem));
    if (config == NULL) {
        log_error("%s", problem);
        return EXIT_FAILURE;
    }
    if (commandline->task == COMMANDLINE_RUN)
        return serve(commandline, config, argv);
    int code = act(commandline, config);
    config_free(config);
    return code;
}

int main(int argc, char **argv)
{
    char problem[1024];

    tidy_inheritance();
    takeover_begin(); /* from now on, what goes wrong is the old master's to know */
    struct commandline *commandline = commandline_read(argc, argv, problem, sizeof(problem));
    if (commandline == NULL) {
        log_error("%s", problem);
        return EXIT_USAGE;
    }
    int code = run(commandline, argv);
    commandline_free(commandline);
    return code;
}
