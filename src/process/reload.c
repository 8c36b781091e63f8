#include "process/reload.h"

#include <string.h>

#include "base/log.h"
#include "process/check.h"
#include "process/errorlog.h"

/* The lock is on the file that is there. */
static int keep_pid_file(struct config *config, const struct config *before, char *problem,
                         size_t size)
{
    if (strcmp(config->pid_file, before->pid_file) == 0)
        return 0;
    log_warn("pid_file: it stays '%s' until the server is started anew", before->pid_file);
    return config_set(config, "pid_file", before->pid_file, problem, size);
}

struct setup *reload_prepare(const struct commandline *commandline, const struct setup *before,
                             const struct sockets *stock, bool background)
{
    char problem[1024];
    struct config *config = commandline_config(commandline, problem, sizeof(problem));
    struct setup *setup = NULL;

    if (config == NULL || check_config(config, problem, sizeof(problem)) ||
        keep_pid_file(config, before->config, problem, sizeof(problem)))
        log_error("%s", problem);
    else if (errorlog_check(config, before->config, background) == 0)
        setup = setup_new(config, before, stock);
    if (setup == NULL)
        config_free(config);
    else if (setup->roster != before->roster)
        log_notice("what the workers share is found out anew");
    return setup;
}
