#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A line on the terminal that says how far the work is: on standard error, and only if that
 * is a terminal. One per process.
 */

/**
 * progress_start(total, quiet):
 * Begin; ${total} bytes are to be read (0: not known). With ${quiet}, nothing is ever shown.
 */
void progress_start(uint64_t total, bool quiet);

/**
 * progress_show(bytes, rows):
 * ${bytes} and ${rows} are read. Draws at most five times a second.
 */
void progress_show(uint64_t bytes, uint64_t rows);

/**
 * progress_clear(void):
 * Remove the line, before another message or at the end; the next progress_show draws it anew.
 */
void progress_clear(void);

/**
 * progress_seconds(void):
 * The time since progress_start.
 */
double progress_seconds(void);

#endif
