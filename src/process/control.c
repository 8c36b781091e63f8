#include "process/control.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "process/pidfile.h"

static const struct {
    const char *command;
    int signal; /* 0: only look */
} commands[] = {
    { "stop", SIGTERM },   { "quit", SIGQUIT },    { "reload", SIGHUP },
    { "reopen", SIGUSR1 }, { "upgrade", SIGUSR2 }, { "status", 0 },
};

static int signal_of(const char *command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (strcmp(commands[i].command, command) == 0)
            return commands[i].signal;
    }
    return 0;
}

static int not_running(const struct config *config)
{
    log_error("tickd is not running (no process holds the pid file %s)", config->pid_file);
    return CONTROL_NOT_RUNNING;
}

int control_send(const struct config *config, const char *command)
{
    int signo = signal_of(command);
    pid_t owner;

    if (config->pid_file[0] == '\0') {
        log_error("-s %s: to which tickd? The option pid_file is empty", command);
        return EXIT_FAILURE;
    }
    if (pidfile_owner(config->pid_file, &owner)) {
        log_error("cannot use the pid file %s: %m", config->pid_file);
        return EXIT_FAILURE;
    }
    if (owner < 0) {
        log_error("the pid file %s is held by a process that cannot be seen from here",
                  config->pid_file);
        return EXIT_FAILURE;
    }
    if (owner == 0)
        return not_running(config);
    if (signo == 0) {
        printf("tickd is running as process %d\n", (int)owner);
        return EXIT_SUCCESS;
    }
    if (kill(owner, signo) == 0)
        return EXIT_SUCCESS;
    if (errno == ESRCH)
        return not_running(config);
    log_error("cannot signal process %d: %m", (int)owner);
    return EXIT_FAILURE;
}
