#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/*
 * The error log: one line per event, to standard error, to a file or to syslog. Every process
 * has its own settings, inherited over fork. Any thread may log; a line leaves in one write.
 * What is logged to is chosen while there is only one thread.
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
 * log_to_file(path):
 * Append lines as of log_to_stderr_dated to the file ${path}, which is made (mode 0640) if it
 * is not there. Returns 0, or -1 with errno, and lines go where they went.
 */
int log_to_file(const char *path);

/**
 * log_take_stderr(void):
 * While lines go to a file, let standard error be that file too, for what libraries have to
 * say.
 */
void log_take_stderr(void);

/**
 * log_reopen(void):
 * Open the file of log_to_file again by its path, as somebody has moved it away. Each process
 * that writes to it must. Does nothing if lines do not go to a file. Returns 0, or -1 after
 * logging why it cannot be opened: lines then go on to the old file. Any thread may call.
 */
int log_reopen(void);

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
