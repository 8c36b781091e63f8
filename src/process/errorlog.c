#include "process/errorlog.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "process/daemonize.h"

static void warn_without_syslog(void)
{
    if (access("/dev/log", W_OK))
        log_warn("there is no syslog here to tell what happens from now on; -f tells it here, "
                 "error_log=FILE in a file");
}

static void set_level(const struct config *config)
{
    static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_NOTICE,
                                             LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

    log_set_level(levels[config->log_level]);
}

int errorlog_open(const struct config *config, bool background)
{
    enum config_error_log where = config_error_log(config);

    set_level(config);
    if (where == CONFIG_ERROR_LOG_UNSET)
        where = background ? CONFIG_ERROR_LOG_SYSLOG : CONFIG_ERROR_LOG_STDERR;
    switch (where) {
    case CONFIG_ERROR_LOG_FILE:
        if (log_to_file(config->error_log)) {
            log_error("cannot open the error log %s: %m", config->error_log);
            return -1;
        }
        break;
    case CONFIG_ERROR_LOG_SYSLOG:
        warn_without_syslog();
        log_to_syslog("tickd");
        break;
    default:
        log_to_stderr_dated();
    }
    if (background)
        daemonize_detach(where == CONFIG_ERROR_LOG_STDERR);
    if (background && where == CONFIG_ERROR_LOG_FILE)
        log_take_stderr();
    return 0;
}

int errorlog_check(const struct config *config, const struct config *before, bool background)
{
    enum config_error_log where = config_error_log(config);

    if (where == CONFIG_ERROR_LOG_STDERR && background &&
        config_error_log(before) != CONFIG_ERROR_LOG_STDERR) {
        log_error("error_log: standard error is gone in the background");
        return -1;
    }
    if (where != CONFIG_ERROR_LOG_FILE)
        return 0;
    int fd =
        open(config->error_log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0) {
        log_error("cannot open the error log %s: %m", config->error_log);
        return -1;
    }
    close(fd);
    return 0;
}

void errorlog_follow(const struct config *config, const struct config *before, bool background)
{
    if (strcmp(config->error_log, before->error_log) != 0)
        errorlog_open(config, background);
    set_level(config);
}
