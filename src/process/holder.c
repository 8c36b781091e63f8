#include "process/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system/listen.h"

#define TCP_LISTENS 0x0a         /* TCP_LISTEN of net/tcp_states.h */
#define UNIX_LISTENS 0x00010000u /* __SO_ACCEPTCON */

/* The inode of the socket that a line of /proc/net/tcp or tcp6 is about, if it listens at
 * ${place}; else 0. */
static uint64_t match_inet(const char *line, const char *place)
{
    char at[64];
    unsigned state;
    uint64_t inode;

    if (sscanf(line, " %*u: %63s %*s %x %*s %*s %*s %*u %*u %" SCNu64, at, &state, &inode) ==
            3 &&
        state == TCP_LISTENS && strcmp(at, place) == 0)
        return inode;
    return 0;
}

/* Likewise, of /proc/net/unix. */
static uint64_t match_unix(const char *line, const char *place)
{
    unsigned flags;
    uint64_t inode;
    int path = 0;

    if (sscanf(line, "%*s %*x %*x %x %*x %*x %" SCNu64 " %n", &flags, &inode, &path) == 2 &&
        path > 0 && (flags & UNIX_LISTENS) != 0 && strcmp(line + path, place) == 0)
        return inode;
    return 0;
}

/* The inode of the socket that listens at ${address}; 0 if there is none. */
static uint64_t find_socket(const char *address)
{
    char place[LISTEN_PLACE], path[32], line[512];
    const char *table = listen_place(address, place);
    uint64_t inode = 0;

    if (table == NULL)
        return 0;
    snprintf(path, sizeof(path), "/proc/net/%s", table);
    FILE *file = fopen(path, "re");
    while (file != NULL && inode == 0 && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        inode = strcmp(table, "unix") == 0 ? match_unix(line, place) : match_inet(line, place);
    }
    if (file != NULL)
        fclose(file);
    return inode;
}

bool holder_may_be(pid_t pid, const char *address)
{
    char path[64], wanted[64], target[64];
    uint64_t inode = find_socket(address);
    struct dirent *entry;
    bool found = false;

    if (inode == 0)
        return false;
    snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return true;
    while (!found && (entry = readdir(directory)) != NULL) {
        ssize_t len = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

        target[len < 0 ? 0 : len] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    closedir(directory);
    return found;
}
