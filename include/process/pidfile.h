#ifndef PROCESS_PIDFILE_H
#define PROCESS_PIDFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The file that holds the process id of the master. What says that it runs is not the file but
 * a record lock on it (fcntl(2), F_SETLK), which goes with the process, however it ends, and
 * which workers do not inherit. A record lock also goes when its process closes any descriptor
 * of the file: so the process that holds one must not open its pid file by other means.
 */

struct pidfile;

/**
 * pidfile_lock(path, problem, size):
 * Make the file ${path}, or take over that of a dead process, and lock it for this process.
 * Nothing is written yet. Returns NULL with one line in the ${size} bytes of ${problem}, such
 * as that another process has it.
 */
struct pidfile *pidfile_lock(const char *path, char *problem, size_t size);

/**
 * pidfile_write(pidfile):
 * Write this process's id into it. Returns 0, or -1 with errno.
 */
int pidfile_write(struct pidfile *pidfile);

/**
 * pidfile_move(pidfile, path):
 * Rename it to ${path}, lock and all, so that another process can have its name. Returns 0, or
 * -1 with errno.
 */
int pidfile_move(struct pidfile *pidfile, const char *path);

/**
 * pidfile_oldbin(path):
 * The name that the pid file ${path} has while a new master takes that one; to be freed. NULL
 * without memory.
 */
char *pidfile_oldbin(const char *path);

/**
 * pidfile_is_at(pidfile, path):
 * Whether its name is ${path}.
 */
bool pidfile_is_at(const struct pidfile *pidfile, const char *path);

/**
 * pidfile_remove(pidfile):
 * Remove the file, if it is still this process's, give the lock back, and free ${pidfile}; NULL
 * is fine. Only for the process that locked it; a child that goes on without it need do
 * nothing.
 */
void pidfile_remove(struct pidfile *pidfile);

/**
 * pidfile_owner(path, owner):
 * Store which process holds the lock of ${path} in ${owner}: 0 if none does or there is no such
 * file, -1 if it has no number here (it is in another pid namespace). Returns 0, or -1 with
 * errno. For other processes than the one that holds it.
 */
int pidfile_owner(const char *path, pid_t *owner);

#endif
