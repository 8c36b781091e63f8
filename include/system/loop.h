#ifndef SYSTEM_LOOP_H
#define SYSTEM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "system/timers.h"

/*
 * The event loop of a worker, in the style of completions: its user asks for one thing
 * (receive, send), goes on, and is called back when it is done. Which system calls do it, and
 * when, is the loop's business. All functions and callbacks run in the one thread that runs the
 * loop.
 */

struct loop;
struct loop_engine;
struct loop_io;

/*
 * What a user of a socket is called back with. No callback comes from within a call into the
 * loop. Except for
 * ${closed}, every callback may call loop_close.
 */
struct loop_events {
    /* Answers loop_receive: ${count} > 0 bytes, which are the loop's and valid only during the
     * call; 0: the peer sends no more; < 0: an errno, negated. */
    void (*received)(struct loop_io *io, const char *bytes, ssize_t count);

    /* Answers loop_send: the bytes taken, at least 1 and perhaps fewer than were given; or a
     * negated errno. */
    void (*sent)(struct loop_io *io, ssize_t count);

    /* Answers loop_yield, after the others had their turn. */
    void (*resumed)(struct loop_io *io);

    /* The time of loop_expire is over. */
    void (*expired)(struct loop_io *io);

    /* The last word after loop_close: nothing refers to ${io} any more. */
    void (*closed)(struct loop_io *io);
};

/* What an engine knows of a socket. */
struct loop_epoll_io {
    bool readable, writable; /* as far as is known, the next call would not fail with EAGAIN */
    bool hung_up;            /* the peer sends no more: stay readable until that was read */
};

struct loop_uring_io {
    bool receiving, sending; /* the kernel does: it has our address */
    bool polling;            /* ... and sending means waiting for room */
    bool once;               /* receives complete once */
    bool cancelled;          /* the kernel was told to receive no more */
    bool released;           /* closed, once the kernel does neither */
    bool ended;              /* there is nothing more to receive: ${end} says why */
    bool sent;               /* ${count} was, and has not been told */
    int end, count;
    char *kept; /* came when nobody had asked */
    size_t kept_len;
    struct msghdr message;
};

/* A stretch of a file. */
struct loop_file {
    int fd;
    off_t at;
    size_t len; /* 0: none */
};

/* One socket; lives in its user's struct. Private to the loop. */
struct loop_io {
    const struct loop_events *events;
    int fd;
    bool receiving, sending; /* asked for, not answered yet */
    bool yielding;           /* likewise */
    bool closing;
    bool is_ready;
    bool large; /* what is sent */
    const struct iovec *iov;
    int iov_count;
    size_t iov_bytes;
    struct loop_file file;
    struct timer timer;
    struct loop_io *next_ready; /* in the list of what can be done at once */
    union {
        struct loop_epoll_io epoll;
        struct loop_uring_io uring;
    };
};

/**
 * loop_choose(choice, problem, size):
 * The engine that the option "engine" means by ${choice}: epoll or io_uring, or of both the
 * better one that the system allows. If io_uring is not to be had, one line in the ${size}
 * bytes of ${problem} says why, else that is empty; if nothing but io_uring will do, NULL is
 * returned as well.
 */
const struct loop_engine *loop_choose(unsigned choice, char *problem, size_t size);

/**
 * loop_new(engine):
 * A loop with nothing in it that is driven by ${engine}; NULL with errno. To be given to
 * loop_free.
 */
struct loop *loop_new(const struct loop_engine *engine);

/**
 * loop_listen(loop, fd, accepted, arg):
 * Accept connections on the listening, non-blocking socket ${fd}, which other processes may
 * share, and call
 * ${accepted}(${arg}, socket) for each; the socket is the callee's. Returns 0, or -1 with
 * errno.
 */
int loop_listen(struct loop *loop, int fd, void (*accepted)(void *arg, int fd), void *arg);

/**
 * loop_pause_accepting(loop, ms, resumed, arg):
 * Leave the next connections to other processes, for ${ms} milliseconds; then call
 * ${resumed}(${arg}) and accept again. To be called by accepted, too.
 */
void loop_pause_accepting(struct loop *loop, uint64_t ms, void (*resumed)(void *arg),
                          void *arg);

/**
 * loop_unlisten(loop):
 * Accept the connections that wait, from within this call, and no more, and close the
 * listening sockets. What the kernel has accepted by then still comes.
 */
void loop_unlisten(struct loop *loop);

/**
 * loop_listening(loop):
 * Whether connections may still come.
 */
bool loop_listening(const struct loop *loop);

/**
 * loop_watch(loop, fd, ready, arg):
 * Call ${ready}(${arg}) whenever ${fd} has something to read or its other end is closed, until
 * loop_unwatch. Returns 0, or -1 with errno.
 */
int loop_watch(struct loop *loop, int fd, void (*ready)(void *arg), void *arg);

/**
 * loop_unwatch(loop, fd):
 * The opposite of loop_watch.
 */
void loop_unwatch(struct loop *loop, int fd);

/**
 * loop_add(loop, io, fd, events):
 * Take the non-blocking socket ${fd} into the loop as ${io}, to be answered by ${events}.
 * Returns 0, or -1 with errno; then ${fd} is still the caller's.
 */
int loop_add(struct loop *loop, struct loop_io *io, int fd, const struct loop_events *events);

/**
 * loop_receive(loop, io):
 * Ask for the next bytes, once.
 */
void loop_receive(struct loop *loop, struct loop_io *io);

/**
 * loop_send(loop, io, iov, count):
 * Ask to send the ${count} (1 to LOOP_SEND_MAX) pieces of ${iov}, once; both they and ${iov}
 * itself stay as they are until the answer. May be asked for while receiving.
 *
 * What exceeds LOOP_SMALL waits for the next turn, in order, once a turn has moved as many
 * bytes as it may: those who take much share what there is, and do not keep small answers
 * waiting.
 */
void loop_send(struct loop *loop, struct loop_io *io, const struct iovec *iov, int count);

#define LOOP_SEND_MAX 64
#define LOOP_SMALL (64 << 10)

/**
 * loop_share(loop):
 * The bytes that are moved in one turn: what is asked to be sent at once had better be no more.
 */
size_t loop_share(const struct loop *loop);

/**
 * loop_hurry(loop):
 * There are small answers about: let turns be short for a while, at some cost to the large
 * ones.
 */
void loop_hurry(struct loop *loop);

/**
 * loop_send_file(loop, io, iov, count, file):
 * The same for ${count} pieces, perhaps none, and behind them the bytes of ${file}, which go
 * from the page cache to the socket. If the file ends before, the answer is -EFAULT, as it is
 * for pieces of a mapping without a file behind them.
 */
void loop_send_file(struct loop *loop, struct loop_io *io, const struct iovec *iov, int count,
                    struct loop_file file);

/**
 * loop_yield(loop, io):
 * Ask to be resumed in the next turn, or later in this one, once. Nothing if ${io} is closed.
 */
void loop_yield(struct loop *loop, struct loop_io *io);

/**
 * loop_expire(loop, io, ms):
 * Call expired in ${ms} milliseconds, instead of what was set before; 0: not at all. What is
 * there by then is received first, however late the loop is.
 */
void loop_expire(struct loop *loop, struct loop_io *io, uint64_t ms);

/**
 * loop_shutdown(io):
 * Tell the peer that nothing more will be sent.
 */
void loop_shutdown(struct loop_io *io);

/**
 * loop_close(loop, io):
 * Close the socket; ${io}'s closed is called soon, and nothing else.
 */
void loop_close(struct loop *loop, struct loop_io *io);

/**
 * loop_bury(loop):
 * Call closed for everything that was closed, without waiting for the next turn. Not from
 * within a callback.
 */
void loop_bury(struct loop *loop);

/**
 * loop_now(loop):
 * clock_ms as of the beginning of this turn.
 */
uint64_t loop_now(const struct loop *loop);

/**
 * loop_woken(loop):
 * clock_ns as of the beginning of this turn.
 */
uint64_t loop_woken(const struct loop *loop);

/**
 * loop_turn(loop, most):
 * Wait until there is something to do, at most ${most} milliseconds unless that is -1; do a
 * bounded share of it, and return. Returns 0, or -1 with errno when the kernel refuses to go
 * on.
 */
int loop_turn(struct loop *loop, int most);

/**
 * loop_free(loop):
 * Give back the loop, whose sockets must all have been closed; NULL is fine.
 */
void loop_free(struct loop *loop);

#endif
