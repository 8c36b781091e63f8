#ifndef BASE_GUARD_H
#define BASE_GUARD_H

/*
 * Reading memory that maps a file raises SIGBUS when the file was cut off under the mapping or
 * the disk fails. Code of ours that reads such memory runs under this guard.
 */

/**
 * guard_install(void):
 * Catch SIGBUS from now on, in every thread of this process. A SIGBUS outside guard_run still
 * kills the process. Returns 0, or -1 with errno.
 */
int guard_install(void);

/**
 * guard_run(work, arg):
 * Call ${work}(${arg}). Returns 0 when it came back; -1 when it touched memory that no longer
 * has a file behind it, in which case it was left in the middle: it must hold nothing that
 * needs giving back, and what it wrote through ${arg} is half done. May be nested; any thread
 * may call.
 */
int guard_run(void (*work)(void *), void *arg);

#endif
