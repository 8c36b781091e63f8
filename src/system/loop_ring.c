#include "system/loop_ring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 1024     /* written down between two waits; more are handed in meanwhile */
#define COMPLETIONS 4096 /* beyond that the kernel keeps them for us */
#define BUFFERS 256      /* a power of two */
#define BURST 33         /* buffers that the kernel fills before it sees to something else */
#define BUFFER_BYTES (LOOP_RING_BURST / BURST)
#define GROUP 0

struct loop_ring {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    char *memory;   /* BUFFERS times BUFFER_BYTES */
    int lent;       /* the buffer of the last completion that was taken; -1: none */
    int given_back; /* buffers of which the kernel does not know yet */
};

/* Let the ring, which was made disabled, work, but do nothing that we do not: no filter of
 * system calls sees what goes through it. (liburing 2.3 declares calls for this, and has none.)
 */
static int start_restricted(struct io_uring *ring)
{
    static const uint8_t operations[] = { IORING_OP_ACCEPT, IORING_OP_POLL_ADD,
                                          IORING_OP_ASYNC_CANCEL, IORING_OP_RECV,
                                          IORING_OP_SENDMSG };
    struct io_uring_restriction rules[sizeof(operations) + 1];

    memset(rules, 0, sizeof(rules));
    for (size_t i = 0; i < sizeof(operations); i++) {
        rules[i].opcode = IORING_RESTRICTION_SQE_OP;
        rules[i].sqe_op = operations[i];
    }
    rules[sizeof(operations)].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[sizeof(operations)].sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
    int error = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rules,
                                  sizeof(operations) + 1);
    return error < 0 ? error
                     : io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS,
                                         NULL, 0);
}

static char *buffer(const struct loop_ring *ring, unsigned id)
{
    return ring->memory + (size_t)id * BUFFER_BYTES;
}

static void give_back(struct loop_ring *ring, unsigned id)
{
    io_uring_buf_ring_add(ring->buffers, buffer(ring, id), BUFFER_BYTES, (unsigned short)id,
                          io_uring_buf_ring_mask(BUFFERS), ring->given_back++);
}

static void publish_buffers(struct loop_ring *ring)
{
    if (ring->given_back == 0)
        return;
    io_uring_buf_ring_advance(ring->buffers, ring->given_back);
    ring->given_back = 0;
}

static int set_up_buffers(struct loop_ring *ring)
{
    struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };
    size_t size = BUFFERS * sizeof(struct io_uring_buf);

    ring->buffers = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
    ring->memory = aligned_alloc(4096, (size_t)BUFFERS * BUFFER_BYTES);
    if (ring->buffers == NULL || ring->memory == NULL)
        return -ENOMEM;
    reg.ring_addr = (uint64_t)(uintptr_t)ring->buffers;
    int error = io_uring_register_buf_ring(&ring->ring, &reg, 0);
    if (error < 0)
        return error;
    io_uring_buf_ring_init(ring->buffers);
    for (unsigned id = 0; id < BUFFERS; id++)
        give_back(ring, id);
    publish_buffers(ring);
    return 0;
}

/*
 * A kernel that knows all these flags (6.1) has everything else that is used here: receives
 * that complete many times (6.0), rings of buffers (5.19), timeouts of waits
 * (5.11).
 */
struct loop_ring *loop_ring_new(void)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                 IORING_SETUP_R_DISABLED,
        .cq_entries = COMPLETIONS,
    };
    struct loop_ring *ring = calloc(1, sizeof(*ring));
    int error = -ENOMEM;

    if (ring == NULL || (error = io_uring_queue_init_params(ENTRIES, &ring->ring, &params)) < 0)
        goto no_ring;
    ring->lent = -1;
    /* Saves looking the ring up at every system call; where it fails, nothing is lost. */
    io_uring_register_ring_fd(&ring->ring);
    if ((error = set_up_buffers(ring)) < 0 || (error = start_restricted(&ring->ring)) < 0)
        goto failed;
    return ring;

failed:
    io_uring_queue_exit(&ring->ring);
    free(ring->buffers);
    free(ring->memory);
no_ring:
    free(ring);
    errno = -error;
    return NULL;
}

void loop_ring_free(struct loop_ring *ring)
{
    io_uring_queue_exit(&ring->ring);
    free(ring->buffers);
    free(ring->memory);
    free(ring);
}

/* Room for one operation; NULL if even handing in what there is makes none. */
static struct io_uring_sqe *submission(struct loop_ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);

    if (sqe == NULL) {
        publish_buffers(ring);
        io_uring_submit(&ring->ring);
        sqe = io_uring_get_sqe(&ring->ring);
    }
    return sqe;
}

bool loop_ring_poll(struct loop_ring *ring, int fd, unsigned events, uint64_t mark)
{
    struct io_uring_sqe *sqe = submission(ring);

    if (sqe == NULL)
        return false;
    io_uring_prep_poll_add(sqe, fd, events);
    sqe->user_data = mark;
    return true;
}

bool loop_ring_receive(struct loop_ring *ring, int fd, bool once, uint64_t mark)
{
    struct io_uring_sqe *sqe = submission(ring);

    if (sqe == NULL)
        return false;
    if (once)
        io_uring_prep_recv(sqe, fd, NULL, BUFFER_BYTES, 0);
    else
        io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    sqe->user_data = mark;
    return true;
}

bool loop_ring_send(struct loop_ring *ring, int fd, const struct msghdr *message, uint64_t mark)
{
    struct io_uring_sqe *sqe = submission(ring);

    if (sqe == NULL)
        return false;
    io_uring_prep_sendmsg(sqe, fd, message, MSG_NOSIGNAL);
    sqe->user_data = mark;
    return true;
}

bool loop_ring_cancel(struct loop_ring *ring, uint64_t mark, uint64_t own)
{
    struct io_uring_sqe *sqe = submission(ring);

    if (sqe == NULL)
        return false;
    io_uring_prep_cancel64(sqe, mark, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = own;
    return true;
}

int loop_ring_wait(struct loop_ring *ring, int ms)
{
    struct __kernel_timespec time = { ms / 1000, (ms % 1000) * 1000000LL };
    struct io_uring_cqe *first;
    int error;

    publish_buffers(ring);
    if (ms < 0)
        error = io_uring_submit_and_wait(&ring->ring, 1);
    else if (ms == 0)
        error = io_uring_submit_and_get_events(&ring->ring);
    else
        error = io_uring_submit_and_wait_timeout(&ring->ring, &first, 1, &time, NULL);
    if (error >= 0 || error == -ETIME || error == -EINTR || error == -EAGAIN ||
        error == -EBUSY || error == -ENOMEM)
        return 0; /* nothing came, or no memory for a moment: the next wait tries again */
    errno = -error;
    return -1;
}

unsigned loop_ring_count(const struct loop_ring *ring)
{
    return io_uring_cq_ready(&ring->ring);
}

bool loop_ring_next(struct loop_ring *ring, struct loop_ring_event *event)
{
    struct io_uring_cqe *cqe;

    if (ring->lent >= 0)
        give_back(ring, (unsigned)ring->lent);
    ring->lent = -1;
    if (io_uring_cq_ready(&ring->ring) == 0)
        return false;
    cqe = &ring->ring.cq.cqes[*ring->ring.cq.khead & *ring->ring.cq.kring_mask];
    *event = (struct loop_ring_event){ .mark = cqe->user_data,
                                       .result = cqe->res,
                                       .more = (cqe->flags & IORING_CQE_F_MORE) != 0 };
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        ring->lent = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        event->bytes = buffer(ring, (unsigned)ring->lent);
    }
    io_uring_cq_advance(&ring->ring, 1);
    return true;
}
