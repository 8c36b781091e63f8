#ifndef BASE_TITLE_H
#define BASE_TITLE_H

/* What ps shows of a process. */

/**
 * title_init(argv):
 * Take over the memory of the arguments ${argv} and of the environment, which is copied away,
 * to write titles to. To be called once, early in main; ${argv} must not be read afterwards.
 * Without memory, titles stay as they are.
 */
void title_init(char **argv);

/**
 * title_set(format, ...):
 * Show "tickd: " and the text that ${format} gives as printf's.
 */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
