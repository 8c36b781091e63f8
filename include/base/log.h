#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/*
 * The error log: one line per event, to standard error or to syslog. Every process has its own
 * settings, inherited over fork. Any thread may call; a line leaves in one write.
 */

enum log_level {
    LOG_LEVEL_ERROR,  /* something failed and somebody should look */
    LOG_LEVEL_WARN,   /* something is odd; the work goes on */
    LOG_LEVEL_NOTICE, /* the life of the processes: started, stopped, reloaded */
    LOG_LEVEL_INFO,   /* what a curious operator wants to see */
    LOG_LEVEL_DEBUG,  /* what a developer wants to see */
};

/**
 * log_to_stderr(name):
 * Write lines to standard error as "${name}: message" (a command's messages). This is how a
 * process starts, with the name "tickd".
 */
void log_to_stderr(const char *name);

/**
 * log_to_stderr_dated(void):
 * Write lines to standard error as "time [pid] level: message", as a daemon's error log.
 */
void log_to_stderr_dated(void);

/**
 * log_to_syslog(name):
 * Write lines to syslog, facility "daemon", as ${name}.
 */
void log_to_syslog(const char *name);

/**
 * log_set_level(level):
 * Drop lines that matter less than ${level}; LOG_LEVEL_NOTICE at first.
 */
void log_set_level(enum log_level level);

/**
 * log_error(format, ...), log_warn(...), log_notice(...), log_info(...), log_debug(...):
 * Log one line of that level; ${format} as printf's ("%m" is the text of errno), without a
 * newline. errno is left as it was.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
