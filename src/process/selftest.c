#include "process/selftest.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define REQUEST "GET /health HTTP/1.0\r\n\r\n"
#define ANSWER "HTTP/1."

/* Turn the loop until the first bytes of an answer are at ${fd}, or the time is over. */
static bool hear_answer(struct loop *loop, int fd, uint64_t deadline)
{
    char bytes[sizeof(ANSWER) - 1];
    ssize_t n = -1;

    while (n < (ssize_t)sizeof(bytes) && n != 0 && clock_ms() < deadline) {
        if (loop_turn(loop, 10))
            return false;
        n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    }
    return n == (ssize_t)sizeof(bytes) && memcmp(bytes, ANSWER, sizeof(bytes)) == 0;
}

bool selftest_answers(struct loop *loop, struct conn_pool *conns, uint64_t ms)
{
    uint64_t deadline = clock_ms() + ms;
    int pair[2];

    /* A turn, so that timeouts count from now. */
    if (loop_turn(loop, 0) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        return false;
    conn_pool_accept_admin(conns, pair[1]);
    bool answers = send(pair[0], REQUEST, strlen(REQUEST), MSG_NOSIGNAL) > 0 &&
                   hear_answer(loop, pair[0], deadline);
    close(pair[0]);
    while (answers && conn_pool_count(conns) > 0 && clock_ms() < deadline)
        answers = loop_turn(loop, 10) == 0;
    return answers && conn_pool_count(conns) == 0;
}
