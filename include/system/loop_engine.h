#ifndef SYSTEM_LOOP_ENGINE_H
#define SYSTEM_LOOP_ENGINE_H

#include "system/loop.h"

/*
 * What lies between the loop and the engines that drive it; nobody else includes this. The loop
 * (loop.c) owns timers, yields, the list of what can be done, and the order in which all that
 * is done; an engine (loop_epoll.c, loop_uring.c) knows how to learn of events and how bytes
 * are moved.
 */

/* A file descriptor that is not a connection: a listener or a watch. */
struct loop_source {
    bool listening;
    bool armed;     /* the engine may still name it */
    bool cancelled; /* private to the engine */
    int fd;         /* -1: dropped */
    void (*accepted)(void *arg, int fd);
    void (*ready)(void *arg);
    void *arg;
    struct loop_source *next;
};

struct loop {
    const struct loop_engine *engine;
    void *state; /* the engine's */
    uint64_t now;
    uint64_t woken; /* clock_ns, when this turn's wait was over */
    struct timers timers;
    struct loop_source *sources;
    struct loop_source *dropped; /* to be freed when no event can name them */
    struct timer accept_pause;
    bool accept_paused;
    void (*accept_resumed)(void *arg); /* NULL: nobody asked */
    void *accept_arg;
    struct loop_io *ready, **ready_end;
    size_t moved;           /* bytes sent in this turn */
    uint64_t hurried;       /* clock_ms of the last loop_hurry */
    struct loop_io *closed; /* linked by next_ready */
};

/* All functions but open return nothing or 0, and -1 with errno. */
struct loop_engine {
    const char *name;

    /* Make and give back ${loop}->state. */
    int (*open)(struct loop *loop);
    void (*close)(struct loop *loop);

    /* Begin to accept, or to watch; end it, before ${source}->fd is closed. */
    int (*arm)(struct loop *loop, struct loop_source *source);
    void (*disarm)(struct loop *loop, struct loop_source *source);

    /* Take ${io}, whose common members are set. */
    int (*add)(struct loop *loop, struct loop_io *io);

    /* Whether act would get on with something that was asked for. */
    bool (*can_act)(const struct loop_io *io);

    /* Get on with what was asked for. */
    void (*act)(struct loop *loop, struct loop_io *io);

    /* Of an ${io} that is closing: close its socket, and return whether nothing refers to it
     * any more; if not, loop_engine_closed is called in time. */
    bool (*release)(struct loop *loop, struct loop_io *io);

    /* Wait for events, at most ${ms} milliseconds unless that is -1, call loop_engine_woken,
     * and deal with them. */
    int (*wait)(struct loop *loop, int ms);

    /* Wait until loop_engine_closed was called for all that was closed. */
    void (*settle)(struct loop *loop);
};

extern const struct loop_engine loop_epoll, loop_uring;

/**
 * loop_engine_ready(loop, io):
 * Have ${io} acted on in this turn, or in the next one if this turn's list is being done.
 */
static inline void loop_engine_ready(struct loop *loop, struct loop_io *io)
{
    if (io->is_ready)
        return;
    io->is_ready = true;
    io->next_ready = NULL;
    *loop->ready_end = io;
    loop->ready_end = &io->next_ready;
}

/**
 * loop_engine_woken(loop):
 * The wait is over: a turn begins.
 */
void loop_engine_woken(struct loop *loop);

/**
 * loop_engine_closed(loop, io):
 * Nothing refers to ${io} any more, whose release said that something did: it is buried at the
 * end of the turn.
 */
static inline void loop_engine_closed(struct loop *loop, struct loop_io *io)
{
    io->next_ready = loop->closed;
    loop->closed = io;
}

/**
 * loop_engine_may_send(loop, io):
 * Whether what ${io} is to send is to go in this turn.
 */
static inline bool loop_engine_may_send(const struct loop *loop, const struct loop_io *io)
{
    return !io->large || loop->moved < loop_share(loop);
}

/**
 * loop_engine_send(loop, io):
 * Send what ${io} asked for, as much as fits. Returns the bytes, at least 1, or a negated
 * errno: -EAGAIN if there is no room.
 */
ssize_t loop_engine_send(struct loop *loop, const struct loop_io *io);

/**
 * loop_engine_accepted(loop, source, fd):
 * Hand on a connection, or what the kernel said instead of one, a negated errno: if it is out
 * of something, no listener accepts for a moment.
 */
void loop_engine_accepted(struct loop *loop, struct loop_source *source, int fd);

#endif
