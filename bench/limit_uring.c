#include "limit.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/*
 * One accept and, per connection, one receive are armed once and complete many times, out of a
 * ring of buffers that all connections share. Completions are run only when this thread asks
 * for them, together with handing in what is to be sent: one system call per turn.
 *
 * There is no way by splice: the kernel hands every splice of a ring to a thread of its own.
 * Sockets stay blocking, since a ring takes O_NONBLOCK for "fail rather than wait".
 */

#define ENTRIES 1024
#define COMPLETIONS (4 * LIMIT_CONNECTIONS)
#define BUFFERS 1024 /* a power of two */
#define BUFFER_SIZE 4096
#define GROUP 0

enum operation { ACCEPT, RECEIVE, SEND, CLOSE };

/*
 * Found by its descriptor or its place in the ring's table. It is closed when the receive has
 * ended and nothing is being sent, so that no completion ever meets a later connection.
 */
static struct conn {
    struct msghdr message;
    struct iovec pieces[2];
    size_t sent;      /* bytes of the answer under way */
    unsigned matched; /* of the blank line that ends a request */
    unsigned owed;    /* answers not wholly sent */
    bool sending;     /* a send is in the ring */
    bool over;        /* the receive has ended */
    bool dead;        /* a send failed: nothing more goes out */
} conns[LIMIT_CONNECTIONS];

static struct {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    char *memory; /* BUFFERS times BUFFER_SIZE */
    int listener;
    const struct limit_answer *answer;
    bool zerocopy, fixed;
} server;

/* Room for a submission; when there is no room, hand in what there is. */
static struct io_uring_sqe *submission(void)
{
    struct io_uring_sqe *sqe;

    while ((sqe = io_uring_get_sqe(&server.ring)) == NULL)
        io_uring_submit(&server.ring);
    return sqe;
}

static void mark(struct io_uring_sqe *sqe, enum operation operation, unsigned index)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)index << 8 | operation);
    if (server.fixed && operation != ACCEPT && operation != CLOSE)
        sqe->flags |= IOSQE_FIXED_FILE;
}

static void arm_accept(void)
{
    struct io_uring_sqe *sqe = submission();

    if (server.fixed)
        io_uring_prep_multishot_accept_direct(sqe, server.listener, NULL, NULL, 0);
    else
        io_uring_prep_multishot_accept(sqe, server.listener, NULL, NULL, SOCK_CLOEXEC);
    mark(sqe, ACCEPT, 0);
}

static void arm_receive(unsigned index)
{
    struct io_uring_sqe *sqe = submission();

    io_uring_prep_recv_multishot(sqe, (int)index, NULL, 0, 0);
    mark(sqe, RECEIVE, index);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
}

/* Send the answer from conn->sent on. With MSG_WAITALL the kernel sends until all has gone. */
static void start_send(unsigned index)
{
    struct conn *conn = &conns[index];
    const struct limit_answer *answer = server.answer;
    size_t head = conn->sent < answer->header_len ? answer->header_len - conn->sent : 0;
    size_t at = head > 0 ? 0 : conn->sent - answer->header_len;
    struct io_uring_sqe *sqe = submission();

    conn->pieces[0] = (struct iovec){ (void *)(answer->header + conn->sent), head };
    conn->pieces[1] = (struct iovec){ (void *)(answer->body + at), answer->body_len - at };
    conn->message.msg_iov = head > 0 ? conn->pieces : conn->pieces + 1;
    conn->message.msg_iovlen = head > 0 ? 2 : 1;
    if (server.zerocopy)
        io_uring_prep_sendmsg_zc(sqe, (int)index, &conn->message, MSG_WAITALL | MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(sqe, (int)index, &conn->message, MSG_WAITALL | MSG_NOSIGNAL);
    mark(sqe, SEND, index);
    conn->sending = true;
}

static void drop(unsigned index)
{
    if (!server.fixed) {
        close((int)index);
        return;
    }
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_close_direct(sqe, index);
    mark(sqe, CLOSE, index);
}

/* What is to be done next for a connection that something has happened to. */
static void go_on(unsigned index)
{
    struct conn *conn = &conns[index];

    if (conn->sending)
        return;
    if (conn->owed > 0 && !conn->dead)
        start_send(index);
    else if (conn->over)
        drop(index);
}

static void accepted(const struct io_uring_cqe *cqe)
{
    if ((cqe->flags & IORING_CQE_F_MORE) == 0)
        arm_accept();
    if (cqe->res < 0)
        return;
    if (cqe->res >= LIMIT_CONNECTIONS) {
        close(cqe->res);
        return;
    }
    memset(&conns[cqe->res], 0, sizeof(conns[cqe->res]));
    arm_receive((unsigned)cqe->res);
}

static char *buffer(unsigned id)
{
    return server.memory + (size_t)id * BUFFER_SIZE;
}

static void give_back(unsigned id)
{
    io_uring_buf_ring_add(server.buffers, buffer(id), BUFFER_SIZE, (unsigned short)id,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(server.buffers, 1);
}

static void received(unsigned index, const struct io_uring_cqe *cqe)
{
    struct conn *conn = &conns[index];

    if (cqe->flags & IORING_CQE_F_BUFFER) {
        unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        if (cqe->res > 0)
            conn->owed += limit_count_requests(buffer(id), (size_t)cqe->res, &conn->matched);
        give_back(id);
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        /* Out of buffers for a moment is no end. */
        if (cqe->res > 0 || cqe->res == -ENOBUFS)
            arm_receive(index);
        else
            conn->over = true;
    }
    go_on(index);
}

static void sent(unsigned index, const struct io_uring_cqe *cqe)
{
    struct conn *conn = &conns[index];

    /* That the kernel no longer needs our pages is no news: they never change. */
    if (cqe->flags & IORING_CQE_F_NOTIF)
        return;
    conn->sending = false;
    if (cqe->res <= 0)
        conn->dead = true;
    else
        conn->sent += (size_t)cqe->res;
    if (conn->sent == server.answer->header_len + server.answer->body_len) {
        conn->sent = 0;
        conn->owed--;
    }
    go_on(index);
}

static void completed(const struct io_uring_cqe *cqe)
{
    unsigned index = (unsigned)(cqe->user_data >> 8);

    switch ((enum operation)(cqe->user_data & 0xff)) {
    case ACCEPT:
        accepted(cqe);
        break;
    case RECEIVE:
        received(index, cqe);
        break;
    case SEND:
        sent(index, cqe);
        break;
    case CLOSE:
        break;
    }
}

/* The buffers for all receives: in one piece, all in the kernel's hands at first. */
static int set_up_buffers(void)
{
    struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };
    void *ring;

    if (posix_memalign(&ring, 4096, BUFFERS * sizeof(struct io_uring_buf)))
        return -1;
    server.memory = malloc((size_t)BUFFERS * BUFFER_SIZE);
    if (server.memory == NULL)
        return -1;
    server.buffers = ring;
    reg.ring_addr = (uint64_t)(uintptr_t)ring;
    int error = io_uring_register_buf_ring(&server.ring, &reg, 0);
    if (error < 0) {
        errno = -error;
        return -1;
    }
    io_uring_buf_ring_init(server.buffers);
    for (unsigned id = 0; id < BUFFERS; id++)
        give_back(id);
    return 0;
}

static int set_up(void)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int error = io_uring_queue_init_params(ENTRIES, &server.ring, &params);

    if (error < 0) {
        errno = -error;
        return -1;
    }
    if (set_up_buffers())
        return -1;
    if (server.fixed &&
        (error = io_uring_register_files_sparse(&server.ring, LIMIT_CONNECTIONS)) < 0) {
        errno = -error;
        return -1;
    }
    /* Saves looking the ring up at every system call; where it fails, nothing is lost. */
    io_uring_register_ring_fd(&server.ring);
    return 0;
}

int limit_uring(int listener, const struct limit_answer *answer, enum limit_way way, int fixed)
{
    server.listener = listener;
    server.answer = answer;
    server.zerocopy = way == LIMIT_ZEROCOPY;
    server.fixed = fixed != 0;
    if (set_up()) {
        log_error("io_uring: %m");
        return -1;
    }
    arm_accept();
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        int n = io_uring_submit_and_wait(&server.ring, 1);

        if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY) {
            errno = -n;
            log_error("io_uring: %m");
            return -1;
        }
        io_uring_for_each_cqe(&server.ring, head, cqe) {
            completed(cqe);
            seen++;
        }
        io_uring_cq_advance(&server.ring, seen);
    }
}
