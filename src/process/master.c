#include "process/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "base/title.h"
#include "process/daemonize.h"
#include "process/errorlog.h"
#include "process/heritage.h"
#include "process/pidfile.h"
#include "process/roster.h"
#include "process/worker.h"
#include "system/listen.h"
#include "system/stats.h"

/* Crashes by itself within this time that make a slot wait before it gets another worker, and
 * workers in a row that are killed before they serve. */
#define CRASHES_MAX 5
#define CRASHES_WITHIN 10000 /* ms */
#define BACKOFF_FIRST 500
#define BACKOFF_LONGEST 30000

/* Descriptors that a worker needs beside its connections and files. */
#define SPARE_FDS 64

struct slot {
    pid_t pid; /* 0: none */
    int cpu;
    int ready_fd; /* where the worker will say that it serves; else -1 */
    unsigned crashes;
    unsigned killed_early; /* in a row, before they served */
    uint64_t first_crash;  /* clock_ms */
    uint64_t backoff;      /* ms to wait the next time */
    uint64_t start_at;     /* when it is to be started; 0: not */
    bool served;           /* the worker has said that it serves */
    bool replaced;         /* it had a worker before */
    bool hopeless;         /* not to be started again */
    bool reopen;           /* to be told to reopen its log once it serves */
};

struct master {
    const struct config *config;
    const struct loop_engine *engine;
    int daemon_fd;  /* for daemonize_ready; -1: in the foreground, or said */
    bool announced; /* that all serve */
    bool background;
    struct pidfile *pidfile; /* NULL: none */
    int death[2];            /* a pipe whose end workers see when we are gone */
    size_t listener_count;
    int *listeners;
    struct cpu_list cpus;
    size_t slot_count;
    struct slot *slots;
    struct roster *roster;
    bool stopping;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Mappings that a process may have, but for some for the program itself. */
static uint64_t mappings_allowed(void)
{
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long long count = 65530;

    if (file != NULL) {
        if (fscanf(file, "%llu", &count) != 1)
            count = 65530;
        fclose(file);
    }
    return count > 2048 ? count - 1024 : count / 2;
}

/*
 * As many files as the hard limit allows; where they are too few for what is configured,
 * connections, series and mapped files share them: kept files must not leave none for
 * connections.
 */
static void fit_limits(struct config *config)
{
    uint64_t need =
        config->max_connections + config->max_mapped + config->max_series + SPARE_FDS;
    uint64_t mappings = mappings_allowed(), files;
    struct rlimit limit;

    if (config->max_mapped > mappings)
        config->max_mapped = mappings;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= need)
        return;

    files = limit.rlim_cur > 2 * SPARE_FDS ? limit.rlim_cur - SPARE_FDS : limit.rlim_cur / 2;
    config->max_connections = least(config->max_connections, files / 2 + 1);
    config->max_series = least(config->max_series, files / 8 + 1);
    config->max_mapped = least(config->max_mapped, files / 4 + 1);
    log_warn(
        "a process may open %llu files, of %llu that the configuration asks for: going on with "
        "max_connections %llu, max_series %llu, max_mapped %llu (ulimit -n raises the limit)",
        (unsigned long long)limit.rlim_cur, (unsigned long long)need,
        (unsigned long long)config->max_connections, (unsigned long long)config->max_series,
        (unsigned long long)config->max_mapped);
}

static int open_listeners(struct master *master)
{
    const struct config_list *addresses = &master->config->listen;
    char problem[512];

    master->listeners = calloc(addresses->count, sizeof(int));
    if (master->listeners == NULL)
        return -1;
    for (size_t i = 0; i < addresses->count; i++) {
        int fd = listen_open(addresses->items[i], (int)master->config->backlog, problem,
                             sizeof(problem));

        if (fd < 0) {
            log_error("%s", problem);
            return -1;
        }
        master->listeners[master->listener_count++] = fd;
    }
    return 0;
}

/* Which engine all workers use. */
static int choose_engine(struct master *master)
{
    char problem[256];

    master->engine = loop_choose((unsigned)master->config->engine, problem, sizeof(problem));
    if (master->engine == NULL)
        log_error("engine: io_uring cannot be used here: %s", problem);
    else if (problem[0] != '\0')
        log_notice("the engine is epoll, since io_uring cannot be used here: %s", problem);
    return master->engine == NULL ? -1 : 0;
}

static int make_slots(struct master *master)
{
    const struct config *config = master->config;
    struct cpu_list cpus;

    if (cpu_allowed(&cpus)) {
        log_error("cannot find out which cores there are: %m");
        return -1;
    }
    if (config->cpus[0] != '\0')
        cpu_parse(slice_of(config->cpus), &cpus);
    master->cpus = cpus;
    master->slot_count = config->workers == 0 ? cpus.count : config->workers;
    master->slots = calloc(master->slot_count, sizeof(struct slot));
    if (master->slots == NULL)
        return -1;
    for (size_t i = 0; i < master->slot_count; i++)
        master->slots[i] = (struct slot){ .cpu = cpus.cpus[i % cpus.count],
                                          .ready_fd = -1,
                                          .start_at = 1,
                                          .backoff = BACKOFF_FIRST };
    return 0;
}

/* In the child: keep only what is a worker's, and be one. */
static _Noreturn void become_worker(struct master *master, size_t place, unsigned id,
                                    int ready_fd)
{
    struct heritage heritage = {
        .config = master->config,
        .engine = master->engine,
        .listener_count = master->listener_count,
        .listeners = master->listeners,
        .segment = roster_segment(master->roster),
        .id = id,
        .slot = (int)place,
        .cpu = master->slots[place].cpu,
        .cpus = master->cpus,
        .ready_fd = ready_fd,
        .master_fd = master->death[0],
    };

    sig_reset();
    close(master->death[1]);
    if (master->daemon_fd >= 0)
        close(master->daemon_fd);
    for (size_t i = 0; i < master->slot_count; i++) {
        if (master->slots[i].ready_fd >= 0)
            close(master->slots[i].ready_fd);
    }
    int code = worker_run(&heritage);
    roster_free(master->roster);
    free(master->slots);
    free(master->listeners);
    exit(code);
}

static void back_off(struct slot *slot)
{
    slot->start_at = clock_ms() + slot->backoff;
    slot->backoff = 2 * slot->backoff > BACKOFF_LONGEST ? BACKOFF_LONGEST : 2 * slot->backoff;
}

static void start_worker(struct master *master, size_t place)
{
    struct slot *slot = &master->slots[place];
    unsigned id = roster_free_id(master->roster);
    int ready[2];

    slot->start_at = 0;
    if (id == 0) {
        log_error("cannot start worker %zu: too many are not gone yet", place);
        back_off(slot);
        return;
    }
    if (pipe2(ready, O_CLOEXEC)) {
        log_error("cannot start worker %zu: %m", place);
        back_off(slot);
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[0]);
        become_worker(master, place, id, ready[1]);
    }
    close(ready[1]);
    if (pid < 0) {
        log_error("cannot start worker %zu: %m", place);
        close(ready[0]);
        back_off(slot);
        return;
    }
    roster_enter(master->roster, id, pid);
    stats_add(STATS_restarts, slot->replaced);
    slot->replaced = true;
    slot->pid = pid;
    slot->ready_fd = ready[0];
    if (master->announced)
        log_notice("worker %zu is replaced by process %d", place, (int)pid);
}

static bool all_ready(const struct master *master)
{
    for (size_t i = 0; i < master->slot_count; i++) {
        if (!master->slots[i].served)
            return false;
    }
    return true;
}

static void announce(struct master *master)
{
    master->announced = true;
    log_notice("%zu worker%s serving %s", master->slot_count,
               master->slot_count == 1 ? " is" : "s are", master->config->data);
    if (master->daemon_fd >= 0)
        daemonize_ready(master->daemon_fd);
    master->daemon_fd = -1;
}

/* A worker has said that it serves, or died before it could. */
static void hear_ready(struct master *master, struct slot *slot)
{
    char byte;
    ssize_t n = read(slot->ready_fd, &byte, 1);

    close(slot->ready_fd);
    slot->ready_fd = -1;
    if (n <= 0)
        return; /* its death will be seen by wait */
    slot->served = true;
    slot->killed_early = 0;
    slot->backoff = BACKOFF_FIRST;
    if (slot->reopen)
        kill(slot->pid, SIGUSR1);
    slot->reopen = false;
    if (all_ready(master) && !master->announced && !master->stopping)
        announce(master);
}

/* Whether somebody else ended the process: that says nothing about the program. */
static bool was_killed(int status)
{
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM ||
                                   WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGHUP);
}

static void describe_end(size_t place, pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        log_error("worker %zu (pid %d) died of signal %d (%s)%s", place, (int)pid,
                  WTERMSIG(status), strsignal(WTERMSIG(status)),
                  WCOREDUMP(status) ? ", core dumped" : "");
    else
        log_error("worker %zu (pid %d) ended with exit code %d", place, (int)pid,
                  WEXITSTATUS(status));
}

/* Decide what becomes of the slot of a worker that is gone. */
static void bury_worker(struct master *master, size_t place, int status)
{
    struct slot *slot = &master->slots[place];
    uint64_t now = clock_ms();

    /* It may have said that it serves since we last heard. */
    slot->reopen = false;
    if (slot->ready_fd >= 0)
        hear_ready(master, slot);
    bool served = slot->served;
    if (!master->stopping)
        describe_end(place, slot->pid, status);
    slot->pid = 0;
    slot->served = false;
    if (master->stopping)
        return;

    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_HOPELESS) {
        log_error("worker %zu is not started again: it says that it cannot work", place);
        slot->hopeless = true;
        return;
    }
    /* Again and again before it serves: that may be for want of memory. */
    if (was_killed(status) && (served || ++slot->killed_early < CRASHES_MAX)) {
        slot->start_at = now;
        return;
    }
    if (slot->crashes == 0 || now - slot->first_crash > CRASHES_WITHIN) {
        slot->crashes = 0;
        slot->first_crash = now;
    }
    slot->crashes++;
    if (served && slot->crashes < CRASHES_MAX) {
        slot->start_at = now;
        return;
    }
    log_error("worker %zu keeps failing: the next one starts in %llu ms", place,
              (unsigned long long)slot->backoff);
    back_off(slot);
}

static void reap(struct master *master)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        roster_leave(master->roster, pid);
        for (size_t i = 0; i < master->slot_count; i++) {
            if (master->slots[i].pid == pid)
                bury_worker(master, i, status);
        }
    }
}

static void tell_workers(const struct master *master, int signo)
{
    for (size_t i = 0; i < master->slot_count; i++) {
        if (master->slots[i].pid > 0)
            kill(master->slots[i].pid, signo);
    }
}

/* The master first, so that the file is its. A worker that cannot hear signals yet is told when
 * it can. */
static void reopen_log(struct master *master)
{
    if (config_error_log(master->config) != CONFIG_ERROR_LOG_FILE) {
        log_notice("USR1: there is no log file to open again");
        return;
    }
    if (log_reopen() == 0)
        log_notice("the error log is opened again");
    for (size_t i = 0; i < master->slot_count; i++) {
        struct slot *slot = &master->slots[i];

        if (slot->pid > 0 && slot->served)
            kill(slot->pid, SIGUSR1);
        slot->reopen = slot->pid > 0 && !slot->served;
    }
}

/* Open sockets would take connections that nobody serves any more. */
static void close_listeners(struct master *master)
{
    while (master->listener_count > 0)
        listen_close(master->listeners[--master->listener_count]);
}

static void handle_signals(struct master *master)
{
    sig_collect();
    bool term = sig_take(SIGTERM), interrupt = sig_take(SIGINT), quit = sig_take(SIGQUIT);
    bool hangup = sig_take(SIGHUP);
    bool stop = term || interrupt || (hangup && !master->background);

    if (sig_take(SIGCHLD))
        reap(master);
    if (hangup && master->background)
        log_notice("HUP means nothing to tickd: it has no configuration file to read again");
    if (sig_take(SIGUSR1))
        reopen_log(master);
    if (sig_take(SIGUSR2))
        log_notice("USR2 means nothing to tickd yet");
    if (!stop && !quit)
        return;
    if (!master->stopping || stop)
        log_notice(stop ? "stopping" : "finishing what is under way, then stopping");
    master->stopping = true;
    close_listeners(master);
    tell_workers(master, stop ? SIGTERM : SIGQUIT);
}

/* Start what is due. Returns the milliseconds until the next is; -1 if none is waited for. */
static int start_due(struct master *master)
{
    uint64_t now = clock_ms(), next = UINT64_MAX;

    for (size_t i = 0; i < master->slot_count; i++) {
        struct slot *slot = &master->slots[i];

        if (slot->start_at != 0 && slot->start_at <= now)
            start_worker(master, i);
        if (slot->start_at != 0 && slot->start_at < next)
            next = slot->start_at;
    }
    return next == UINT64_MAX ? -1 : next > now ? (int)(next - now) : 0;
}

/* Whether there is nothing left to be master of. */
static bool is_done(const struct master *master)
{
    bool none = true, hope = false;

    for (size_t i = 0; i < master->slot_count; i++) {
        none &= master->slots[i].pid == 0;
        hope |= !master->slots[i].hopeless;
    }
    return none && (master->stopping || !hope);
}

static void wait_and_act(struct master *master, struct pollfd *polls, int signal_fd)
{
    int wait = master->stopping ? -1 : start_due(master);
    nfds_t count = 0;

    polls[count++] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
    for (size_t i = 0; i < master->slot_count; i++) {
        if (master->slots[i].ready_fd >= 0)
            polls[count++] =
                (struct pollfd){ .fd = master->slots[i].ready_fd, .events = POLLIN };
    }
    if (poll(polls, count, wait) <= 0)
        return;
    for (nfds_t p = 1; p < count; p++) {
        for (size_t i = 0; polls[p].revents != 0 && i < master->slot_count; i++) {
            if (master->slots[i].ready_fd == polls[p].fd)
                hear_ready(master, &master->slots[i]);
        }
    }
    handle_signals(master);
}

/* Nobody else may be master with this pid file. */
static int lock_pidfile(struct master *master)
{
    const char *path = master->config->pid_file;
    char problem[512];

    if (path[0] == '\0')
        return 0;
    master->pidfile = pidfile_lock(path, problem, sizeof(problem));
    if (master->pidfile == NULL)
        log_error("%s", problem);
    return master->pidfile == NULL ? -1 : 0;
}

/* Say who we are, in the pid file, and from now on speak to the log. */
static int go_public(const struct master *master)
{
    if (master->pidfile != NULL && pidfile_write(master->pidfile)) {
        log_error("cannot write the pid file %s: %m", master->config->pid_file);
        return -1;
    }
    return errorlog_open(master->config, master->background);
}

static int supervise(struct master *master)
{
    static const int signals[] = { SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
                                   SIGUSR1, SIGUSR2, SIGCHLD, 0 };
    struct pollfd *polls = calloc(master->slot_count + 1, sizeof(*polls));
    int signal_fd = sig_catch(signals);
    char name[LISTEN_NAME];

    if (polls == NULL || signal_fd < 0) {
        log_error("cannot catch signals: %m");
        free(polls);
        return EXIT_FAILURE;
    }
    if (go_public(master)) {
        free(polls);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < master->listener_count; i++)
        log_notice("listening on %s", listen_name(master->listeners[i], name));
    title_set("master %s", listen_name(master->listeners[0], name));
    while (!is_done(master))
        wait_and_act(master, polls, signal_fd);
    free(polls);
    if (master->stopping) {
        log_notice("stopped");
        return EXIT_SUCCESS;
    }
    log_error("no worker is left that could work: giving up");
    return EXIT_FAILURE;
}

int master_run(struct config *config, bool background)
{
    struct master master = {
        .config = config,
        .background = background,
        .daemon_fd = -1,
        .death = { -1, -1 },
    };
    int code = EXIT_FAILURE;

    if (background && (master.daemon_fd = daemonize_begin()) < 0) {
        log_error("cannot go into the background: %m");
        return code;
    }
    title_set("master");
    fit_limits(config);
    if (pipe2(master.death, O_CLOEXEC))
        log_error("cannot make a pipe: %m");
    else if (choose_engine(&master))
        code = WORKER_EXIT_HOPELESS;
    else if (lock_pidfile(&master) == 0 && make_slots(&master) == 0 &&
             open_listeners(&master) == 0 &&
             (master.roster = roster_new(config, master.slot_count)) != NULL)
        code = supervise(&master);

    close_listeners(&master);
    if (master.death[0] >= 0) {
        close(master.death[0]);
        close(master.death[1]);
    }
    pidfile_remove(master.pidfile);
    roster_free(master.roster);
    free(master.listeners);
    free(master.slots);
    return code;
}
