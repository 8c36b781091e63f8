#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether directories beneath DATA may have changed, as the kernel tells it: inotify(7). One
 * instance serves all workers, and of its events only one thing is asked, whether there are
 * any: then all directories are looked at again, which is cheap for those that have not
 * changed. So it does no harm when events are lost in a crowd, or come from a directory that is
 * not beneath DATA any more.
 *
 * Where the kernel cannot tell (file systems whose files other machines write, too; links that
 * lead about), or would have to watch too many directories, there is no watch.
 */

/* A look at all directories, which are watched from then on. */
struct watch {
    int fd;           /* of the instance; -1: nothing is watched */
    const char *data; /* the path of DATA */
    int *added;       /* in this look */
    size_t count, room, most;
};

/**
 * watch_begin(watch, fd, data):
 * Begin a look at ${data} with the instance ${fd} (-1: none), and drop all events so far. To be
 * ended with watch_end. May block.
 */
void watch_begin(struct watch *watch, int fd, const char *data);

/**
 * watch_add(watch, path):
 * Have the directory at ${path}, relative to DATA, watched from now on: before it is looked at.
 */
void watch_add(struct watch *watch, const char *path);

/**
 * watch_link(watch, path):
 * At ${path}, relative to DATA, is a link, in a directory that was added. One that leads to its
 * neighbour is fine: the directory tells of both. Where any other one leads can change on the
 * way there, of which nothing tells: then nothing is watched.
 */
void watch_link(struct watch *watch, const char *path);

/**
 * watch_end(watch):
 * Returns whether all that was added is watched.
 */
bool watch_end(struct watch *watch);

/**
 * watch_quiet(fd):
 * Whether nothing has happened for the instance ${fd} since its events were last dropped. Does
 * not block.
 */
bool watch_quiet(int fd);

#endif
