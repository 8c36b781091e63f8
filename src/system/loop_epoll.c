#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/loop_engine.h"

/*
 * The epoll engine. Sockets are registered once, edge-triggered, and what is known of them is
 * kept in readable and writable, so that a request costs one recv, one sendmsg and its share of
 * one epoll_wait.
 */

#define EVENTS_PER_TURN 256
#define RECEIVE_BYTES 65536

struct state {
    int epoll;
    char receive[RECEIVE_BYTES];
};

static int epoll_of(const struct loop *loop)
{
    return ((const struct state *)loop->state)->epoll;
}

static int engine_open(struct loop *loop)
{
    struct state *state = malloc(sizeof(*state));

    if (state == NULL)
        return -1;
    state->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (state->epoll < 0) {
        free(state);
        return -1;
    }
    loop->state = state;
    return 0;
}

static void engine_close(struct loop *loop)
{
    close(epoll_of(loop));
    free(loop->state);
}

/* epoll hands back one pointer; its lowest bit says what it points to. */
static void *tag_source(struct loop_source *source)
{
    return (char *)source + 1;
}

static int arm(struct loop *loop, struct loop_source *source)
{
    uint32_t events = source->listening ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN;
    struct epoll_event event = { .events = events, .data.ptr = tag_source(source) };

    return epoll_ctl(epoll_of(loop), EPOLL_CTL_ADD, source->fd, &event);
}

static void disarm(struct loop *loop, struct loop_source *source)
{
    epoll_ctl(epoll_of(loop), EPOLL_CTL_DEL, source->fd, NULL);
}

static int add(struct loop *loop, struct loop_io *io)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = io };

    io->epoll.writable = true;
    return epoll_ctl(epoll_of(loop), EPOLL_CTL_ADD, io->fd, &event);
}

static bool can_act(const struct loop_io *io)
{
    return (io->receiving && io->epoll.readable) || (io->sending && io->epoll.writable);
}

static void receive(struct loop *loop, struct loop_io *io)
{
    struct state *state = loop->state;
    ssize_t count;

    do {
        count = recv(io->fd, state->receive, sizeof(state->receive), 0);
    } while (count < 0 && errno == EINTR);

    if (count < 0 && errno == EAGAIN) {
        io->epoll.readable = false;
        return;
    }
    /* A short answer emptied the socket: the next edge tells of more. */
    if (count > 0 && (size_t)count < sizeof(state->receive) && !io->epoll.hung_up)
        io->epoll.readable = false;
    io->receiving = false;
    io->events->received(io, state->receive, count < 0 ? -errno : count);
}

static void transmit(struct loop *loop, struct loop_io *io)
{
    ssize_t count = loop_engine_send(loop, io);

    if (count == -EAGAIN) {
        io->epoll.writable = false;
        return;
    }
    io->sending = false;
    io->events->sent(io, count);
}

static void act(struct loop *loop, struct loop_io *io)
{
    if (io->receiving && io->epoll.readable)
        receive(loop, io);
    if (io->sending && io->epoll.writable && loop_engine_may_send(loop, io))
        transmit(loop, io);
}

static bool release(struct loop *loop, struct loop_io *io)
{
    (void)loop;
    close(io->fd);
    io->fd = -1;
    return true;
}

static void settle(struct loop *loop)
{
    (void)loop; /* release leaves nothing open */
}

static void dispatch_source(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0)
        return; /* dropped in this turn */
    if (!source->listening) {
        source->ready(source->arg);
    } else if (!loop->accept_paused) {
        /* One connection a wake-up: the next one may go to a process with less to do. */
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        loop_engine_accepted(loop, source, fd < 0 ? -errno : fd);
    }
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
    if ((uintptr_t)event->data.ptr & 1) {
        dispatch_source(loop, (struct loop_source *)((char *)event->data.ptr - 1));
        return;
    }

    struct loop_io *io = event->data.ptr;
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        io->epoll.readable = true;
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        io->epoll.hung_up = true;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        io->epoll.writable = true;
    if (can_act(io))
        loop_engine_ready(loop, io);
}

static int wait_events(struct loop *loop, int ms)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(epoll_of(loop), events, EVENTS_PER_TURN, ms);

    loop_engine_woken(loop);
    if (count < 0 && errno != EINTR)
        return -1;
    for (int i = 0; i < count; i++)
        dispatch(loop, &events[i]);
    return 0;
}

const struct loop_engine loop_epoll = {
    .name = "epoll",
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
