#ifndef SYSTEM_LOOP_RING_H
#define SYSTEM_LOOP_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The rings of io_uring, for loop_uring.c alone: operations are written down one by one and
 * handed to the kernel by loop_ring_wait; what has completed is then taken one by one. Each
 * operation carries a mark of its user's. The functions that write one down return false if
 * there is no room for it, for want of memory: try again after the next wait.
 */

struct loop_ring;

struct loop_ring_event {
    uint64_t mark;
    int result;        /* as the system call would return, or a negated errno */
    bool more;         /* the operation goes on, and completes again */
    const char *bytes; /* received; good until the next loop_ring_next */
};

/**
 * loop_ring_new(void):
 * A ring that can do what is declared here and nothing else; NULL with errno, where the kernel
 * is too old (before 6.1), forbids it, or has no memory for it. To be given to loop_ring_free.
 */
struct loop_ring *loop_ring_new(void);

/**
 * loop_ring_poll(ring, fd, events, mark):
 * Complete once, when one of the poll ${events} (POLLIN, POLLOUT) has come or the other end of
 * ${fd} is closed.
 */
bool loop_ring_poll(struct loop_ring *ring, int fd, unsigned events, uint64_t mark);

/**
 * loop_ring_receive(ring, fd, once, mark):
 * Receive from ${fd} ${once}, or until cancelled, into buffers of the ring. -ENOBUFS if these
 * are used up for the moment. Between two waits no more than LOOP_RING_BURST bytes come from
 * one socket.
 */
#define LOOP_RING_BURST (66 << 10)
bool loop_ring_receive(struct loop_ring *ring, int fd, bool once, uint64_t mark);

/**
 * loop_ring_send(ring, fd, message, mark):
 * Send ${message}, or as much of it as fits once something does.
 */
bool loop_ring_send(struct loop_ring *ring, int fd, const struct msghdr *message,
                    uint64_t mark);

/**
 * loop_ring_cancel(ring, mark, own):
 * Cancel the operation of ${mark}, which then completes with -ECANCELED unless it does
 * otherwise. That there was none completes by the mark ${own}; success is not told.
 */
bool loop_ring_cancel(struct loop_ring *ring, uint64_t mark, uint64_t own);

/**
 * loop_ring_wait(ring, ms):
 * Hand in what was written down, and wait at most ${ms} milliseconds (-1: for ever) until
 * something has completed. May return early. Returns 0, or -1 with errno when the kernel
 * refuses to go on.
 */
int loop_ring_wait(struct loop_ring *ring, int ms);

/**
 * loop_ring_count(ring):
 * How many completions can be taken.
 */
unsigned loop_ring_count(const struct loop_ring *ring);

/**
 * loop_ring_next(ring, event):
 * Take the next completion. Returns false if there is none.
 */
bool loop_ring_next(struct loop_ring *ring, struct loop_ring_event *event);

/**
 * loop_ring_free(ring):
 * Give back ${ring}; the kernel cancels in its own time what has not completed.
 */
void loop_ring_free(struct loop_ring *ring);

#endif
