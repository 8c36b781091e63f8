#include "store/watch.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/slice.h"

#define ZFS_SUPER_MAGIC 0x2fc12fc1ul /* not in Linux itself */

#define EVENTS                                                                                 \
    (IN_ATTRIB | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE | IN_MOVE_SELF | IN_ONLYDIR)

/* Reads of events at a time: should more come faster than they are read, so be it. */
#define READS 1000

/* Links that lead to one another. */
#define LINKS_MAX 8

/* Others of the same user want to watch, too. */
static size_t most_watches(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_user_watches", "re");
    unsigned long most = 0;

    if (file != NULL) {
        if (fscanf(file, "%lu", &most) != 1)
            most = 0;
        fclose(file);
    }
    return most / 2;
}

/* Whether all that happens to the files at ${path} goes through this kernel. */
static bool is_local(const char *path)
{
    static const unsigned long local[] = {
        EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,       BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
        TMPFS_MAGIC,      OVERLAYFS_SUPER_MAGIC, ZFS_SUPER_MAGIC,
    };
    struct statfs found;

    if (statfs(path, &found))
        return false;
    for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++) {
        if ((unsigned long)found.f_type == local[i])
            return true;
    }
    return false;
}

/* Drop all events; a directory that was moved is not watched any more, unless it is met again.
 */
static void drop_events(int fd)
{
    char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t len;

    for (int reads = 0; reads < READS && (len = read(fd, events, sizeof(events))) > 0;
         reads++) {
        for (char *at = events; at < events + len;) {
            const struct inotify_event *event = (const void *)at;

            if (event->mask & IN_MOVE_SELF)
                inotify_rm_watch(fd, event->wd);
            at += sizeof(*event) + event->len;
        }
    }
}

void watch_begin(struct watch *watch, int fd, const char *data)
{
    *watch = (struct watch){ .fd = fd, .data = data };
    if (fd < 0)
        return;
    watch->most = most_watches();
    drop_events(fd);
}

/* It is no use to watch some. */
static void give_up(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        inotify_rm_watch(watch->fd, watch->added[i]);
    watch->fd = -1;
}

static int make_room(struct watch *watch)
{
    if (watch->count < watch->room)
        return 0;
    size_t room = 2 * watch->room + 64;
    void *grown = realloc(watch->added, room * sizeof(int));
    if (grown == NULL)
        return -1;
    watch->added = grown;
    watch->room = room;
    return 0;
}

void watch_add(struct watch *watch, const char *path)
{
    char whole[PATH_MAX];

    if (watch->fd < 0)
        return;
    int len = snprintf(whole, sizeof(whole), "%s/%s", watch->data, path);
    /* File systems are mounted at DATA, or for an exchange. */
    bool deep = strchr(path, '/') != NULL;
    if (len >= (int)sizeof(whole) || watch->count >= watch->most ||
        (!deep && !is_local(whole)) || make_room(watch)) {
        give_up(watch);
        return;
    }
    int wd = inotify_add_watch(watch->fd, whole, EVENTS);
    if (wd >= 0)
        watch->added[watch->count++] = wd;
    else if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        give_up(watch); /* of those, the directory above tells */
}

void watch_link(struct watch *watch, const char *path)
{
    char whole[PATH_MAX], target[NAME_MAX + 1];
    int len = snprintf(whole, sizeof(whole), "%s/%s", watch->data, path);
    bool fine = len < (int)sizeof(whole);

    for (int links = 0; watch->fd >= 0; links++) {
        ssize_t bytes = fine ? readlink(whole, target, sizeof(target)) : 0;

        if (bytes < 0 || (bytes > 0 && target[0] == '/'))
            return; /* no link, or one that is never followed */
        size_t name = (size_t)(strrchr(whole, '/') + 1 - whole);
        struct slice to = { target, (size_t)bytes };
        fine = fine && links < LINKS_MAX && to.len <= NAME_MAX && !slice_is(to, "..") &&
               memchr(to.at, '/', to.len) == NULL &&
               snprintf(whole + name, sizeof(whole) - name, "%.*s", SLICE_ARG(to)) <
                   (int)(sizeof(whole) - name);
        if (!fine)
            give_up(watch);
    }
}

bool watch_end(struct watch *watch)
{
    bool watched = watch->fd >= 0 && watch->count > 0;

    free(watch->added);
    watch->added = NULL;
    return watched;
}

bool watch_quiet(int fd)
{
    int pending = 0;

    return fd >= 0 && ioctl(fd, FIONREAD, &pending) == 0 && pending == 0;
}
