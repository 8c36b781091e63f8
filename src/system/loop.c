#include "system/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/*
 * The epoll engine. Sockets are registered once, edge-triggered, and what is known of them is
 * kept in readable and writable, so that a request costs one recv, one writev and its share of
 * one epoll_wait. What can be done at once stands in the ready list and is done after the
 * callback that asked for it has returned, each socket once a turn: that makes callbacks flat
 * and turns fair.
 */

#define EVENTS_PER_TURN 256
#define RECEIVE_BYTES 65536
#define ACCEPT_PAUSE 100 /* ms, when no more sockets can be had */

/* A file descriptor that is not a connection: a listener or a watch. */
struct source {
    bool is_source; /* true; tells it from a loop_io, see dispatch() */
    bool listening;
    int fd;
    void (*accepted)(void *arg, int fd);
    void (*ready)(void *arg);
    void *arg;
    struct source *next;
};

struct loop {
    int epoll;
    uint64_t now;
    struct timers timers;
    struct source *sources;
    struct source *dropped; /* to be freed when no event of this turn can name them */
    struct timer accept_pause;
    bool accept_paused;
    struct loop_io *ready, **ready_end;
    struct loop_io *closed; /* linked by next_ready */
    char receive[RECEIVE_BYTES];
};

/* epoll hands back one pointer; its lowest bit says what it points to. */
static void *tag_source(struct source *source)
{
    return (char *)source + 1;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return NULL;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        free(loop);
        return NULL;
    }
    loop->now = clock_ms();
    timers_init(&loop->timers, loop->now);
    loop->ready_end = &loop->ready;
    return loop;
}

static int register_source(struct loop *loop, struct source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = tag_source(source) };

    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event);
}

static int add_source(struct loop *loop, struct source like)
{
    struct source *source = malloc(sizeof(*source));

    if (source == NULL)
        return -1;
    *source = like;
    if (register_source(loop, source, source->listening ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN)) {
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
        loop, (struct source){ .listening = true, .fd = fd, .accepted = accepted, .arg = arg });
}

int loop_watch(struct loop *loop, int fd, void (*ready)(void *arg), void *arg)
{
    return add_source(loop, (struct source){ .fd = fd, .ready = ready, .arg = arg });
}

/* Take *link out of the sources; its memory goes at the end of the turn. */
static void drop_source(struct loop *loop, struct source **link)
{
    struct source *source = *link;

    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    *link = source->next;
    source->next = loop->dropped;
    loop->dropped = source;
    if (source->listening)
        close(source->fd);
    source->fd = -1;
}

void loop_unlisten(struct loop *loop)
{
    for (struct source **link = &loop->sources; *link != NULL;) {
        if ((*link)->listening)
            drop_source(loop, link);
        else
            link = &(*link)->next;
    }
    timers_remove(&loop->timers, &loop->accept_pause);
}

void loop_unwatch(struct loop *loop, int fd)
{
    for (struct source **link = &loop->sources; *link != NULL; link = &(*link)->next) {
        if (!(*link)->listening && (*link)->fd == fd) {
            drop_source(loop, link);
            return;
        }
    }
}

int loop_add(struct loop *loop, struct loop_io *io, int fd, const struct loop_events *events)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = io };

    *io = (struct loop_io){ .events = events, .fd = fd, .writable = true };
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void make_ready(struct loop *loop, struct loop_io *io)
{
    if (io->is_ready)
        return;
    io->is_ready = true;
    io->next_ready = NULL;
    *loop->ready_end = io;
    loop->ready_end = &io->next_ready;
}

/* Whether something that was asked for could be done now. */
static bool has_work(const struct loop_io *io)
{
    return (io->receiving && io->readable) || (io->sending && io->writable) || io->yielding;
}

void loop_receive(struct loop *loop, struct loop_io *io)
{
    io->receiving = true;
    if (io->readable)
        make_ready(loop, io);
}

void loop_send(struct loop *loop, struct loop_io *io, const struct iovec *iov, int count)
{
    io->sending = true;
    io->iov = iov;
    io->iov_count = count;
    if (io->writable)
        make_ready(loop, io);
}

void loop_yield(struct loop *loop, struct loop_io *io)
{
    io->yielding = true;
    make_ready(loop, io);
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
    close(io->fd);
    io->fd = -1;
    make_ready(loop, io); /* do_ready() passes it on to be buried, once no event can name it */
}

uint64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

static void do_receive(struct loop *loop, struct loop_io *io)
{
    ssize_t count;

    do {
        count = recv(io->fd, loop->receive, sizeof(loop->receive), 0);
    } while (count < 0 && errno == EINTR);

    if (count < 0 && errno == EAGAIN) {
        io->readable = false;
        return;
    }
    /* A short answer emptied the socket: the next edge tells of more. */
    if (count > 0 && (size_t)count < sizeof(loop->receive) && !io->hung_up)
        io->readable = false;
    io->receiving = false;
    io->events->received(io, loop->receive, count < 0 ? -errno : count);
}

static void do_send(struct loop_io *io)
{
    struct msghdr message = { .msg_iov = (struct iovec *)io->iov,
                              .msg_iovlen = (size_t)io->iov_count };
    ssize_t count;

    do {
        count = sendmsg(io->fd, &message, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);

    if (count < 0 && errno == EAGAIN) {
        io->writable = false;
        return;
    }
    io->sending = false;
    io->events->sent(io, count < 0 ? -errno : count);
}

static void bury(struct loop *loop)
{
    while (loop->closed != NULL) {
        struct loop_io *io = loop->closed;

        loop->closed = io->next_ready;
        io->events->closed(io);
    }
    while (loop->dropped != NULL) {
        struct source *source = loop->dropped;

        loop->dropped = source->next;
        free(source);
    }
}

/*
 * Do what stood in the list when the turn began; what is asked for meanwhile waits for the next
 * turn, but for the answer to what was just received.
 */
static void do_ready(struct loop *loop)
{
    struct loop_io *todo = loop->ready;

    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    while (todo != NULL) {
        struct loop_io *io = todo;

        todo = io->next_ready;
        if (io->yielding) {
            io->yielding = false;
            io->events->resumed(io);
        }
        if (io->receiving && io->readable)
            do_receive(loop, io);
        if (io->sending && io->writable)
            do_send(io);
        io->is_ready = false;
        if (io->closing) {
            io->next_ready = loop->closed;
            loop->closed = io;
        } else if (has_work(io)) {
            make_ready(loop, io);
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
            io->events->closed(io);
        else
            make_ready(loop, io);
    }
}

static void set_accepting(struct loop *loop, bool accepting)
{
    loop->accept_paused = !accepting;
    for (struct source *source = loop->sources; source != NULL; source = source->next) {
        if (!source->listening)
            continue;
        if (accepting)
            register_source(loop, source, EPOLLIN | EPOLLEXCLUSIVE);
        else
            epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    }
    if (!accepting)
        timers_set(&loop->timers, &loop->accept_pause, loop->now + ACCEPT_PAUSE);
}

/* One connection a wake-up: the next one may go to a process with less to do. */
static void do_accept(struct loop *loop, struct source *source)
{
    int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        source->accepted(source->arg, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log_error("cannot accept connections for a moment: %m");
        set_accepting(loop, false);
    }
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
    if ((uintptr_t)event->data.ptr & 1) {
        struct source *source = (struct source *)((char *)event->data.ptr - 1);

        if (source->fd < 0)
            return; /* dropped in this turn */
        if (!source->listening)
            source->ready(source->arg);
        else if (!loop->accept_paused)
            do_accept(loop, source);
        return;
    }

    struct loop_io *io = event->data.ptr;
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        io->readable = true;
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        io->hung_up = true;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        io->writable = true;
    if (has_work(io))
        make_ready(loop, io);
}

static void expire(void *arg, struct timer *timer)
{
    struct loop *loop = arg;

    if (timer == &loop->accept_pause) {
        set_accepting(loop, true);
        return;
    }
    struct loop_io *io = (struct loop_io *)((char *)timer - offsetof(struct loop_io, timer));
    io->events->expired(io);
}

int loop_turn(struct loop *loop, int most)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int wait = timers_wait(&loop->timers, clock_ms());

    if (loop->ready != NULL)
        wait = 0;
    else if (most >= 0 && (wait < 0 || wait > most))
        wait = most;
    int count = epoll_wait(loop->epoll, events, EVENTS_PER_TURN, wait);

    loop->now = clock_ms();
    if (count < 0 && errno != EINTR)
        return -1;
    for (int i = 0; i < count; i++)
        dispatch(loop, &events[i]);
    timers_expire(&loop->timers, loop->now, expire, loop);
    do_ready(loop);
    bury(loop);
    return 0;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->sources != NULL)
        drop_source(loop, &loop->sources);
    loop_bury(loop);
    bury(loop);
    close(loop->epoll);
    free(loop);
}
