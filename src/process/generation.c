#include "process/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "process/heritage.h"
#include "process/worker.h"
#include "system/stats.h"

/* Workers in a row that are killed before they serve, and crashes by itself within this time
 * that make a slot wait before it gets another worker. */
#define CRASHES_MAX 5
#define CRASHES_WITHIN 10000 /* ms */
#define BACKOFF_FIRST 500
#define BACKOFF_LONGEST 30000

#define TRIAL_MS 30000 /* until all workers must serve */
#define GRACE_MS 10000 /* for workers that should have ended by themselves */
#define HEAR_EVERY_MS 50

struct slot {
    pid_t pid; /* 0: none */
    unsigned id;
    int cpu;
    unsigned crashes;
    unsigned killed_early; /* in a row, before they served */
    uint64_t first_crash;  /* clock_ms */
    uint64_t backoff;      /* ms to wait the next time */
    uint64_t start_at;     /* when it is to be started; 0: not */
    uint64_t turns;        /* of its loop, when they were last looked at */
    bool served;           /* the worker has said that it serves */
    bool replaced;         /* it had a worker before */
    bool hopeless;         /* not to be started again */
    bool reopen;           /* to be told to reopen its log once it serves */
};

struct generation {
    struct setup *setup;
    const struct parent *parent;
    int ready[2]; /* workers write their process id into it when they serve */
    int *listeners;
    bool trial, failed;
    bool leaving;      /* /health says so */
    bool ending;       /* no worker is started any more */
    uint64_t deadline; /* clock_ms, of the trial or of the end; 0: none */
    size_t slot_count;
    struct slot slots[];
};

struct generation *generation_new(struct setup *setup, const struct parent *parent)
{
    size_t count = setup->workers, listeners = sockets_count(setup->sockets);
    struct generation *generation =
        calloc(1, sizeof(*generation) + count * sizeof(struct slot));
    int *fds = calloc(listeners + 1, sizeof(int));

    if (generation == NULL || fds == NULL || pipe2(generation->ready, O_CLOEXEC | O_NONBLOCK)) {
        log_error("cannot make a generation of workers: %m");
        free(generation);
        free(fds);
        return NULL;
    }
    generation->setup = setup;
    generation->parent = parent;
    generation->listeners = fds;
    for (size_t i = 0; i < listeners; i++)
        fds[i] = sockets_fd(setup->sockets, i);
    generation->trial = true;
    generation->deadline = clock_ms() + TRIAL_MS;
    generation->slot_count = count;
    for (size_t i = 0; i < count; i++)
        generation->slots[i] = (struct slot){ .cpu = setup->cpus.cpus[i % setup->cpus.count],
                                              .start_at = 1,
                                              .backoff = BACKOFF_FIRST };
    return generation;
}

void generation_settle(struct generation *generation)
{
    generation->trial = false;
    generation->deadline = 0;
}

struct setup *generation_setup(const struct generation *generation)
{
    return generation->setup;
}

int generation_fd(const struct generation *generation)
{
    return generation->ready[0];
}

/* --- Starting workers */

/* In the child: keep only what is a worker's, and be one. */
static _Noreturn void become_worker(struct generation *generation, size_t place, unsigned id)
{
    const struct parent *parent = generation->parent;
    struct setup *setup = generation->setup;
    struct heritage heritage = {
        .config = setup->config,
        .engine = setup->engine,
        .listener_count = sockets_count(setup->sockets),
        .listeners = generation->listeners,
        .admin_from = sockets_admin_from(setup->sockets),
        .segment = roster_segment(setup->roster),
        .id = id,
        .slot = (int)place,
        .cpu = generation->slots[place].cpu,
        .cpus = setup->cpus,
        .ready_fd = generation->ready[1],
        .master_fd = parent->death_fd,
        .heartbeat = parent->heartbeat,
    };

    sig_reset();
    parent->leave(parent->arg, setup);
    close(generation->ready[0]);
    exit(worker_run(&heritage));
}

static void back_off(struct slot *slot)
{
    slot->start_at = clock_ms() + slot->backoff;
    slot->backoff = 2 * slot->backoff > BACKOFF_LONGEST ? BACKOFF_LONGEST : 2 * slot->backoff;
}

static void start_worker(struct generation *generation, size_t place)
{
    struct slot *slot = &generation->slots[place];
    struct roster *roster = generation->setup->roster;
    unsigned id = roster_free_id(roster);

    slot->start_at = 0;
    if (id == 0) {
        log_error("cannot start worker %zu: too many are not gone yet", place);
        back_off(slot);
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_worker(generation, place, id);
    if (pid < 0) {
        log_error("cannot start worker %zu: %m", place);
        back_off(slot);
        return;
    }
    roster_enter(roster, id, pid);
    stats_add(STATS_restarts, slot->replaced);
    if (slot->replaced)
        log_notice("worker %zu is replaced by process %d", place, (int)pid);
    slot->replaced = true;
    slot->pid = pid;
    slot->id = id;
}

/* A worker has said that it serves. */
static void note_served(struct generation *generation, struct slot *slot)
{
    slot->served = true;
    slot->killed_early = 0;
    slot->backoff = BACKOFF_FIRST;
    if (slot->reopen)
        kill(slot->pid, SIGUSR1);
    if (generation->leaving)
        kill(slot->pid, SIGWINCH);
    if (generation->ending)
        kill(slot->pid, SIGQUIT);
    slot->reopen = false;
}

void generation_hear(struct generation *generation)
{
    pid_t pid;

    while (read(generation->ready[0], &pid, sizeof(pid)) == (ssize_t)sizeof(pid)) {
        for (size_t i = 0; i < generation->slot_count; i++) {
            if (generation->slots[i].pid == pid)
                note_served(generation, &generation->slots[i]);
        }
    }
}

/* --- What becomes of workers that are gone */

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
static void refill(struct generation *generation, size_t place, bool served, int status)
{
    struct slot *slot = &generation->slots[place];
    uint64_t now = clock_ms();

    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_HOPELESS) {
        log_error("worker %zu is not started again: it says that it cannot work", place);
        slot->hopeless = true;
        generation->failed |= generation->trial;
        return;
    }
    /* Again and again before it serves: that may be for want of memory. */
    if (was_killed(status) &&
        (served || generation->trial || ++slot->killed_early < CRASHES_MAX)) {
        slot->start_at = now;
        return;
    }
    if (generation->trial && !served) {
        generation->failed = true;
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

void generation_reap(struct generation *generation, pid_t pid, int status)
{
    generation_hear(generation); /* it may have said that it serves since we last heard */
    for (size_t i = 0; i < generation->slot_count; i++) {
        struct slot *slot = &generation->slots[i];
        bool served = slot->served;

        if (slot->pid != pid)
            continue;
        roster_leave(generation->setup->roster, pid);
        slot->pid = 0;
        slot->served = slot->reopen = false;
        if (generation->ending)
            return;
        describe_end(i, pid, status);
        refill(generation, i, served, status);
        return;
    }
}

/* --- From time to time */

/* Nobody waits any longer: for a trial, or for processes to end. */
static void overdue(struct generation *generation)
{
    generation->deadline = 0;
    if (!generation->ending) {
        log_error("new workers do not serve within %d seconds", TRIAL_MS / 1000);
        generation->failed = true;
        return;
    }
    for (size_t i = 0; i < generation->slot_count; i++) {
        if (generation->slots[i].pid == 0)
            continue;
        log_error("worker %zu (pid %d) does not end and is killed", i,
                  (int)generation->slots[i].pid);
        kill(generation->slots[i].pid, SIGKILL);
    }
}

/* Whether there is a worker that cannot hear signals yet. */
static bool has_deaf(const struct generation *generation)
{
    for (size_t i = 0; i < generation->slot_count; i++) {
        if (generation->slots[i].pid != 0 && !generation->slots[i].served)
            return true;
    }
    return false;
}

int generation_tend(struct generation *generation)
{
    uint64_t now = clock_ms(), next;

    if (generation->ending)
        generation_hear(generation);
    if (generation->deadline != 0 && generation->deadline <= now)
        overdue(generation);
    next = generation->deadline == 0 ? UINT64_MAX : generation->deadline;
    for (size_t i = 0; i < generation->slot_count && !generation->ending; i++) {
        struct slot *slot = &generation->slots[i];

        if (slot->start_at != 0 && slot->start_at <= now)
            start_worker(generation, i);
        if (slot->start_at != 0 && slot->start_at < next)
            next = slot->start_at;
    }
    if (generation->ending && has_deaf(generation) && next > now + HEAR_EVERY_MS)
        next = now + HEAR_EVERY_MS;
    return next == UINT64_MAX ? -1 : next > now ? (int)(next - now) : 0;
}

bool generation_serves(const struct generation *generation)
{
    for (size_t i = 0; i < generation->slot_count; i++) {
        if (!generation->slots[i].served)
            return false;
    }
    return true;
}

bool generation_failed(const struct generation *generation)
{
    return generation->failed;
}

bool generation_empty(const struct generation *generation)
{
    for (size_t i = 0; i < generation->slot_count; i++) {
        if (generation->slots[i].pid != 0)
            return false;
    }
    return true;
}

bool generation_hopeless(const struct generation *generation)
{
    for (size_t i = 0; i < generation->slot_count; i++) {
        if (!generation->slots[i].hopeless)
            return false;
    }
    return true;
}

bool generation_alive(struct generation *generation)
{
    const struct segment *segment = roster_segment(generation->setup->roster);
    bool alive = true;

    for (size_t i = 0; i < generation->slot_count; i++) {
        struct slot *slot = &generation->slots[i];
        uint64_t turns = slot->served ? stats_turns(segment, slot->id) : 0;

        alive &= !slot->served || turns != slot->turns;
        slot->turns = turns;
    }
    return alive;
}

/* --- Telling all workers */

/* Those that can hear ${signo}; ${early} goes to those that cannot yet: 0 for nothing. */
static void tell(const struct generation *generation, int signo, int early)
{
    for (size_t i = 0; i < generation->slot_count; i++) {
        const struct slot *slot = &generation->slots[i];
        int which = slot->served ? signo : early;

        if (slot->pid > 0 && which != 0)
            kill(slot->pid, which);
    }
}

void generation_reopen(struct generation *generation)
{
    tell(generation, SIGUSR1, 0);
    for (size_t i = 0; i < generation->slot_count; i++) {
        struct slot *slot = &generation->slots[i];

        slot->reopen = slot->pid > 0 && !slot->served;
    }
}

void generation_leave(struct generation *generation)
{
    generation->leaving = true;
    tell(generation, SIGWINCH, 0);
}

void generation_drain(struct generation *generation)
{
    if (generation->ending)
        return;
    setup_leave_sockets(generation->setup);
    tell(generation, SIGQUIT, 0); /* note_served tells the others: they may serve by now */
    generation->ending = true;
    generation->deadline = clock_ms() + generation->setup->config->drain_timeout + GRACE_MS;
}

void generation_stop(struct generation *generation)
{
    setup_leave_sockets(generation->setup);
    tell(generation, SIGTERM, SIGTERM);
    generation->ending = true;
    generation->deadline = clock_ms() + GRACE_MS;
}

void generation_part(const struct generation *generation)
{
    if (generation == NULL)
        return;
    close(generation->ready[0]);
    close(generation->ready[1]);
}

void generation_free(struct generation *generation)
{
    if (generation == NULL)
        return;
    close(generation->ready[0]);
    close(generation->ready[1]);
    setup_free(generation->setup);
    free(generation->listeners);
    free(generation);
}
