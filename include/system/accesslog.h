#ifndef SYSTEM_ACCESSLOG_H
#define SYSTEM_ACCESSLOG_H

#include "base/accessline.h"
#include "system/helper.h"

/*
 * The access log of one worker: lines are gathered in memory, and written by a helper once
 * there are enough, and each second, in one write of whole lines to a file opened for
 * appending, so that those of several workers do not mix. Who adds a line never waits: a line
 * for which there is no room, since the disk is slow, or which the disk does not take, is
 * counted as dropped. All functions are for the thread that runs the loop.
 */

struct accesslog;

/**
 * accesslog_try(path):
 * Whether ${path} can be opened, or made (mode 0640), for a log. Returns 0, or -1 with errno.
 */
int accesslog_try(const char *path);

/**
 * accesslog_new(path, format, helper):
 * Open the log at ${path}, for lines in ${format} (a choice of the option access_log_format),
 * to be written by ${helper}. NULL with errno. To be given to accesslog_free before ${helper}
 * goes.
 */
struct accesslog *accesslog_new(const char *path, unsigned format, struct helper *helper);

/**
 * accesslog_add(log, line):
 * Add a line.
 */
void accesslog_add(struct accesslog *log, const struct accessline *line);

/**
 * accesslog_fd(log), accesslog_due(log):
 * A descriptor that can be read when it is time for accesslog_due, which has what was gathered
 * written.
 */
int accesslog_fd(const struct accesslog *log);
void accesslog_due(struct accesslog *log);

/**
 * accesslog_reopen(log):
 * Open the file again by its path, as somebody has moved it away: what is written from then on
 * goes to the new one, what was added but not written yet included. Should that fail, it is
 * logged, and the old file is written to.
 */
void accesslog_reopen(struct accesslog *log);

/**
 * accesslog_free(log):
 * Have everything written, and close the file; NULL is fine.
 */
void accesslog_free(struct accesslog *log);

#endif
