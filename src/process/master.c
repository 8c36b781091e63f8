#include "process/master.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "base/title.h"
#include "process/announce.h"
#include "process/check.h"
#include "process/daemonize.h"
#include "process/errorlog.h"
#include "process/notify.h"
#include "process/reload.h"
#include "process/setup.h"
#include "process/state.h"
#include "process/succession.h"
#include "process/takeover.h"
#include "process/worker.h"

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
    errorlog_follow(mine->config, state_config(master), master->background);
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
    uint64_t delay = state_config(master)->drain_delay;

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
    bool error_log = config_error_log(state_config(master)) == CONFIG_ERROR_LOG_FILE;

    if (!error_log && state_config(master)->access_log[0] == '\0') {
        log_notice("USR1: there is no log file to open again");
        return;
    }
    if (log_reopen() == 0)
        log_notice("the %s log is opened again", error_log ? "error" : "access");
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
        succession_refuse(master);
    else if (generation_serves(master->current) && master->takeover_fd < 0)
        announce_started(master);
    else if (generation_serves(master->current) && !master->takeover_said) {
        master->takeover_said = true;
        takeover_ready(master->takeover_fd);
    }
}

/* What follows from what has happened. */
static void advance(struct master *master)
{
    free_old(master);
    succession_advance(master);
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
        reload_advance(master);
    else if (upgrade_state(master->upgrade) != UPGRADE_IDLE)
        return;
    else if (master->upgrade_wanted)
        succession_begin(master);
    else if (master->reload_wanted && master->old_count < OLD_MAX - 1)
        reload_begin(master);
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
            succession_take(master);
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
    if (succession_write(master, config) || errorlog_open(config, master->background))
        return EXIT_FAILURE;
    announce_sockets("listening on", generation_setup(master->current)->sockets, NULL);
    announce_title(master);
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
    else if (master->takeover_fd >= 0 || succession_lock(master, config) == 0)
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
