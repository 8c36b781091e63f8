#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static enum {
    STYLE_COMMAND,
    STYLE_DATED,
    STYLE_SYSLOG,
} style = STYLE_COMMAND;
static const char *who = "tickd";
static int out = STDERR_FILENO;
static char *file;        /* which out is; else NULL */
static bool takes_stderr; /* the file is standard error as well */
static enum log_level least = LOG_LEVEL_NOTICE;

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", LOG_ERR },
    [LOG_LEVEL_WARN] = { "warning", LOG_WARNING },
    [LOG_LEVEL_NOTICE] = { "notice", LOG_NOTICE },
    [LOG_LEVEL_INFO] = { "info", LOG_INFO },
    [LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

static void leave_file(void)
{
    if (file == NULL)
        return;
    close(out);
    free(file);
    file = NULL;
    out = STDERR_FILENO;
    takes_stderr = false;
}

void log_to_stderr(const char *name)
{
    leave_file();
    style = STYLE_COMMAND;
    who = name;
}

void log_to_stderr_dated(void)
{
    leave_file();
    style = STYLE_DATED;
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int log_to_file(const char *path)
{
    char *copy = strdup(path);
    int fd = copy == NULL ? -1 : open_file(path);

    if (fd < 0) {
        free(copy);
        return -1;
    }
    leave_file();
    style = STYLE_DATED;
    out = fd;
    file = copy;
    return 0;
}

void log_take_stderr(void)
{
    if (file == NULL || dup2(out, STDERR_FILENO) < 0)
        return;
    takes_stderr = true;
}

int log_reopen(void)
{
    if (file == NULL)
        return 0;
    int fd = open_file(file);
    if (fd < 0) {
        log_error("cannot open the error log %s again, going on with the old file: %m", file);
        return -1;
    }
    /* In one step: other threads write meanwhile. */
    dup3(fd, out, O_CLOEXEC);
    if (takes_stderr)
        dup2(fd, STDERR_FILENO);
    close(fd);
    return 0;
}

void log_to_syslog(const char *name)
{
    leave_file();
    style = STYLE_SYSLOG;
    openlog(name, LOG_PID, LOG_DAEMON);
}

void log_set_level(enum log_level level)
{
    least = level;
}

/* What stands before the message; returns its length. */
static size_t prefix(char *line, size_t size, enum log_level level)
{
    int n = 0;

    if (style == STYLE_COMMAND) {
        n = snprintf(line, size, "%s: %s", who, level == LOG_LEVEL_WARN ? "warning: " : "");
    } else if (style == STYLE_DATED) {
        struct timespec now;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        n = snprintf(line, size,
                     "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ [%d] %s: ", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                     now.tv_nsec / 1000000, (int)getpid(), levels[level].name);
    }
    return (size_t)n;
}

/* No byte of a message may forge a second line or steer a terminal. */
static void tame(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
}

static void log_line(enum log_level level, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    int saved = errno;

    if (level > least)
        return;
    size_t at = prefix(line, sizeof(line) - 1, level);
    errno = saved;
    int n = vsnprintf(line + at, sizeof(line) - 1 - at, format, args);
    size_t len = n < 0 ? at : at + (size_t)n;
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    tame(line, len);

    if (style == STYLE_SYSLOG) {
        line[len] = '\0';
        syslog(levels[level].priority, "%s", line);
    } else {
        line[len++] = '\n';
        /* A log that cannot be written has nobody to tell. */
        if (write(out, line, len) < 0) {
        }
    }
    errno = saved;
}

#define LOG_FUNCTION(name, level)                                                              \
    void name(const char *format, ...)                                                         \
    {                                                                                          \
        va_list args;                                                                          \
                                                                                               \
        va_start(args, format);                                                                \
        log_line(level, format, args);                                                         \
        va_end(args);                                                                          \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
