#include "tools/statfind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "config.h"
#include "system/stats.h"

#define MEMORY "/memfd:tickd (deleted)" /* what readlink(2) says of a segment */
#define MEMORY_LENGTH (sizeof(MEMORY) - 1)

/* A process that holds a segment. */
struct holder {
    int pid, parent;
    dev_t device;
    ino_t inode; /* of the segment */
};

struct holders {
    size_t count;
    struct holder *all;
    bool hidden; /* there are processes that we may not look at */
};

/* The name of a directory entry as a number; -1 if it is none. */
static int number_of(const char *name)
{
    uint64_t value;

    return num_parse(slice_of(name), &value) || value > INT32_MAX ? -1 : (int)value;
}

static int open_process(const char *proc, int pid)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%d", proc, pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Look for the segment among the files of a process, and write "fd/N" to ${link}. Returns 1 if
 * it is there, 0 if not, -1 with errno. */
static int find_link(int process, char *link, size_t size)
{
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;

    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    for (struct dirent *entry; !found && (entry = readdir(directory)) != NULL;) {
        char to[sizeof(MEMORY)];
        ssize_t len = readlinkat(fd, entry->d_name, to, sizeof(to));

        found = len == MEMORY_LENGTH && memcmp(to, MEMORY, MEMORY_LENGTH) == 0;
        if (found)
            snprintf(link, size, "fd/%d", number_of(entry->d_name));
    }
    closedir(directory);
    return found;
}

/* Attach to the segment, and make sure that it is one that we can read. */
static int attach(struct statfind *found, const char *proc)
{
    char path[4096], problem[256];

    snprintf(path, sizeof(path), "%s/%d/%s", proc, found->pid, found->link);
    found->segment = segment_attach(path, problem, sizeof(problem));
    if (found->segment == NULL) {
        log_error("%s", problem);
        return -1;
    }
    if (!segment_sealed(found->segment))
        log_error("process %d is no tickd: its memory may vanish", found->pid);
    else if (stats_fits(found->segment))
        return 0;
    else
        log_error(
            "process %d is a tickd %s that counts other things than this tickstat (%s) knows",
            found->pid, segment_version(found->segment), PACKAGE_VERSION);
    segment_free(found->segment);
    return -1;
}

int statfind_pid(struct statfind *found, const char *proc, int pid)
{
    *found = (struct statfind){ .pid = pid, .process = open_process(proc, pid) };
    if (found->process < 0) {
        log_error("there is no process %d", pid);
        return -1;
    }
    int there = find_link(found->process, found->link, sizeof(found->link));
    if (there < 0)
        log_error("cannot look at process %d: %m", pid);
    else if (there == 0)
        log_error("process %d is no tickd", pid);
    if (there > 0 && attach(found, proc) == 0)
        return 0;
    close(found->process);
    return -1;
}

static int parent_of(int process)
{
    int fd = openat(process, "stat", O_RDONLY | O_CLOEXEC), parent = 0;
    char text[1024], *end;
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    end = strrchr(text, ')'); /* the name before it may hold anything */
    return end != NULL && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* If the process holds a segment, add it. Returns 0, or -1 without memory. */
static int add_holder(struct holders *holders, int process, int pid)
{
    struct holder *grown;
    struct stat memory;
    char link[32];
    int there = find_link(process, link, sizeof(link));

    holders->hidden |= there < 0 && errno == EACCES;
    if (there <= 0 || fstatat(process, link, &memory, 0))
        return 0;
    grown = realloc(holders->all, (holders->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return -1;
    holders->all = grown;
    grown[holders->count++] = (struct holder){ .pid = pid,
                                               .parent = parent_of(process),
                                               .device = memory.st_dev,
                                               .inode = memory.st_ino };
    return 0;
}

static int find_holders(struct holders *holders, const char *proc)
{
    DIR *directory = opendir(proc);
    int failed = 0;

    if (directory == NULL)
        return -1;
    for (struct dirent *entry; !failed && (entry = readdir(directory)) != NULL;) {
        int pid = number_of(entry->d_name), process = pid < 0 ? -1 : open_process(proc, pid);

        if (process < 0)
            continue;
        failed = add_holder(holders, process, pid);
        close(process);
    }
    closedir(directory);
    return failed;
}

/* A master is a holder whose parent does not hold the same segment. */
static bool is_master(const struct holders *holders, const struct holder *holder)
{
    for (size_t i = 0; i < holders->count; i++) {
        const struct holder *other = &holders->all[i];

        if (other->pid == holder->parent && other->device == holder->device &&
            other->inode == holder->inode)
            return false;
    }
    return true;
}

/* Leave nothing but masters. They change places with those before them, so that all are there
 * to be looked at until the end. */
static void keep_masters(struct holders *holders)
{
    size_t kept = 0;

    for (size_t i = 0; i < holders->count; i++) {
        struct holder holder = holders->all[i];

        if (is_master(holders, &holder)) {
            holders->all[i] = holders->all[kept];
            holders->all[kept++] = holder;
        }
    }
    holders->count = kept;
}

/* One line with how the process calls itself: by where it listens. */
static void log_title(const char *proc, int pid)
{
    char path[4096], title[80] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/%d/cmdline", proc, pid);
    file = fopen(path, "re");
    if (file != NULL) {
        size_t len = fread(title, 1, sizeof(title) - 1, file);

        title[len] = '\0';
        fclose(file);
    }
    log_error("  %d  %s", pid, title);
}

int statfind_only(struct statfind *found, const char *proc)
{
    struct holders holders = { 0 };
    int result = -1;

    if (find_holders(&holders, proc)) {
        log_error("cannot look for processes in %s: %m", proc);
        free(holders.all);
        return -1;
    }
    keep_masters(&holders);
    if (holders.count == 0) {
        log_error("no tickd is running here%s",
                  holders.hidden ? " that this user may look at" : "");
    } else if (holders.count == 1) {
        result = statfind_pid(found, proc, holders.all[0].pid);
    } else {
        log_error("more than one tickd is running; choose one with -p:");
        for (size_t i = 0; i < holders.count; i++)
            log_title(proc, holders.all[i].pid);
    }
    free(holders.all);
    return result;
}

bool statfind_alive(const struct statfind *found)
{
    struct stat link;

    return fstatat(found->process, found->link, &link, AT_SYMLINK_NOFOLLOW) == 0;
}

void statfind_free(struct statfind *found)
{
    segment_free(found->segment);
    close(found->process);
}
