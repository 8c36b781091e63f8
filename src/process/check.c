#include "process/check.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/log.h"
#include "process/holder.h"
#include "process/pidfile.h"
#include "system/listen.h"
#include "system/loop.h"

/* Whether there is nothing in the directory. */
static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    bool found = false;

    for (struct dirent *entry;
         directory != NULL && !found && (entry = readdir(directory)) != NULL;)
        found = entry->d_name[0] != '.';
    if (directory != NULL)
        closedir(directory);
    return !found;
}

static int check_data(const char *data, char *problem, size_t size)
{
    struct stat found;

    if (data[0] == '\0') {
        snprintf(problem, size,
                 "which data directory? Name it with -d DIR, or in a file with -c FILE");
    } else if (stat(data, &found)) {
        snprintf(problem, size, "the data directory %s cannot be used: %s", data,
                 strerror(errno));
    } else if (!S_ISDIR(found.st_mode)) {
        snprintf(problem, size,
                 "%s is not a directory; data (-d) names the one that holds "
                 "{exchange}/{symbol}/{type}",
                 data);
    } else if (access(data, R_OK | X_OK)) {
        snprintf(problem, size, "the data directory %s cannot be read: %s", data,
                 strerror(errno));
    } else {
        return 0;
    }
    return -1;
}

static int check_cpus(const char *wanted, char *problem, size_t size)
{
    struct cpu_list allowed, cpus;

    if (wanted[0] == '\0')
        return 0;
    if (cpu_allowed(&allowed) || cpu_parse(slice_of(wanted), &cpus)) {
        snprintf(problem, size, "cannot find out which cores there are: %s", strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < cpus.count; i++) {
        bool found = false;

        for (size_t j = 0; j < allowed.count; j++)
            found |= allowed.cpus[j] == cpus.cpus[i];
        if (!found) {
            snprintf(problem, size, "cpus: core %d is none that tickd may run on",
                     cpus.cpus[i]);
            return -1;
        }
    }
    return 0;
}

/* The problem is with an option: name it, if the problem does not, and where it was set. */
static int blame(const struct config *config, const char *name, size_t item, char *problem,
                 size_t size)
{
    char place[CONFIG_PLACE], text[512];
    const char *where = config_place(config, name, item, place);
    size_t len = strlen(name);
    bool named = strncmp(problem, name, len) == 0 && problem[len] == ':';

    if (where == NULL)
        return -1;
    snprintf(text, sizeof(text), "%s", problem);
    snprintf(problem, size, "%s%s%s%s", where, named ? "" : name, named ? "" : ": ", text);
    return -1;
}

static int check_listeners(const struct config *config, const char *name,
                           const struct config_list *list, char *problem, size_t size)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list == &config->admin_listen && config_listens_nowhere(list->items[i]))
            continue;
        if (listen_check(list->items[i], problem, size))
            return blame(config, name, i, problem, size);
    }
    return 0;
}

/* What describes the symbols may come later: a server can do without. */
static void look_at_symbols(const struct config *config)
{
    char text[1024];
    struct stat found;

    if (config->symbols_dir[0] == '\0')
        return;
    int error = stat(config->symbols_dir, &found)          ? errno
                : !S_ISDIR(found.st_mode)                  ? ENOTDIR
                : access(config->symbols_dir, R_OK | X_OK) ? errno
                                                           : 0;
    if (error == 0)
        return;
    snprintf(text, sizeof(text), "symbols_dir: %s: %s: symbols are found by their names only",
             config->symbols_dir, strerror(error));
    blame(config, "symbols_dir", 0, text, sizeof(text));
    log_warn("%s", text);
}

int check_config(const struct config *config, char *problem, size_t size)
{
    if (check_data(config->data, problem, size))
        return blame(config, "data", 0, problem, size);
    if (check_cpus(config->cpus, problem, size))
        return blame(config, "cpus", 0, problem, size);
    if (check_listeners(config, "listen", &config->listen, problem, size) ||
        check_listeners(config, "admin_listen", &config->admin_listen, problem, size))
        return -1;
    if (is_empty(config->data))
        log_warn("the data directory %s is empty: queries are answered 503 until it is not",
                 config->data);
    look_at_symbols(config);
    return 0;
}

int check_engine(const struct config *config, char *problem, size_t size)
{
    char why[256];

    if (loop_choose((unsigned)config->engine, why, sizeof(why)) != NULL)
        return 0;
    snprintf(problem, size, "engine: io_uring cannot be used here: %s", why);
    return blame(config, "engine", 0, problem, size);
}

static bool is_held_by(const char *pid_file, const char *address)
{
    pid_t running = 0;

    return pidfile_owner(pid_file, &running) == 0 && running > 0 &&
           holder_may_be(running, address);
}

/* Whether the server that the pid file names listens at ${address}: also while it hands that
 * name over to another one. */
static bool is_own(const char *pid_file, const char *address)
{
    bool own = pid_file[0] != '\0' && is_held_by(pid_file, address);
    char *other = pid_file[0] == '\0' || own ? NULL : pidfile_oldbin(pid_file);

    own |= other != NULL && is_held_by(other, address);
    free(other);
    return own;
}

/* Bind each of ${addresses} to one of ${fds}, which are -1 before. */
static int try_each(const struct config *config, const char *name,
                    const struct config_list *addresses, int *fds, char *problem, size_t size)
{
    for (size_t i = 0; i < addresses->count; i++) {
        const char *address = addresses->items[i];

        if (config_listens_nowhere(address))
            continue;
        fds[i] = listen_open(address, (int)config->backlog, problem, size);
        if (fds[i] >= 0)
            continue;
        if (errno == EADDRINUSE && is_own(config->pid_file, address))
            continue;
        return blame(config, name, i, problem, size);
    }
    return 0;
}

int check_addresses(const struct config *config, char *problem, size_t size)
{
    size_t count = config->listen.count + config->admin_listen.count;
    int *fds = malloc(count * sizeof(*fds));

    if (fds == NULL) {
        snprintf(problem, size, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        fds[i] = -1;
    int result = try_each(config, "listen", &config->listen, fds, problem, size);
    if (result == 0 && !config->admin_listen.untouched)
        result = try_each(config, "admin_listen", &config->admin_listen,
                          fds + config->listen.count, problem, size);
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            listen_close(fds[i]);
    }
    free(fds);
    return result;
}
