#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/loop_engine.h"
#include "system/loop_ring.h"

/*
 * The io_uring engine. What is to be done is written into the ring and handed in by the one
 * system call that also waits. Each socket is received from by one operation that completes as
 * often as something comes, into buffers that all sockets share and that are given back at
 * once: what nobody has asked for is copied aside, and the operation is cancelled until it is
 * asked for, so that no more than one burst is ever kept. A request so costs one submission, to
 * send the answer, and its share of one system call. Where nobody shares it, an answer that
 * completes at once would end the wait that hands it in, and a call of its own is cheaper.
 * Large answers go by calls of their own, too: io_uring has no sendfile, and what the ring
 * sends whenever there is room would have no measure.
 */

#define EVENTS_PER_TURN 256
#define LISTENERS_PER_TURN 16
#define FEW 2 /* completions in a turn for which handing in an answer gains nothing */

struct state {
    struct loop_ring *ring;
    int listeners;    /* an epoll, watched by the loop, of the sockets that are listened on */
    size_t releasing; /* sockets that are closed as soon as the kernel is through */
    bool few;         /* FEW completions, or less, came in this turn */
    bool sources_changed; /* one may be to be armed or cancelled */
};

/* The lowest bits of the pointer that a completion hands back say what it is of. */
enum { RECEIVE, SEND, SOURCE, CANCEL, TAG_MASK = 3 };

static uint64_t tag(const void *of, unsigned what)
{
    return (uint64_t)(uintptr_t)of | what;
}

/*
 * Connections are waited for by an epoll, and taken one at a time. Of the processes that
 * listen, the kernel wakes one; accepts in the ring would be woken in the name of a process
 * that is busy, stopped, or being killed, too, and then a connection waits until the next one
 * comes.
 */
static void accept_waiting(void *arg)
{
    struct loop *loop = arg;
    const struct state *state = loop->state;
    struct epoll_event events[LISTENERS_PER_TURN];
    int count = epoll_wait(state->listeners, events, LISTENERS_PER_TURN, 0);

    for (int i = 0; i < count; i++) {
        struct loop_source *source = events[i].data.ptr;

        if (source->fd < 0 || loop->accept_paused)
            continue; /* since the last one */
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        loop_engine_accepted(loop, source, fd < 0 ? -errno : fd);
    }
}

static int engine_open(struct loop *loop)
{
    struct state *state = calloc(1, sizeof(*state));

    if (state == NULL)
        return -1;
    loop->state = state;
    state->listeners = epoll_create1(EPOLL_CLOEXEC);
    state->ring = state->listeners < 0 ? NULL : loop_ring_new();
    if (state->ring != NULL && loop_watch(loop, state->listeners, accept_waiting, loop) == 0)
        return 0;

    int saved = errno;
    if (state->ring != NULL)
        loop_ring_free(state->ring);
    if (state->listeners >= 0)
        close(state->listeners);
    free(state);
    errno = saved;
    return -1;
}

static void engine_close(struct loop *loop)
{
    struct state *state = loop->state;

    loop_ring_free(state->ring);
    close(state->listeners);
    free(state);
}

/* --- Sources */

static bool cancel(struct state *state, uint64_t mark)
{
    return loop_ring_cancel(state->ring, mark, tag(NULL, CANCEL));
}

static int arm(struct loop *loop, struct loop_source *source)
{
    struct state *state = loop->state;
    struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = source };

    if (source->listening)
        return epoll_ctl(state->listeners, EPOLL_CTL_ADD, source->fd, &event);
    state->sources_changed = true;
    return 0;
}

static void disarm(struct loop *loop, struct loop_source *source)
{
    struct state *state = loop->state;

    if (source->listening)
        epoll_ctl(state->listeners, EPOLL_CTL_DEL, source->fd, NULL);
    else
        state->sources_changed = true;
}

static bool arm_now(struct state *state, struct loop_source *source)
{
    source->armed = loop_ring_poll(state->ring, source->fd, POLLIN, tag(source, SOURCE));
    return source->armed;
}

static bool cancel_source(struct state *state, struct loop_source *source)
{
    if (!source->armed || source->cancelled)
        return true;
    source->cancelled = cancel(state, tag(source, SOURCE));
    return source->cancelled;
}

/* Arm and cancel what has changed; what finds no room is tried again. */
static void update_sources(struct loop *loop)
{
    struct state *state = loop->state;
    bool done = true;

    for (struct loop_source *source = loop->sources; source != NULL; source = source->next) {
        if (!source->listening && !source->armed)
            done &= arm_now(state, source);
    }
    for (struct loop_source *source = loop->dropped; source != NULL; source = source->next)
        done &= cancel_source(state, source);
    state->sources_changed = !done;
}

/* --- Sockets */

static int add(struct loop *loop, struct loop_io *io)
{
    int domain = AF_UNIX;
    socklen_t len = sizeof(domain);

    (void)loop;
    /* Of a Unix socket, a receive that completes many times does not report an end that came
     * together with the last bytes (seen with Linux 6.18). */
    getsockopt(io->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    io->uring.once = domain == AF_UNIX;
    return 0;
}

static bool can_act(const struct loop_io *io)
{
    const struct loop_uring_io *uring = &io->uring;

    return (io->receiving && (!uring->receiving || uring->kept_len > 0 || uring->ended)) ||
           (io->sending && !uring->sending);
}

/* What finds no room is tried again in the next turn. */
static void start_receive(struct state *state, struct loop_io *io)
{
    struct loop_uring_io *uring = &io->uring;

    uring->receiving = loop_ring_receive(state->ring, io->fd, uring->once, tag(io, RECEIVE));
    uring->cancelled = false;
}

/* What came before it was asked for, first. */
static void receive(struct state *state, struct loop_io *io)
{
    struct loop_uring_io *uring = &io->uring;

    if (uring->kept_len > 0) {
        char *kept = uring->kept;
        size_t len = uring->kept_len;

        uring->kept = NULL;
        uring->kept_len = 0;
        io->receiving = false;
        io->events->received(io, kept, (ssize_t)len);
        free(kept);
    } else if (uring->ended) {
        io->receiving = false;
        io->events->received(io, NULL, uring->end);
    } else if (!uring->receiving) {
        start_receive(state, io);
    }
}

/* Without the ring. Returns false if there is no room in the socket. */
static bool transmit_now(struct loop *loop, struct loop_io *io)
{
    ssize_t count = loop_engine_send(loop, io);

    if (count == -EAGAIN)
        return false;
    io->sending = false;
    io->events->sent(io, count);
    return true;
}

/* What finds no room in the ring is tried again in the next turn. */
static void transmit(struct loop *loop, struct loop_io *io)
{
    struct loop_uring_io *uring = &io->uring;
    struct state *state = loop->state;

    if (uring->sent) {
        uring->sent = false;
        io->sending = false;
        io->events->sent(io, uring->count);
        return;
    }
    if ((io->large || io->file.len > 0 || state->few) && transmit_now(loop, io))
        return;
    if (io->large || io->file.len > 0) {
        uring->sending = loop_ring_poll(state->ring, io->fd, POLLOUT, tag(io, SEND));
        uring->polling = uring->sending;
        return;
    }
    uring->message = (struct msghdr){ .msg_iov = (struct iovec *)io->iov,
                                      .msg_iovlen = (size_t)io->iov_count };
    uring->sending = loop_ring_send(state->ring, io->fd, &uring->message, tag(io, SEND));
}

static void act(struct loop *loop, struct loop_io *io)
{
    if (io->receiving)
        receive(loop->state, io);
    if (io->sending && !io->uring.sending && loop_engine_may_send(loop, io))
        transmit(loop, io);
}

/* The operations have the file itself: they outlive its descriptor until they are cancelled. */
static bool release(struct loop *loop, struct loop_io *io)
{
    struct loop_uring_io *uring = &io->uring;
    struct state *state = loop->state;
    bool handed_in = true;

    if (uring->receiving && !uring->cancelled)
        handed_in &= cancel(state, tag(io, RECEIVE));
    if (uring->sending)
        handed_in &= cancel(state, tag(io, SEND));
    if (!handed_in)
        shutdown(io->fd, SHUT_RDWR); /* ends them as well, if less politely */
    close(io->fd);
    io->fd = -1;
    free(uring->kept);
    uring->kept = NULL;
    uring->kept_len = 0;
    uring->released = uring->receiving || uring->sending;
    state->releasing += uring->released;
    return !uring->released;
}

/* --- Completions */

/* Copy aside what nobody has asked for. */
static void keep(struct state *state, struct loop_io *io, const char *bytes, size_t len)
{
    struct loop_uring_io *uring = &io->uring;
    char *grown = realloc(uring->kept, uring->kept_len + len);

    if (grown == NULL) {
        uring->ended = true;
        uring->end = -ENOMEM;
    } else {
        memcpy(grown + uring->kept_len, bytes, len);
        uring->kept = grown;
        uring->kept_len += len;
    }
    if (uring->receiving && !uring->cancelled)
        uring->cancelled = cancel(state, tag(io, RECEIVE));
}

static void received(struct state *state, struct loop_io *io,
                     const struct loop_ring_event *event, bool quietly)
{
    struct loop_uring_io *uring = &io->uring;
    int res = event->result;

    uring->receiving = event->more;
    if (res > 0 && !io->closing && !uring->ended) {
        if (io->receiving && uring->kept_len == 0 && !quietly) {
            io->receiving = false;
            io->events->received(io, event->bytes, res);
        } else {
            keep(state, io, event->bytes, (size_t)res);
        }
    } else if (res <= 0 && res != -ENOBUFS && res != -ECANCELED && res != -EINTR &&
               res != -EAGAIN) {
        uring->ended = true;
        uring->end = res;
    }
}

static void sent(struct loop_io *io, int res, bool quietly)
{
    bool polling = io->uring.polling;

    io->uring.sending = io->uring.polling = false;
    if (!io->sending || polling || res == -EAGAIN || res == -EINTR)
        return;
    if (quietly) {
        io->uring.sent = true;
        io->uring.count = res;
        return;
    }
    io->sending = false;
    io->events->sent(io, res);
}

static void source_fired(struct loop *loop, struct loop_source *source,
                         const struct loop_ring_event *event, bool quietly)
{
    struct state *state = loop->state;

    if (!event->more) {
        source->armed = source->cancelled = false;
        state->sources_changed = true;
    }
    if (source->fd >= 0 && event->result >= 0 && !quietly)
        source->ready(source->arg);
}

/* Quietly: without callbacks. */
static void dispatch(struct loop *loop, const struct loop_ring_event *event, bool quietly)
{
    struct state *state = loop->state;
    uint64_t mark = event->mark;
    struct loop_io *io = (struct loop_io *)(uintptr_t)(mark & ~(uint64_t)TAG_MASK);

    switch (mark & TAG_MASK) {
    case RECEIVE:
        received(state, io, event, quietly);
        break;
    case SEND:
        sent(io, event->result, quietly);
        break;
    case SOURCE:
        source_fired(loop, (struct loop_source *)io, event, quietly);
        return;
    default:
        return;
    }
    if (!io->closing) {
        if (can_act(io))
            loop_engine_ready(loop, io);
    } else if (io->uring.released && !io->uring.receiving && !io->uring.sending) {
        io->uring.released = false;
        state->releasing--;
        loop_engine_closed(loop, io);
    }
}

/* --- Waiting */

static void reap(struct loop *loop, bool quietly)
{
    struct state *state = loop->state;
    struct loop_ring_event event;
    int left = EVENTS_PER_TURN;

    state->few = loop_ring_count(state->ring) <= FEW;
    while (left-- > 0 && loop_ring_next(state->ring, &event))
        dispatch(loop, &event, quietly);
}

static int wait_events(struct loop *loop, int ms)
{
    struct state *state = loop->state;

    if (state->sources_changed)
        update_sources(loop);
    if (loop_ring_wait(state->ring, ms))
        return -1;
    loop_engine_woken(loop);
    reap(loop, false);
    return 0;
}

/* Whether the kernel may still hold sockets that were closed. */
static bool is_unsettled(const struct loop *loop)
{
    const struct loop_source *source = loop->dropped;

    while (source != NULL && !source->armed)
        source = source->next;
    return source != NULL || ((const struct state *)loop->state)->releasing > 0;
}

static void settle(struct loop *loop)
{
    struct state *state = loop->state;

    while (is_unsettled(loop)) {
        if (state->sources_changed)
            update_sources(loop);
        if (loop_ring_wait(state->ring, -1))
            return;
        reap(loop, true);
    }
}

const struct loop_engine loop_uring = {
    .name = "io_uring",
    .open = engine_open,
    .close = engine_close,
    .arm = arm,
    .disarm = disarm,
    .add = add,
    .can_act = can_act,
    .act = act,
    .release = release,
    .wait = wait_events,
    .settle = settle,
};
