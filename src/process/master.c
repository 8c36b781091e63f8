#include "process/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "base/title.h"
#include "process/check.h"
#include "process/daemonize.h"
#include "process/errorlog.h"
#include "process/generation.h"
#include "process/notify.h"
#include "process/pidfile.h"
#include "process/reload.h"
#include "process/setup.h"
#include "process/takeover.h"
#include "process/upgrade.h"
#include "process/worker.h"
#include "system/listen.h"

/* Generations that may drain at once; a reload waits until they are fewer. */
#define OLD_MAX 64

/*
 * All that happens to the master is noted by what it polls (signals, words of workers and of
 * other masters, the clock); what follows from it is decided in one place, advance(). At most
 * one of these is under way: the start, a reload, an upgrade, the end.
 */
struct master {
    const struct commandline *commandline;
    bool background;
    int daemon_fd; /* for daemonize_ready; -1: in the foreground, or said */
    struct parent parent;
    int death[2];            /* a pipe whose end workers see when we are gone */
    struct pidfile *pidfile; /* NULL: none */
    struct sockets *stock;   /* that we were started with */
    struct generation *current;
    struct generation *next; /* a reload is under way */
    struct generation *old[OLD_MAX];
    size_t old_count;
    struct upgrade *upgrade;
    int takeover_fd;    /* to the master that we are to replace; -1: none */
    bool takeover_said; /* to it, that all serve */
    bool announced;     /* to others */
    bool reload_wanted;
    bool upgrade_wanted;
    bool stopping;
    bool succeeded;    /* by a new master */
    bool failed;       /* so that the exit code says so */
    uint64_t drain_at; /* clock_ms: when QUIT is to have its effect; 0: not waiting for that */
    unsigned watchdog; /* ms between two signs of life for the service manager; 0: none */
    uint64_t watchdog_at;
};

static const struct config *config_of(const struct master *master)
{
    return generation_setup(master->current)->config;
}

static void sooner(int *wait, int ms)
{
    if (ms >= 0 && (*wait < 0 || ms < *wait))
        *wait = ms;
}

/* In a child: close what is the master's alone. */
static void leave_master(void *arg, const struct setup *mine)
{
    struct master *master = arg;
    struct generation *others[] = { master->current, master->next };

    close(master->death[1]);
    if (master->daemon_fd >= 0)
        close(master->daemon_fd);
    if (master->takeover_fd >= 0)
        close(master->takeover_fd);
    if (upgrade_fd(master->upgrade) >= 0)
        close(upgrade_fd(master->upgrade));
    sockets_drop_others(master->stock, mine->sockets);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (others[i] == NULL || generation_setup(others[i]) == mine)
            continue;
        generation_part(others[i]);
        sockets_drop_others(generation_setup(others[i])->sockets, mine->sockets);
    }
    for (size_t i = 0; i < master->old_count; i++)
        generation_part(master->old[i]);
    errorlog_follow(mine->config, config_of(master), master->background);
}

/* --- Saying where we are */

static bool has_fd(const struct sockets *sockets, int fd)
{
    for (size_t i = 0; sockets != NULL && i < sockets_count(sockets); i++) {
        if (sockets_fd(sockets, i) == fd)
            return true;
    }
    return false;
}

/* Log the sockets of ${sockets} that are not in ${others}. */
static void log_sockets(const char *what, const struct sockets *sockets,
                        const struct sockets *others)
{
    char name[LISTEN_NAME];

    for (size_t i = 0; i < sockets_count(sockets); i++) {
        int fd = sockets_fd(sockets, i);

        if (!has_fd(others, fd))
            log_notice("%s %s", what, listen_name(fd, name));
    }
}

static void show_title(const struct master *master)
{
    char name[LISTEN_NAME];

    title_set("master %s",
              listen_name(sockets_fd(generation_setup(master->current)->sockets, 0), name));
}

static void log_serving(const struct master *master)
{
    const struct setup *setup = generation_setup(master->current);

    log_notice("%zu worker%s serving %s", setup->workers, setup->workers == 1 ? " is" : "s are",
               setup->config->data);
    notify_send("READY=1\nMAINPID=%d\nSTATUS=%zu worker%s serving %s", (int)getpid(),
                setup->workers, setup->workers == 1 ? " is" : "s are", setup->config->data);
}

static void announce(struct master *master)
{
    master->announced = true;
    generation_settle(master->current);
    log_serving(master);
    if (master->daemon_fd >= 0)
        daemonize_ready(master->daemon_fd);
    master->daemon_fd = -1;
}

/* --- Reload */

static void retire(struct master *master, struct generation *generation)
{
    generation_drain(generation);
    master->old[master->old_count++] = generation;
}

static void stay(const struct master *master)
{
    roster_count_here(generation_setup(master->current)->roster);
    log_error("reload: it failed; the configuration of before stays in force");
    notify_send("READY=1");
}

static void begin_reload(struct master *master)
{
    master->reload_wanted = false;
    notify_reloading();
    struct setup *setup = reload_prepare(master->commandline, generation_setup(master->current),
                                         master->stock, master->background);
    if (setup != NULL && (master->next = generation_new(setup, &master->parent)) == NULL)
        setup_free(setup);
    if (master->next == NULL)
        stay(master);
}

static void give_up_reload(struct master *master)
{
    retire(master, master->next);
    master->next = NULL;
    stay(master);
}

/* The new workers serve: let the old ones go. */
static void commit_reload(struct master *master)
{
    struct generation *before = master->current;
    const struct setup *now = generation_setup(master->next);

    errorlog_follow(now->config, generation_setup(before)->config, master->background);
    log_sockets("listening on", now->sockets, generation_setup(before)->sockets);
    log_sockets("no longer listening on", generation_setup(before)->sockets, now->sockets);
    master->current = master->next;
    master->next = NULL;
    generation_settle(master->current);
    retire(master, before);
    show_title(master);
    log_notice("reloaded");
    log_serving(master);
}

static void advance_reload(struct master *master)
{
    if (generation_failed(master->next))
        give_up_reload(master);
    else if (generation_serves(master->next))
        commit_reload(master);
}

/* --- Upgrade, as the old master */

static void begin_upgrade(struct master *master)
{
    master->upgrade_wanted = false;
    if (upgrade_begin(master->upgrade, generation_setup(master->current)->sockets,
                      master->stock))
        log_error("upgrade: it failed; going on as before");
}

/* The pid file's other name, while a new master takes its own. */
static int move_pidfile(struct master *master, bool away)
{
    const char *path = config_of(master)->pid_file;
    char *other;

    if (master->pidfile == NULL)
        return 0;
    if (asprintf(&other, "%s.oldbin", path) < 0)
        return -1;
    int failed = pidfile_move(master->pidfile, away ? other : path);
    if (failed)
        log_error("cannot rename the pid file %s: %m", away ? path : other);
    free(other);
    return failed;
}

static void end_failed_upgrade(struct master *master)
{
    upgrade_reset(master->upgrade);
    if (master->pidfile != NULL && !pidfile_is_at(master->pidfile, config_of(master)->pid_file))
        move_pidfile(master, false);
    if (!master->stopping)
        log_error("upgrade: it failed; going on as before");
}

/* The new master serves, on the same sockets. */
static void be_succeeded(struct master *master)
{
    log_notice("upgrade: process %d has taken over; finishing what is under way",
               (int)upgrade_pid(master->upgrade));
    notify_send("MAINPID=%d", (int)upgrade_pid(master->upgrade));
    master->succeeded = master->stopping = true;
    sockets_lend(generation_setup(master->current)->sockets);
    generation_drain(master->current);
    upgrade_reset(master->upgrade);
}

static void advance_upgrade(struct master *master)
{
    switch (upgrade_state(master->upgrade)) {
    case UPGRADE_READY:
        if (move_pidfile(master, true))
            upgrade_cancel(master->upgrade);
        else
            upgrade_go(master->upgrade);
        break;
    case UPGRADE_DONE:
        be_succeeded(master);
        break;
    case UPGRADE_FAILED:
        end_failed_upgrade(master);
        break;
    default:
        break;
    }
}

/* --- Upgrade, as the new master */

/* Nobody else may be master with this pid file. */
static int lock_pidfile(struct master *master, const struct config *config)
{
    const char *path = config->pid_file;
    char problem[512];

    if (path[0] == '\0')
        return 0;
    master->pidfile = pidfile_lock(path, problem, sizeof(problem));
    if (master->pidfile == NULL)
        log_error("%s", problem);
    return master->pidfile == NULL ? -1 : 0;
}

static int write_pidfile(const struct master *master, const struct config *config)
{
    if (master->pidfile == NULL || pidfile_write(master->pidfile) == 0)
        return 0;
    log_error("cannot write the pid file %s: %m", config->pid_file);
    return -1;
}

/* This master is not to be: the old one goes on. */
static void give_up_start(struct master *master)
{
    master->stopping = master->failed = true;
    generation_drain(master->current);
}

static void take_over(struct master *master)
{
    if (lock_pidfile(master, config_of(master)) || write_pidfile(master, config_of(master))) {
        give_up_start(master);
        return;
    }
    sockets_claim(master->stock);
    takeover_done(master->takeover_fd);
    master->takeover_fd = -1;
    master->takeover_said = false;
    announce(master);
}

/* --- The end */

static void stop(struct master *master)
{
    log_notice("stopping");
    notify_send("STOPPING=1");
    master->stopping = true;
    master->failed |= master->takeover_fd >= 0;
    master->drain_at = 0;
    upgrade_cancel(master->upgrade);
    generation_stop(master->current);
    if (master->next != NULL)
        generation_stop(master->next);
    for (size_t i = 0; i < master->old_count; i++)
        generation_stop(master->old[i]);
}

static void drain(struct master *master)
{
    master->drain_at = 0;
    generation_drain(master->current);
}

/* First let those know who ask whether they should come, then close the doors. Told so again,
 * do not wait. */
static void quit(struct master *master)
{
    uint64_t delay = config_of(master)->drain_delay;

    if (master->stopping) {
        if (master->drain_at != 0)
            drain(master);
        return;
    }
    log_notice("finishing what is under way, then stopping");
    notify_send("STOPPING=1");
    master->stopping = true;
    upgrade_cancel(master->upgrade);
    if (master->next != NULL)
        generation_drain(master->next);
    if (master->takeover_fd >= 0) { /* the server goes on without us */
        master->failed = true;
        drain(master);
        return;
    }
    generation_leave(master->current);
    if (delay > 0 && master->announced)
        master->drain_at = clock_ms() + delay;
    else
        drain(master);
}

/* Whether there is nothing left to be master of. */
static bool is_done(const struct master *master)
{
    return generation_empty(master->current) && master->drain_at == 0 && master->next == NULL &&
           master->old_count == 0 && upgrade_state(master->upgrade) == UPGRADE_IDLE &&
           (master->stopping || generation_hopeless(master->current));
}

/* --- What happens */

static void reap(struct master *master)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        upgrade_reap(master->upgrade, pid);
        generation_reap(master->current, pid, status);
        if (master->next != NULL)
            generation_reap(master->next, pid, status);
        for (size_t i = 0; i < master->old_count; i++)
            generation_reap(master->old[i], pid, status);
    }
}

/* The master first, so that the file is its. */
static void reopen_log(struct master *master)
{
    if (config_error_log(config_of(master)) != CONFIG_ERROR_LOG_FILE) {
        log_notice("USR1: there is no log file to open again");
        return;
    }
    if (log_reopen() == 0)
        log_notice("the error log is opened again");
    generation_reopen(master->current);
    if (master->next != NULL)
        generation_reopen(master->next);
    for (size_t i = 0; i < master->old_count; i++)
        generation_reopen(master->old[i]);
}

static void handle_hangup(struct master *master)
{
    if (master->commandline->file != NULL) {
        log_notice("HUP: reading %s again", master->commandline->file);
        master->reload_wanted = true;
    } else if (master->background) {
        log_notice("HUP means nothing to tickd: it has no configuration file to read again");
    } else {
        stop(master);
    }
}

static void handle_signals(struct master *master)
{
    sig_collect();
    bool term = sig_take(SIGTERM), interrupt = sig_take(SIGINT);

    if (sig_take(SIGCHLD))
        reap(master);
    if (sig_take(SIGUSR1))
        reopen_log(master);
    if (term || interrupt)
        stop(master);
    if (sig_take(SIGQUIT))
        quit(master);
    if (sig_take(SIGHUP) && (!master->stopping || master->commandline->file == NULL))
        handle_hangup(master);
    if (sig_take(SIGUSR2) && !master->stopping) {
        log_notice("USR2: a new binary is to take over");
        master->upgrade_wanted = true;
    }
}

/* Ping the service manager, unless a worker is stuck: then it does what it is told to do. */
static void keep_watch(struct master *master)
{
    uint64_t now = clock_ms();

    if (master->watchdog == 0 || master->stopping || now < master->watchdog_at)
        return;
    master->watchdog_at = now + master->watchdog;
    if (generation_alive(master->current))
        notify_send("WATCHDOG=1");
}

static void free_old(struct master *master)
{
    size_t kept = 0;

    for (size_t i = 0; i < master->old_count; i++) {
        if (generation_empty(master->old[i]))
            generation_free(master->old[i]);
        else
            master->old[kept++] = master->old[i];
    }
    master->old_count = kept;
}

/* What becomes of the workers of the start. */
static void advance_start(struct master *master)
{
    if (master->takeover_fd >= 0 && generation_failed(master->current))
        give_up_start(master);
    else if (generation_serves(master->current) && master->takeover_fd < 0)
        announce(master);
    else if (generation_serves(master->current) && !master->takeover_said) {
        master->takeover_said = true;
        takeover_ready(master->takeover_fd);
    }
}

/* What follows from what has happened. */
static void advance(struct master *master)
{
    free_old(master);
    advance_upgrade(master);
    if (master->stopping) {
        if (master->drain_at != 0 && master->drain_at <= clock_ms())
            drain(master);
        if (master->next != NULL && generation_empty(master->next)) {
            generation_free(master->next);
            master->next = NULL;
        }
        return;
    }
    if (!master->announced)
        advance_start(master);
    else if (master->next != NULL)
        advance_reload(master);
    else if (upgrade_state(master->upgrade) != UPGRADE_IDLE)
        return;
    else if (master->upgrade_wanted)
        begin_upgrade(master);
    else if (master->reload_wanted && master->old_count < OLD_MAX - 1)
        begin_reload(master);
}

/* See to all that time brings. Returns how long nothing more is due, in milliseconds; -1: for
 * ever. */
static int tend(struct master *master)
{
    uint64_t now = clock_ms();
    int wait = generation_tend(master->current);

    if (master->next != NULL)
        sooner(&wait, generation_tend(master->next));
    for (size_t i = 0; i < master->old_count; i++)
        sooner(&wait, generation_tend(master->old[i]));
    sooner(&wait, upgrade_tend(master->upgrade));
    keep_watch(master);
    if (master->watchdog != 0)
        sooner(&wait, (int)master->watchdog);
    if (master->drain_at != 0)
        sooner(&wait, master->drain_at > now ? (int)(master->drain_at - now) : 0);
    return wait;
}

static void wait_and_act(struct master *master, int signal_fd)
{
    int wait = tend(master);
    struct pollfd polls[] = {
        { .fd = signal_fd, .events = POLLIN },
        { .fd = generation_fd(master->current), .events = POLLIN },
        { .fd = master->next == NULL ? -1 : generation_fd(master->next), .events = POLLIN },
        { .fd = upgrade_fd(master->upgrade), .events = POLLIN },
        { .fd = master->takeover_said ? master->takeover_fd : -1, .events = POLLIN },
    };

    if (poll(polls, sizeof(polls) / sizeof(*polls), wait) > 0) {
        if (polls[1].revents != 0)
            generation_hear(master->current);
        if (polls[2].revents != 0)
            generation_hear(master->next);
        if (polls[3].revents != 0)
            upgrade_hear(master->upgrade);
        if (polls[4].revents != 0 && !master->stopping && takeover_may_go(master->takeover_fd))
            take_over(master);
        handle_signals(master);
    }
    advance(master);
}

/* --- From start to end */

static int supervise(struct master *master, const struct config *config)
{
    static const int signals[] = { SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
                                   SIGUSR1, SIGUSR2, SIGCHLD, 0 };
    int signal_fd = sig_catch(signals);

    if (signal_fd < 0) {
        log_error("cannot catch signals: %m");
        return EXIT_FAILURE;
    }
    /* Say who we are, in the pid file, and from now on speak to the log. */
    if (write_pidfile(master, config) || errorlog_open(config, master->background))
        return EXIT_FAILURE;
    log_sockets("listening on", generation_setup(master->current)->sockets, NULL);
    show_title(master);
    while (!is_done(master))
        wait_and_act(master, signal_fd);
    if (master->stopping) {
        log_notice("stopped");
        return master->failed ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    log_error("no worker is left that could work: giving up");
    return EXIT_FAILURE;
}

/* Get all that is needed for the first workers. ${config} is given away, or freed. */
static int prepare(struct master *master, struct config *config)
{
    struct setup *setup = NULL;

    if (pipe2(master->death, O_CLOEXEC))
        log_error("cannot make a pipe: %m");
    else if (master->takeover_fd >= 0 || lock_pidfile(master, config) == 0)
        setup = setup_new(config, NULL, master->stock);
    if (setup == NULL) {
        config_free(config);
        return -1;
    }
    master->watchdog = notify_watchdog();
    master->parent = (struct parent){
        .death_fd = master->death[0],
        .heartbeat = master->watchdog == 0 ? -1 : (int)(master->watchdog + 1) / 2,
        .leave = leave_master,
        .arg = master,
    };
    master->current = generation_new(setup, &master->parent);
    if (master->current == NULL)
        setup_free(setup);
    else if (master->takeover_fd < 0)
        generation_settle(master->current);
    return master->current == NULL ? -1 : 0;
}

/* Into the background, unless the master that we replace is there. */
static int go_into_background(struct master *master)
{
    if (master->takeover_fd >= 0) {
        if (chdir("/"))
            log_warn("cannot change to /: %m");
        return 0;
    }
    master->daemon_fd = daemonize_begin(sockets_last(master->stock));
    if (master->daemon_fd < 0)
        log_error("cannot go into the background: %m");
    return master->daemon_fd < 0 ? -1 : 0;
}

static void let_go(struct master *master)
{
    if (master->current != NULL)
        setup_leave_sockets(generation_setup(master->current));
    for (int i = 0; i < 2; i++) {
        if (master->death[i] >= 0)
            close(master->death[i]);
    }
    pidfile_remove(master->pidfile);
    generation_free(master->current);
    sockets_free(master->stock);
    upgrade_free(master->upgrade);
}

int master_run(const struct commandline *commandline, struct config *config, char **argv)
{
    struct master master = {
        .commandline = commandline,
        .background = !commandline->foreground,
        .daemon_fd = -1,
        .death = { -1, -1 },
        .takeover_fd = takeover_begin(),
        .upgrade = upgrade_new(argv, commandline->here),
        .stock = sockets_inherited(),
    };
    char problem[512];
    int code = EXIT_FAILURE;

    if (master.upgrade == NULL)
        log_error("out of memory");
    if (master.upgrade == NULL || master.stock == NULL ||
        (master.background && go_into_background(&master))) {
        config_free(config);
    } else {
        title_init(argv);
        title_set("master");
        if (check_engine(config, problem, sizeof(problem))) {
            log_error("%s", problem);
            config_free(config);
            code = WORKER_EXIT_HOPELESS;
        } else if (prepare(&master, config) == 0) {
            code = supervise(&master, config);
        }
    }
    let_go(&master);
    return code;
}
