#ifndef HTTP_SEND_H
#define HTTP_SEND_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/slice.h"
#include "query/body.h"
#include "system/loop.h"

/* An answer on its way: its head, its body, and what ends it, as batches for the loop: pieces
 * of memory, and perhaps one of a file behind them. */

struct send {
    struct slice head, tail;
    struct body *body; /* NULL: none is sent */
    uint64_t left;     /* bytes of the body not batched yet */
    bool begun;        /* bytes have left */
    bool batched;      /* a batch of the body is under way */
    bool checked;      /* ... and was found whole when it was made */
    struct loop_file file;
    int first, count; /* of iov: those not sent yet */
    struct iovec iov[LOOP_SEND_MAX];
};

enum send_state {
    SEND_MORE,   /* a batch is ready */
    SEND_WAIT,   /* the next one is not in memory yet: the body's waker will be woken */
    SEND_DONE,   /* everything was sent */
    SEND_BROKEN, /* the rest cannot be had */
};

/**
 * send_begin(send, head, body, tail):
 * Make ${send} ready to send ${head}, ${body} (NULL: none) and ${tail}, all of which must stay
 * where they are.
 */
void send_begin(struct send *send, struct slice head, struct body *body, struct slice tail);

/**
 * send_next(send, quota):
 * Have the next batch, of about ${quota} bytes of the body at most, ready: send->iov from send->first on, send->count pieces, and send->file
 * behind them. If SEND_BROKEN and not send->begun, nothing was promised to the client yet.
 */
enum send_state send_next(struct send *send, uint64_t quota);

/**
 * send_sent(send, bytes):
 * The first ${bytes} bytes of the batch were taken.
 */
void send_sent(struct send *send, size_t bytes);

#endif
