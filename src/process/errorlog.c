#include "process/errorlog.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "process/daemonize.h"

static void warn_without_syslog(void)
{
    if (access("/dev/log", W_OK))
        log_warn("there is no syslog here to tell what happens from now on; -f tells it here, "
                 "error_log=FILE in a file");
}

int errorlog_open(const struct config *config, bool background)
{
    enum config_error_log where = config_error_log(config);

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
