#include "process/upgrade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "process/takeover.h"

#define START_MS 60000 /* until it must serve */
#define TAKE_MS 10000  /* ... and have the pid file */
#define END_MS 5000    /* ... or be gone */

struct upgrade {
    enum upgrade_state state;
    char *path;
    char **argv;
    char *here;
    pid_t pid;
    int fd;
    uint64_t deadline; /* clock_ms; 0: none */
};

/* The program ${name} in the directories of PATH, to be freed; NULL if it is in none. */
static char *search(const char *name)
{
    const char *at = getenv("PATH");
    char *path = NULL;

    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ":");

        if (asprintf(&path, "%.*s/%s", (int)len, len == 0 ? "." : at, name) < 0)
            return NULL;
        if (path[0] == '/' && access(path, X_OK) == 0)
            return path;
        free(path);
        at += len + (at[len] == ':');
    }
    return NULL;
}

/* Where the program is that was started as ${name}, to be freed. The link in /proc is the last
 * resort: it leads past links, to a file that a new version may not replace. */
static char *find_program(const char *name, const char *here)
{
    char *path = NULL, real[4096];

    if (name != NULL && name[0] == '/')
        return strdup(name);
    if (name != NULL && strchr(name, '/') != NULL && here != NULL)
        return asprintf(&path, "%s/%s", here, name) < 0 ? NULL : path;
    if (name != NULL && strchr(name, '/') == NULL && (path = search(name)) != NULL)
        return path;
    ssize_t len = readlink("/proc/self/exe", real, sizeof(real) - 1);
    return len < 0 ? NULL : strndup(real, (size_t)len);
}

static char **copy_list(char **list)
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < count; i++) {
        if ((copy[i] = strdup(list[i])) != NULL)
            continue;
        while (i > 0)
            free(copy[--i]);
        free(copy);
        return NULL;
    }
    return copy;
}

struct upgrade *upgrade_new(char **argv, const char *here)
{
    struct upgrade *upgrade = calloc(1, sizeof(*upgrade));

    if (upgrade == NULL)
        return NULL;
    upgrade->fd = -1;
    upgrade->path = find_program(argv[0], here);
    upgrade->argv = copy_list(argv);
    upgrade->here = here == NULL ? NULL : strdup(here);
    if (upgrade->path != NULL && upgrade->argv != NULL &&
        (here == NULL || upgrade->here != NULL))
        return upgrade;
    upgrade_free(upgrade);
    return NULL;
}

/* In the child: be the new master. */
static _Noreturn void become_new(const struct upgrade *upgrade, int fd, const char *list,
                                 const struct sockets *sockets, const struct sockets *stock)
{
    char number[16];

    sig_reset();
    snprintf(number, sizeof(number), "%d", fd);
    sockets_pass(sockets);
    sockets_pass(stock);
    fcntl(fd, F_SETFD, 0);
    if (setenv("TICKD_LISTEN_FDS", list, 1) || setenv(TAKEOVER_VARIABLE, number, 1) ||
        unsetenv("WATCHDOG_PID"))
        log_error("out of memory");
    else if (upgrade->here != NULL && chdir(upgrade->here))
        log_error("cannot change to %s: %m", upgrade->here);
    else if (execv(upgrade->path, upgrade->argv))
        log_error("cannot run %s: %m", upgrade->path);
    _exit(EXIT_FAILURE);
}

int upgrade_begin(struct upgrade *upgrade, const struct sockets *sockets,
                  const struct sockets *stock)
{
    char *list = sockets_export(sockets, stock);
    int pair[2] = { -1, -1 };

    if (list == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
        (upgrade->pid = fork()) < 0) {
        log_error("cannot start the new binary: %m");
        upgrade->pid = 0;
        if (pair[0] >= 0) {
            close(pair[0]);
            close(pair[1]);
        }
        free(list);
        return -1;
    }
    if (upgrade->pid == 0)
        become_new(upgrade, pair[1], list, sockets, stock);
    free(list);
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    upgrade->fd = pair[0];
    upgrade->state = UPGRADE_STARTING;
    upgrade->deadline = clock_ms() + START_MS;
    log_notice("upgrade: process %d runs %s", (int)upgrade->pid, upgrade->path);
    return 0;
}

enum upgrade_state upgrade_state(const struct upgrade *upgrade)
{
    return upgrade->state;
}

pid_t upgrade_pid(const struct upgrade *upgrade)
{
    return upgrade->pid;
}

int upgrade_fd(const struct upgrade *upgrade)
{
    return upgrade->fd;
}

static void hang_up(struct upgrade *upgrade)
{
    if (upgrade->fd >= 0)
        close(upgrade->fd);
    upgrade->fd = -1;
}

/* No more of it. Its workers may have requests under way, and finish them. */
static void give_up(struct upgrade *upgrade)
{
    hang_up(upgrade);
    upgrade->state = upgrade->pid == 0 ? UPGRADE_FAILED : UPGRADE_ENDING;
    upgrade->deadline = clock_ms() + END_MS;
    if (upgrade->pid != 0)
        kill(upgrade->pid, SIGQUIT);
}

void upgrade_hear(struct upgrade *upgrade)
{
    char word;
    ssize_t n = recv(upgrade->fd, &word, 1, MSG_DONTWAIT);

    if (n == 1 && word == TAKEOVER_READY && upgrade->state == UPGRADE_STARTING) {
        upgrade->state = UPGRADE_READY;
    } else if (n == 1 && word == TAKEOVER_DONE && upgrade->state == UPGRADE_TAKING) {
        upgrade->state = UPGRADE_DONE;
        upgrade->deadline = 0;
        hang_up(upgrade);
    } else if (n >= 0) {
        log_error("upgrade: process %d does not take over", (int)upgrade->pid);
        give_up(upgrade);
    }
}

void upgrade_go(struct upgrade *upgrade)
{
    char word = TAKEOVER_GO;

    upgrade->state = UPGRADE_TAKING;
    upgrade->deadline = clock_ms() + TAKE_MS;
    if (send(upgrade->fd, &word, 1, MSG_NOSIGNAL) != 1)
        give_up(upgrade);
}

int upgrade_tend(struct upgrade *upgrade)
{
    uint64_t now = clock_ms();

    if (upgrade->deadline != 0 && upgrade->deadline <= now) {
        upgrade->deadline = 0;
        if (upgrade->state == UPGRADE_ENDING) {
            kill(upgrade->pid, SIGKILL);
        } else {
            log_error("upgrade: process %d takes too long", (int)upgrade->pid);
            give_up(upgrade);
        }
    }
    return upgrade->deadline == 0 ? -1 : (int)(upgrade->deadline - now);
}

void upgrade_reap(struct upgrade *upgrade, pid_t pid)
{
    if (pid != upgrade->pid || pid == 0)
        return;
    if (upgrade->state == UPGRADE_TAKING)
        upgrade_hear(upgrade); /* its last word */
    upgrade->pid = 0;
    if (upgrade->state != UPGRADE_DONE) {
        hang_up(upgrade);
        upgrade->state = UPGRADE_FAILED;
        upgrade->deadline = 0;
    }
}

void upgrade_cancel(struct upgrade *upgrade)
{
    if (upgrade->state > UPGRADE_IDLE && upgrade->state < UPGRADE_DONE)
        give_up(upgrade);
}

void upgrade_reset(struct upgrade *upgrade)
{
    upgrade->state = UPGRADE_IDLE;
    upgrade->deadline = 0;
}

void upgrade_free(struct upgrade *upgrade)
{
    if (upgrade == NULL)
        return;
    hang_up(upgrade);
    for (char **arg = upgrade->argv; arg != NULL && *arg != NULL; arg++)
        free(*arg);
    free(upgrade->argv);
    free(upgrade->path);
    free(upgrade->here);
    free(upgrade);
}
