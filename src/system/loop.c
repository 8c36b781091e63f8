#include "system/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config.h"
#include "system/config.h"
#include "system/loop_engine.h"
#include "system/stats.h"

/*
 * What can be done at once stands in the ready list and is done after the callback that asked
 * for it has returned, each socket once a turn: that makes callbacks flat and turns fair.
 */

/* Bytes that a turn may move: a quarter of it while somebody asks for little, which was asked
 * for within so many milliseconds. */
#define TURN (512 << 10)
#define TURN_SHORT (128 << 10)
#define HURRY 20

#define ACCEPT_PAUSE 100  /* ms, when no more sockets can be had */
#define ACCEPT_REST 65536 /* connections that may wait when a listener is left */

const struct loop_engine *loop_choose(unsigned choice, char *problem, size_t size)
{
    problem[0] = '\0';
    if (choice == CONFIG_ENGINE_EPOLL)
        return &loop_epoll;
#ifdef WITH_LIBURING
    struct loop *trial = loop_new(&loop_uring);
    int error = errno;

    loop_free(trial);
    if (trial != NULL)
        return &loop_uring;
    snprintf(problem, size, "%s", strerror(error));
#else
    snprintf(problem, size, "it was left out when tickd was built");
#endif
    return choice == CONFIG_ENGINE_AUTO ? &loop_epoll : NULL;
}

struct loop *loop_new(const struct loop_engine *engine)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return NULL;
    loop->engine = engine;
    if (engine->open(loop)) {
        free(loop);
        return NULL;
    }
    loop->now = clock_ms();
    loop->woken = clock_ns();
    timers_init(&loop->timers, loop->now);
    loop->ready_end = &loop->ready;
    return loop;
}

static int add_source(struct loop *loop, struct loop_source like)
{
    struct loop_source *source = malloc(sizeof(*source));

    if (source == NULL)
        return -1;
    *source = like;
    if (loop->engine->arm(loop, source)) {
        free(source);
        return -1;
    }
    source->next = loop->sources;
    loop->sources = source;
    return 0;
}

int loop_listen(struct loop *loop, int fd, void (*accepted)(void *arg, int fd), void *arg)
{
    return add_source(
        loop,
        (struct loop_source){ .listening = true, .fd = fd, .accepted = accepted, .arg = arg });
}

int loop_watch(struct loop *loop, int fd, void (*ready)(void *arg), void *arg)
{
    return add_source(loop, (struct loop_source){ .fd = fd, .ready = ready, .arg = arg });
}

/* Take *link out of the sources; its memory goes when no event can name it. */
static void drop_source(struct loop *loop, struct loop_source **link)
{
    struct loop_source *source = *link;

    *link = source->next;
    source->next = loop->dropped;
    loop->dropped = source;
    loop->engine->disarm(loop, source);
    if (source->listening)
        close(source->fd);
    source->fd = -1;
}

/* Take what waits: there may be nobody else who would. */
static void accept_rest(struct loop_source *source)
{
    for (int left = ACCEPT_REST; left > 0; left--) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            source->accepted(source->arg, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

void loop_unlisten(struct loop *loop)
{
    for (struct loop_source **link = &loop->sources; *link != NULL;) {
        if ((*link)->listening) {
            accept_rest(*link);
            drop_source(loop, link);
        } else {
            link = &(*link)->next;
        }
    }
    timers_remove(&loop->timers, &loop->accept_pause);
}

void loop_unwatch(struct loop *loop, int fd)
{
    for (struct loop_source **link = &loop->sources; *link != NULL; link = &(*link)->next) {
        if (!(*link)->listening && (*link)->fd == fd) {
            drop_source(loop, link);
            return;
        }
    }
}

bool loop_listening(const struct loop *loop)
{
    const struct loop_source *source;

    for (source = loop->sources; source != NULL; source = source->next) {
        if (source->listening)
            return true;
    }
    for (source = loop->dropped; source != NULL; source = source->next) {
        if (source->listening && source->armed)
            return true;
    }
    return false;
}

int loop_add(struct loop *loop, struct loop_io *io, int fd, const struct loop_events *events)
{
    *io = (struct loop_io){ .events = events, .fd = fd };
    return loop->engine->add(loop, io);
}

/* Something was asked for: have it done unless an event must come first. */
static void asked(struct loop *loop, struct loop_io *io)
{
    if (!io->is_ready && loop->engine->can_act(io))
        loop_engine_ready(loop, io);
}

void loop_receive(struct loop *loop, struct loop_io *io)
{
    io->receiving = true;
    asked(loop, io);
}

void loop_send_file(struct loop *loop, struct loop_io *io, const struct iovec *iov, int count,
                    struct loop_file file)
{
    io->sending = true;
    io->iov = iov;
    io->iov_count = count;
    io->iov_bytes = 0;
    for (int i = 0; i < count; i++)
        io->iov_bytes += iov[i].iov_len;
    io->file = file;
    io->large = io->iov_bytes + file.len > LOOP_SMALL;
    asked(loop, io);
}

void loop_send(struct loop *loop, struct loop_io *io, const struct iovec *iov, int count)
{
    loop_send_file(loop, io, iov, count, (struct loop_file){ .fd = -1 });
}

/* Memory, to be followed by more if there is a file. */
static ssize_t send_memory(const struct loop_io *io)
{
    struct msghdr message = { .msg_iov = (struct iovec *)io->iov,
                              .msg_iovlen = (size_t)io->iov_count };
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (io->file.len > 0 ? MSG_MORE : 0);
    ssize_t count;

    do {
        count = sendmsg(io->fd, &message, flags);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static ssize_t send_file(const struct loop_io *io)
{
    off_t at = io->file.at;
    ssize_t count;

    do {
        count = sendfile(io->fd, io->file.fd, &at, io->file.len);
    } while (count < 0 && errno == EINTR);
    if (count == 0)
        return -EFAULT; /* cut off */
    return count < 0 ? -errno : count;
}

/* What fails behind bytes that were taken fails again when it is asked for next. */
ssize_t loop_engine_send(struct loop *loop, const struct loop_io *io)
{
    ssize_t count = io->iov_count > 0 ? send_memory(io) : 0;

    if (count >= 0 && (size_t)count == io->iov_bytes && io->file.len > 0) {
        ssize_t of_file = send_file(io);

        if (of_file > 0 || count == 0)
            count += of_file;
    }
    loop->moved += count > 0 ? (size_t)count : 0;
    return count;
}

size_t loop_share(const struct loop *loop)
{
    return loop->now - loop->hurried < HURRY ? TURN_SHORT : TURN;
}

void loop_hurry(struct loop *loop)
{
    loop->hurried = loop->now;
}

void loop_yield(struct loop *loop, struct loop_io *io)
{
    if (io->closing)
        return;
    io->yielding = true;
    loop_engine_ready(loop, io);
}

void loop_expire(struct loop *loop, struct loop_io *io, uint64_t ms)
{
    if (ms == 0)
        timers_unset(&io->timer);
    else
        timers_set(&loop->timers, &io->timer, loop->now + ms);
}

void loop_shutdown(struct loop_io *io)
{
    shutdown(io->fd, SHUT_WR);
}

void loop_close(struct loop *loop, struct loop_io *io)
{
    if (io->closing)
        return;
    io->closing = true;
    io->receiving = io->sending = io->yielding = false;
    timers_remove(&loop->timers, &io->timer);
    loop_engine_ready(loop, io); /* do_ready() passes it on to be buried, once no event can
                                    name it */
}

uint64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

uint64_t loop_woken(const struct loop *loop)
{
    return loop->woken;
}

void loop_engine_woken(struct loop *loop)
{
    loop->now = clock_ms();
    loop->woken = clock_ns();
}

static void release(struct loop *loop, struct loop_io *io)
{
    if (loop->engine->release(loop, io))
        loop_engine_closed(loop, io);
}

/*
 * Do what stood in the list when the turn began; what is asked for meanwhile waits for the next
 * turn, but for the answer to what was just received. Those whose turn it would have been, had
 * not others sent as much as may be sent in one, come first in the next.
 */
static void do_ready(struct loop *loop)
{
    struct loop_io *todo = loop->ready, *late = NULL, **late_end = &late;

    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    while (todo != NULL) {
        struct loop_io *io = todo;
        bool too_late = io->sending && !loop_engine_may_send(loop, io);

        todo = io->next_ready;
        if (io->yielding) {
            io->yielding = false;
            io->events->resumed(io);
        }
        if (!io->closing)
            loop->engine->act(loop, io);
        io->is_ready = false;
        if (io->closing) {
            release(loop, io);
        } else if (io->yielding || loop->engine->can_act(io)) {
            if (!too_late) {
                loop_engine_ready(loop, io);
                continue;
            }
            io->is_ready = true;
            *late_end = io;
            late_end = &io->next_ready;
        }
    }
    if (late == NULL)
        return;
    *late_end = loop->ready;
    if (loop->ready == NULL)
        loop->ready_end = late_end;
    loop->ready = late;
}

static void bury(struct loop *loop)
{
    while (loop->closed != NULL) {
        struct loop_io *io = loop->closed;

        loop->closed = io->next_ready;
        io->events->closed(io);
    }
    for (struct loop_source **link = &loop->dropped; *link != NULL;) {
        struct loop_source *source = *link;

        if (source->armed) {
            link = &source->next;
        } else {
            *link = source->next;
            free(source);
        }
    }
}

void loop_bury(struct loop *loop)
{
    struct loop_io *todo = loop->ready;

    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    while (todo != NULL) {
        struct loop_io *io = todo;

        todo = io->next_ready;
        io->is_ready = false;
        if (io->closing)
            release(loop, io);
        else
            loop_engine_ready(loop, io);
    }
    loop->engine->settle(loop);
    bury(loop);
}

static void set_accepting(struct loop *loop, bool accepting)
{
    if (loop->accept_paused == !accepting)
        return;
    loop->accept_paused = !accepting;
    for (struct loop_source *source = loop->sources; source != NULL; source = source->next) {
        if (!source->listening)
            continue;
        if (accepting)
            loop->engine->arm(loop, source);
        else
            loop->engine->disarm(loop, source);
    }
}

void loop_pause_accepting(struct loop *loop, uint64_t ms, void (*resumed)(void *arg), void *arg)
{
    loop->accept_resumed = resumed;
    loop->accept_arg = arg;
    set_accepting(loop, false);
    timers_set(&loop->timers, &loop->accept_pause, loop->now + ms);
}

void loop_engine_accepted(struct loop *loop, struct loop_source *source, int fd)
{
    if (fd >= 0) {
        source->accepted(source->arg, fd);
    } else if ((fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) &&
               !loop->accept_paused) {
        errno = -fd;
        log_error("cannot accept connections for a moment: %m");
        loop_pause_accepting(loop, ACCEPT_PAUSE, NULL, NULL);
    }
}

static void expire(void *arg, struct timer *timer)
{
    struct loop *loop = arg;

    if (timer == &loop->accept_pause) {
        set_accepting(loop, true);
        if (loop->accept_resumed != NULL)
            loop->accept_resumed(loop->accept_arg);
        return;
    }
    struct loop_io *io = (struct loop_io *)((char *)timer - offsetof(struct loop_io, timer));
    io->events->expired(io);
}

int loop_turn(struct loop *loop, int most)
{
    int wait = timers_wait(&loop->timers, clock_ms());

    if (loop->ready != NULL)
        wait = 0;
    else if (most >= 0 && (wait < 0 || wait > most))
        wait = most;
    loop->moved = 0;
    if (loop->engine->wait(loop, wait))
        return -1;
    do_ready(loop); /* first: what is there was in time, if it is the loop that is late */
    timers_expire(&loop->timers, loop->now, expire, loop);
    bury(loop);
    stats_time(STATS_turn_time, clock_ns() - loop->woken);
    return 0;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->sources != NULL)
        drop_source(loop, &loop->sources);
    loop_bury(loop);
    loop->engine->close(loop);
    while (loop->dropped != NULL) {
        struct loop_source *source = loop->dropped;

        loop->dropped = source->next;
        free(source);
    }
    free(loop);
}
