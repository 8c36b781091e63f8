/*
 * sending: what it costs to send bytes of a file, by system call and size. One process answers
 * a byte with a head and a stretch of a file; its child asks, from another core. The ways take
 * turns in slices of a few milliseconds, in random order, so that noise meets all alike.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_LIBURING
#include <liburing.h>
#endif

#define FILE_BYTES ((size_t)128 << 20)
#define HEAD_BYTES 700
#define ROUNDS 21
#define SLICE_BYTES ((size_t)12 << 20)

static int file, sock, pipes[2];
static char *mapped;
static char head[HEAD_BYTES];
#ifdef WITH_LIBURING
static struct io_uring ring;
#endif

static void fail(const char *what)
{
    fprintf(stderr, "sending: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void wait_writable(void)
{
    struct pollfd fd = { .fd = sock, .events = POLLOUT };

    poll(&fd, 1, -1);
}

/* --- The ways: some bytes of the file from ${at} on; ${first}: with the head before them. As
 * the system calls return. */

static struct msghdr *message_of(size_t at, size_t len, bool first)
{
    static struct iovec iov[2];
    static struct msghdr message;

    iov[0] = (struct iovec){ head, HEAD_BYTES };
    iov[1] = (struct iovec){ mapped + at, len };
    message = (struct msghdr){ .msg_iov = iov + !first, .msg_iovlen = 1U + first };
    return &message;
}

static ssize_t by_sendmsg(size_t at, size_t len, bool first)
{
    return sendmsg(sock, message_of(at, len, first), MSG_NOSIGNAL);
}

/* The head goes alone, and counts with what follows it. */
static ssize_t by_sendfile(size_t at, size_t len, bool first)
{
    off_t offset = (off_t)at;

    if (first && send(sock, head, HEAD_BYTES, MSG_MORE | MSG_NOSIGNAL) != HEAD_BYTES)
        return -1;
    ssize_t sent = sendfile(sock, file, &offset, len);
    return sent < 0 && first && errno == EAGAIN ? HEAD_BYTES : sent + (first ? HEAD_BYTES : 0);
}

static ssize_t by_splice(size_t at, size_t len, bool first)
{
    loff_t offset = (loff_t)at;
    static size_t in_pipe;

    if (first && send(sock, head, HEAD_BYTES, MSG_MORE | MSG_NOSIGNAL) != HEAD_BYTES)
        return -1;
    offset += (loff_t)in_pipe;
    if (in_pipe == 0) {
        ssize_t got = splice(file, &offset, pipes[1], NULL, len, SPLICE_F_NONBLOCK);
        if (got <= 0)
            return -1;
        in_pipe = (size_t)got;
    }
    ssize_t sent = splice(pipes[0], NULL, sock, NULL, in_pipe,
                          SPLICE_F_NONBLOCK | (in_pipe < len ? SPLICE_F_MORE : 0));
    if (sent > 0)
        in_pipe -= (size_t)sent;
    return sent < 0 && first && errno == EAGAIN ? HEAD_BYTES : sent + (first ? HEAD_BYTES : 0);
}

#ifdef WITH_LIBURING
static ssize_t complete(bool zero_copy)
{
    ssize_t result = 0;

    for (bool more = true; more;) {
        struct io_uring_cqe *cqe;

        if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_peek_cqe(&ring, &cqe))
            continue;
        more = zero_copy && (cqe->flags & IORING_CQE_F_MORE);
        if (!(cqe->flags & IORING_CQE_F_NOTIF))
            result = cqe->res;
        io_uring_cqe_seen(&ring, cqe);
    }
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : result;
}

static ssize_t by_ring(size_t at, size_t len, bool first)
{
    io_uring_prep_sendmsg(io_uring_get_sqe(&ring), sock, message_of(at, len, first),
                          MSG_NOSIGNAL);
    return complete(false);
}

static ssize_t by_ring_zero_copy(size_t at, size_t len, bool first)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    io_uring_prep_sendmsg(sqe, sock, message_of(at, len, first), MSG_NOSIGNAL);
    sqe->opcode = IORING_OP_SENDMSG_ZC;
    return complete(true);
}
#endif

static const struct way {
    const char *name;
    ssize_t (*send)(size_t at, size_t len, bool first);
} ways[] = {
    { "sendmsg", by_sendmsg },   { "sendfile", by_sendfile },
    { "splice", by_splice },
#ifdef WITH_LIBURING
    { "ring sendmsg", by_ring }, { "ring zero-copy", by_ring_zero_copy },
#endif
};
#define WAYS (sizeof(ways) / sizeof(*ways))

static void answer(const struct way *way, size_t at, size_t len)
{
    size_t sent = 0, all = HEAD_BYTES + len;

    while (sent < all) {
        size_t of_body = sent > 0 ? sent - HEAD_BYTES : 0;
        ssize_t n = way->send(at + of_body, len - of_body, sent == 0);

        if (n < 0 && errno == EAGAIN)
            wait_writable();
        else if (n <= 0)
            fail(way->name);
        else
            sent += (size_t)n;
    }
}

/* --- The client: asks as often as it is told how many bytes come. */

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set))
        fail("cannot be pinned");
}

static void ask(int fd, size_t len, size_t chunk)
{
    char *buffer = malloc(chunk);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Some answers ahead, so that the server finds work whenever it looks: to fall asleep and
     * be woken costs a virtual machine more than to answer. */
    if (send(fd, "12345678", 8, MSG_NOSIGNAL) != 8)
        _exit(0);
    for (;;) {
        if (send(fd, "", 1, MSG_NOSIGNAL) != 1)
            _exit(0);
        for (size_t left = HEAD_BYTES + len; left > 0;) {
            ssize_t n = recv(fd, buffer, chunk < left ? chunk : left, 0);
            if (n <= 0)
                _exit(0);
            left -= (size_t)n;
        }
    }
}

static int connect_pair(int *client)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof(address);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        fail("listen");
    *client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(*client, (struct sockaddr *)&address, size))
        fail("connect");
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    close(listener);
    return fd;
}

/* --- Measuring */

static double clock_of(clockid_t id)
{
    struct timespec time;

    clock_gettime(id, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_gb[WAYS][ROUNDS], rate[WAYS][ROUNDS], ratio[WAYS][ROUNDS];

static void measure_slice(size_t w, size_t len, int round)
{
    size_t count = SLICE_BYTES / (len + 4096) + 1, at = 0;
    double wall = clock_of(CLOCK_MONOTONIC), cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    char byte;

    for (size_t i = 0; i < count; i++) {
        while (recv(sock, &byte, 1, 0) < 0) {
            struct pollfd fd = { .fd = sock, .events = POLLIN };
            poll(&fd, 1, -1);
        }
        answer(&ways[w], at, len);
        at = (at + len + 4096) % (FILE_BYTES - len) & ~(size_t)4095;
    }
    double bytes = (double)(count * (len + HEAD_BYTES));
    cpu_gb[w][round] = (clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / bytes * 1e9;
    rate[w][round] = bytes / 1e9 / (clock_of(CLOCK_MONOTONIC) - wall);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(double), compare);
    return values[ROUNDS / 2];
}

static void measure(size_t len, size_t chunk)
{
    int client;

    sock = connect_pair(&client);
    pid_t pid = fork();
    if (pid == 0) {
        pin(1);
        ask(client, len, chunk);
    }
    close(client);
    fcntl(sock, F_SETFL, O_NONBLOCK);
    for (int round = 0; round < ROUNDS; round++) {
        size_t order[WAYS];

        for (size_t w = 0; w < WAYS; w++) {
            size_t other = (size_t)rand() % (w + 1);
            order[w] = order[other];
            order[other] = w;
        }
        for (size_t w = 0; w < WAYS; w++)
            measure_slice(order[w], len, round);
        for (size_t w = 0; w < WAYS; w++)
            ratio[w][round] = cpu_gb[w][round] / cpu_gb[0][round];
    }
    for (size_t w = 0; w < WAYS; w++) {
        double cpu = median(cpu_gb[w]);
        printf("| %zuK | %s | %.3f | %.1f | %.2f | %.2f |\n", len >> 10, ways[w].name, cpu,
               cpu * (double)(len + HEAD_BYTES) / 1e3, median(ratio[w]), median(rate[w]));
    }
    fflush(stdout);
    close(sock);
    kill(pid, SIGKILL);
}

int main(int argc, char **argv)
{
    size_t chunk = argc > 1 ? strtoul(argv[1], NULL, 10) << 10 : 64 << 10;
    char path[] = "/tmp/sending-XXXXXX";

    signal(SIGCHLD, SIG_IGN);
    file = mkstemp(path);
    unlink(path);
    if (file < 0 || ftruncate(file, FILE_BYTES) || pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
        fail(path);
    fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
    mapped = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        fail("mmap");
    memset(mapped, 'x', FILE_BYTES);
#ifdef WITH_LIBURING
    if (io_uring_queue_init(8, &ring, 0) < 0)
        fail("io_uring");
#endif
    pin(0);
    printf("| body | way | CPU s/GB | CPU us/answer | CPU/sendmsg | GB/s |\n"
           "|---:|---|---:|---:|---:|---:|\n");
    for (size_t len = 16 << 10; len <= 1 << 20; len *= 2)
        measure(len, chunk);
    return 0;
}
