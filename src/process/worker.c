#include "process/worker.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sig.h"
#include "base/title.h"
#include "http/conn_pool.h"
#include "process/selftest.h"
#include "store/store.h"
#include "system/accesslog.h"
#include "system/helper.h"
#include "system/loop.h"
#include "system/stats.h"

struct worker {
    const struct heritage *heritage;
    struct loop *loop;
    struct helper *helper;
    struct store *store;
    struct prepared *prepared;
    struct api api;
    struct conn_pool *conns;
    struct accesslog *log;   /* NULL: none */
    bool stopping;           /* at once */
    uint64_t drain_deadline; /* clock_ms; 0: not draining */
    size_t enough;  /* connections up to which it takes new ones without a look at others ... */
    size_t had;     /* ... as long as it has more than this: then, none of those has closed */
    size_t unasked; /* how many it took so last; 0: it is not ahead */
    uint64_t least; /* connections of the least busy worker when it left the last ones to it */
};

/* Time for the first answer, which nobody asked for, in milliseconds. */
#define ANSWER_WITHIN 10000

/* Connections by which a worker may be ahead of the least busy one: so many, or this share of
 * its own. */
#define AHEAD 4
#define AHEAD_SHARE 8

/* How long it then leaves new ones to others, in milliseconds. Should the least busy one not
 * take any meanwhile, it takes some itself before it looks again: each time twice as many. */
#define LEAVE 10

static size_t most_ahead(size_t count)
{
    return count / AHEAD_SHARE > AHEAD ? count / AHEAD_SHARE : AHEAD;
}

static uint64_t least_busy(const struct worker *worker)
{
    return stats_least(worker->heritage->segment, STATS_connections, STATS_accepting);
}

static void on_back(void *arg)
{
    struct worker *worker = arg;
    uint64_t least = least_busy(worker);

    worker->unasked = least > worker->least ? 1 : 2 * worker->unasked;
    worker->least = least;
    worker->had = conn_pool_count(worker->conns);
    worker->enough = worker->had + worker->unasked;
}

static void on_accepted(void *arg, int fd)
{
    struct worker *worker = arg;

    conn_pool_accept(worker->conns, fd);
    size_t count = conn_pool_count(worker->conns);
    if (count > worker->had && count < worker->enough)
        return;
    uint64_t least = least_busy(worker);
    if (count < most_ahead(count) + least) {
        worker->enough = worker->unasked = 0;
        return;
    }
    if (worker->unasked == 0) {
        worker->unasked = 1;
        worker->least = least;
    }
    loop_pause_accepting(worker->loop, LEAVE, on_back, worker);
}

static void on_admin_accepted(void *arg, int fd)
{
    struct worker *worker = arg;

    conn_pool_accept_admin(worker->conns, fd);
}

static void drain(struct worker *worker)
{
    if (worker->drain_deadline != 0)
        return;
    worker->drain_deadline = clock_ms() + worker->heritage->config->drain_timeout;
    title_set("worker %d (draining)", worker->heritage->slot);
    stats_set(STATS_accepting, 0);
    loop_unlisten(worker->loop);
    conn_pool_drain(worker->conns);
}

static void on_master_gone(void *arg)
{
    struct worker *worker = arg;

    log_warn("worker %d: the master is gone; finishing what is under way",
             worker->heritage->slot);
    loop_unwatch(worker->loop, worker->heritage->master_fd);
    /* Who drains already may have a successor. */
    worker->api.leaving |= worker->drain_deadline == 0;
    drain(worker);
}

static void reopen_logs(struct worker *worker)
{
    log_reopen();
    if (worker->log != NULL)
        accesslog_reopen(worker->log);
}

static void on_signal(void *arg)
{
    struct worker *worker = arg;

    sig_collect();
    bool term = sig_take(SIGTERM), interrupt = sig_take(SIGINT);

    worker->stopping |= term || interrupt;
    worker->api.leaving |= sig_take(SIGWINCH);
    if (sig_take(SIGQUIT))
        drain(worker);
    if (sig_take(SIGUSR1))
        reopen_logs(worker);
}

static void on_log_due(void *arg)
{
    struct worker *worker = arg;

    accesslog_due(worker->log);
}

static void on_helped(void *arg)
{
    struct worker *worker = arg;

    store_begin(worker->store, loop_now(worker->loop), clock_wall());
    helper_reap(worker->helper);
}

static bool is_done(const struct worker *worker)
{
    if (worker->stopping)
        return true;
    return worker->drain_deadline != 0 &&
           ((conn_pool_count(worker->conns) == 0 && !loop_listening(worker->loop)) ||
            clock_ms() >= worker->drain_deadline);
}

/* Returns 0, or -1 after a message. */
static int open_access_log(struct worker *worker)
{
    const struct config *config = worker->heritage->config;

    if (config->access_log[0] == '\0')
        return 0;
    worker->log =
        accesslog_new(config->access_log, (unsigned)config->access_log_format, worker->helper);
    if (worker->log == NULL ||
        loop_watch(worker->loop, accesslog_fd(worker->log), on_log_due, worker)) {
        log_error("worker %d: cannot open the access log %s: %m", worker->heritage->slot,
                  config->access_log);
        return -1;
    }
    conn_pool_log(worker->conns, worker->log);
    return 0;
}

static int serve(struct worker *worker)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGWINCH, 0 };
    const struct heritage *heritage = worker->heritage;
    int signal_fd = sig_catch(signals);
    pid_t me = getpid();

    /* Before anybody counts on it, and before anything is counted. */
    if (!selftest_answers(worker->loop, worker->conns, ANSWER_WITHIN)) {
        log_error("worker %d does not answer", heritage->slot);
        return WORKER_EXIT_FAILED;
    }
    stats_attach(heritage->segment, heritage->id, (unsigned)heritage->slot);
    if (open_access_log(worker))
        return WORKER_EXIT_FAILED;
    for (size_t i = 0; i < heritage->listener_count; i++) {
        if (loop_listen(worker->loop, heritage->listeners[i],
                        i < heritage->admin_from ? on_accepted : on_admin_accepted, worker)) {
            log_error("worker %d: cannot wait for connections: %m", heritage->slot);
            return WORKER_EXIT_HOPELESS;
        }
    }
    if (signal_fd < 0 || loop_watch(worker->loop, signal_fd, on_signal, worker) ||
        loop_watch(worker->loop, heritage->master_fd, on_master_gone, worker)) {
        log_error("worker %d: cannot watch for signals: %m", heritage->slot);
        return WORKER_EXIT_HOPELESS;
    }
    if (loop_watch(worker->loop, helper_fd(worker->helper), on_helped, worker)) {
        log_error("worker %d: cannot watch its helpers: %m", heritage->slot);
        return WORKER_EXIT_HOPELESS;
    }
    if (write(heritage->ready_fd, &me, sizeof(me)) != sizeof(me)) {
        log_error("worker %d: the master does not listen", heritage->slot);
        return WORKER_EXIT_FAILED;
    }
    close(heritage->ready_fd);
    stats_set(STATS_accepting, 1);

    while (!is_done(worker)) {
        /* Whoever drains looks at the clock now and then. */
        if (loop_turn(worker->loop, worker->drain_deadline != 0 ? 100 : heritage->heartbeat)) {
            log_error("worker %d: the event loop failed: %m", heritage->slot);
            return WORKER_EXIT_FAILED;
        }
    }
    return WORKER_EXIT_OK;
}

int worker_run(const struct heritage *heritage)
{
    struct worker worker = { .heritage = heritage };
    struct facts facts;
    int code = WORKER_EXIT_HOPELESS;

    title_set("worker %d", heritage->slot);
    stats_detach();
    if (heritage->cpu >= 0 && cpu_pin(heritage->cpu))
        log_warn("worker %d cannot be pinned to core %d: %m", heritage->slot, heritage->cpu);
    if (guard_install()) {
        log_error("worker %d: cannot catch SIGBUS: %m", heritage->slot);
        return code;
    }

    worker.loop = loop_new(heritage->engine);
    facts_attach(&facts, heritage->segment, heritage->id);
    worker.helper = helper_new((unsigned)heritage->config->helpers, &heritage->cpus);
    if (worker.helper != NULL)
        worker.store = store_new(heritage->config, &facts, worker.helper);
    if (worker.store != NULL)
        worker.prepared = prepared_new(worker.store, heritage->config->answer_cache);
    worker.api = (struct api){ .config = heritage->config,
                               .store = worker.store,
                               .prepared = worker.prepared,
                               .segment = heritage->segment };
    if (worker.loop != NULL && worker.prepared != NULL)
        worker.conns = conn_pool_new(worker.loop, &worker.api, heritage->config);
    if (worker.conns == NULL)
        log_error("worker %d cannot start: %m", heritage->slot);
    else
        code = serve(&worker);

    conn_pool_free(worker.conns);
    accesslog_free(worker.log);
    prepared_free(worker.prepared);
    store_free(worker.store);
    helper_free(worker.helper);
    loop_free(worker.loop);
    return code;
}
