#include "limit.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define EVENTS 256
#define RECEIVE (16 * 1024)

/* Found by its descriptor. ${readable} and ${writable} remember what the edges said. */
static struct conn {
    unsigned matched; /* of the blank line that ends a request */
    unsigned owed;    /* answers not wholly sent */
    size_t sent;      /* bytes of the one under way */
    bool readable, writable;
} conns[LIMIT_CONNECTIONS];

/* Edges of both directions at once, so that no connection costs a second epoll_ctl. */
static int watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (fd >= LIMIT_CONNECTIONS ||
            watch(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
            close(fd);
            continue;
        }
        conns[fd] = (struct conn){ .writable = true };
    }
}

/* Receive once; false when the connection is over. */
static bool receive(int fd, struct conn *conn, bool closing)
{
    static char buffer[RECEIVE];
    ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n < 0) {
        conn->readable = errno == EINTR;
        return true;
    }
    /* Less than asked for means drained, and the next byte is a new edge; an end is not. */
    if ((size_t)n < sizeof(buffer) && !closing)
        conn->readable = false;
    conn->owed += limit_count_requests(buffer, (size_t)n, &conn->matched);
    return true;
}

/* Answer what is owed, then read on, until there is nothing to do; false when it is over. */
static bool turn(int fd, struct conn *conn, bool closing, const struct limit_answer *answer,
                 enum limit_way way)
{
    for (;;) {
        while (conn->owed > 0 && conn->writable) {
            int done = limit_send(fd, answer, way, &conn->sent);
            if (done < 0)
                return false;
            if (done == 0) {
                conn->writable = false;
                break;
            }
            conn->owed--;
            conn->sent = 0;
        }
        if (conn->owed > 0 || !conn->readable)
            return true;
        if (!receive(fd, conn, closing))
            return false;
    }
}

int limit_epoll(int listener, const struct limit_answer *answer, enum limit_way way)
{
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0 || watch(epoll, listener, EPOLLIN)) {
        log_error("epoll: %m");
        return -1;
    }
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        if (n < 0 && errno != EINTR) {
            log_error("epoll_wait: %m");
            return -1;
        }
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            uint32_t what = events[i].events;
            if (fd == listener) {
                accept_all(epoll, listener);
                continue;
            }
            struct conn *conn = &conns[fd];
            conn->readable |= (what & ~(uint32_t)EPOLLOUT) != 0;
            conn->writable |= (what & EPOLLOUT) != 0;
            bool closing = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
            if (!turn(fd, conn, closing, answer, way))
                close(fd);
        }
    }
}
