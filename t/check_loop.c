#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sig.h"
#include "dice.h"
#include "system/config.h"
#include "system/listen.h"
#include "system/loop.h"

static const struct loop_engine *engine; /* of all loops of this case */
static bool by_ring; /* it hands in at the next turn's wait what this turn was asked for */
static struct loop *loop;
static int watched, watched_fd;
static int accepted_fds[64], accepted;
static bool inside; /* a call into the loop, from which no callback may come */

/* What a user does when it is called back. */
struct user {
    struct loop_io io;
    int peer; /* the other end of its socket */
    void (*act)(struct user *user);
    struct user *other;
    int received, sent, resumed, expired, closed;
    char bytes[4096]; /* the last ones received */
    ssize_t count, total, error;
    struct iovec iov[LOOP_SEND_MAX];
};

static struct user *user_of(struct loop_io *io)
{
    return (struct user *)((char *)io - offsetof(struct user, io));
}

static void called(struct user *user)
{
    MUST(!inside);
    MUST(user->closed == 0);
    MUST(!user->io.closing);
    if (user->act != NULL) {
        inside = true;
        user->act(user);
        inside = false;
    }
}

static void on_received(struct loop_io *io, const char *bytes, ssize_t count)
{
    struct user *user = user_of(io);

    user->received++;
    user->count = count;
    if (count > 0) {
        user->total += count;
        memcpy(user->bytes, bytes, (size_t)count < 4096 ? (size_t)count : 4096);
    } else if (count < 0) {
        user->error = -count;
    }
    called(user);
}

static void on_sent(struct loop_io *io, ssize_t count)
{
    struct user *user = user_of(io);

    MUST(count != 0);
    user->sent++;
    user->count = count;
    if (count > 0)
        user->total += count;
    else
        user->error = -count;
    called(user);
}

static void on_resumed(struct loop_io *io)
{
    user_of(io)->resumed++;
    called(user_of(io));
}

static void on_expired(struct loop_io *io)
{
    user_of(io)->expired++;
    called(user_of(io));
}

static void on_closed(struct loop_io *io)
{
    ck_assert(!inside);
    ck_assert_int_eq(user_of(io)->closed, 0);
    user_of(io)->closed++;
}

static const struct loop_events events = {
    .received = on_received,
    .sent = on_sent,
    .resumed = on_resumed,
    .expired = on_expired,
    .closed = on_closed,
};

static void begin(void)
{
    signal(SIGPIPE, SIG_DFL); /* must not come */
    accepted = watched = 0;
    loop = loop_new(engine);
    ck_assert_ptr_nonnull(loop);
}

static void add(struct user *user)
{
    int ends[2];

    memset(user, 0, sizeof(*user));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_eq(loop_add(loop, &user->io, ends[0], &events), 0);
    user->peer = ends[1];
}

static void turns(int count)
{
    for (int i = 0; i < count * (by_ring ? 3 : 1); i++)
        MUST(loop_turn(loop, 0) == 0);
}

/* The socket is gone, and that was said once. */
static void check_closed(struct user *user)
{
    int before = user->received + user->sent + user->resumed + user->expired;
    char byte;

    turns(3);
    ck_assert_int_eq(user->closed, 1);
    ck_assert_int_eq(user->received + user->sent + user->resumed + user->expired, before);
    ssize_t rest;
    while ((rest = read(user->peer, &byte, 1)) > 0)
        ;
    ck_assert(rest == 0 || errno == ECONNRESET);
    close(user->peer);
}

static void close_self(struct user *user)
{
    loop_close(loop, &user->io);
}

static void end(struct user *user)
{
    user->act = NULL;
    loop_close(loop, &user->io);
    check_closed(user);
}

static void say(struct user *user, const char *text)
{
    ck_assert_int_eq(write(user->peer, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(loop_receives_once_for_each_time_it_is_asked)
{
    struct user user;

    begin();
    add(&user);
    say(&user, "one");
    turns(3);
    ck_assert_int_eq(user.received, 0); /* nobody asked */
    loop_receive(loop, &user.io);
    turns(2);
    ck_assert_int_eq(user.received, 1);
    ck_assert_int_eq(user.count, 3);
    ck_assert(memcmp(user.bytes, "one", 3) == 0);

    loop_receive(loop, &user.io);
    turns(2);
    ck_assert_int_eq(user.received, 1);
    say(&user, "two");
    turns(1);
    ck_assert_int_eq(user.received, 2);
    ck_assert(memcmp(user.bytes, "two", 3) == 0);
    say(&user, "three");
    turns(2);
    ck_assert_int_eq(user.received, 2);

    /* What was sent before the end comes before the end, which then stays. */
    shutdown(user.peer, SHUT_WR);
    turns(2);
    loop_receive(loop, &user.io);
    turns(1);
    ck_assert_int_eq(user.count, 5);
    for (int i = 0; i < 3; i++) {
        loop_receive(loop, &user.io);
        turns(2);
        ck_assert_int_eq(user.received, 4 + i);
        ck_assert_int_eq(user.count, 0);
    }
    end(&user);
    loop_free(loop);
}
END_TEST

static void receive_again(struct user *user)
{
    if (user->count > 0)
        loop_receive(loop, &user->io);
}

/* Much data, and the end in the same moment: nothing is forgotten without another edge. */
START_TEST(loop_receives_all)
{
    static char bytes[150000];
    struct user user;

    for (int hang_up = 0; hang_up < 3; hang_up++) {
        int room = 400000;

        begin();
        add(&user);
        setsockopt(user.peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        ssize_t put = write(user.peer, bytes, sizeof(bytes));
        ck_assert_int_gt(put, 65536);
        if (hang_up == 1)
            shutdown(user.peer, SHUT_WR);
        if (hang_up == 2)
            close(user.peer);
        user.act = receive_again;
        loop_receive(loop, &user.io);
        turns(40);
        ck_assert_int_eq(user.total, put);
        ck_assert_int_eq(user.count == 0, hang_up != 0);
        user.act = NULL;
        loop_close(loop, &user.io);
        turns(1);
        ck_assert_int_eq(user.closed, 1);
        if (hang_up != 2)
            close(user.peer);
        loop_free(loop);
    }
}
END_TEST

START_TEST(loop_sends_what_fits)
{
    static char bytes[3 << 20], got[1 << 16];
    struct user user;
    struct dice dice = dice_new(1);
    size_t at = 0, sent = 0, seen = 0;

    begin();
    add(&user);
    dice_fill(&dice, bytes, sizeof(bytes));
    while (seen < sizeof(bytes)) {
        if (!user.io.sending && sent < sizeof(bytes)) {
            /* The rest, in pieces of any size. */
            int count = 0;

            for (at = sent; at < sizeof(bytes) && count < LOOP_SEND_MAX; count++) {
                size_t len = 1 + dice_roll(&dice, 20000);

                len = len < sizeof(bytes) - at ? len : sizeof(bytes) - at;
                user.iov[count] = (struct iovec){ bytes + at, len };
                at += len;
            }
            loop_send(loop, &user.io, user.iov, count);
        }
        int before = user.sent;
        turns(1);
        if (user.sent > before) {
            ck_assert_int_eq(user.sent, before + 1);
            ck_assert_int_gt(user.count, 0);
            sent += (size_t)user.count;
            ck_assert_uint_le(sent, at);
        }
        ssize_t count = read(user.peer, got, 1 + dice_roll(&dice, sizeof(got)));
        if (count > 0) {
            ck_assert(memcmp(got, bytes + seen, (size_t)count) == 0);
            seen += (size_t)count;
        }
    }
    end(&user);
    loop_free(loop);
}
END_TEST

/* A full socket waits without turning in circles, and goes on when there is room. */
START_TEST(loop_waits_for_room)
{
    static char bytes[4 << 20];
    struct user user;

    begin();
    add(&user);
    user.iov[0] = (struct iovec){ bytes, sizeof(bytes) };
    loop_send(loop, &user.io, user.iov, 1);
    turns(1);
    ck_assert_int_eq(user.sent, 1);
    ssize_t first = user.total;
    ck_assert_int_lt(first, (ssize_t)sizeof(bytes));
    loop_send(loop, &user.io, user.iov, 1);
    turns(1);
    uint64_t start = clock_ns();
    ck_assert_int_eq(loop_turn(loop, 50), 0);
    ck_assert_int_eq(loop_turn(loop, 50), 0);
    ck_assert_uint_ge(clock_ns() - start, 90000000);
    ck_assert_int_eq(user.sent, 1);

    /* Meanwhile it may receive. */
    loop_receive(loop, &user.io);
    say(&user, "hello");
    turns(1);
    ck_assert_int_eq(user.received, 1);

    while (read(user.peer, bytes, sizeof(bytes)) > 0)
        ;
    turns(2);
    ck_assert_int_eq(user.sent, 2);
    end(&user);
    loop_free(loop);
}
END_TEST

START_TEST(loop_tells_of_a_peer_that_is_gone)
{
    static char bytes[4 << 20];
    struct user user;

    begin();
    add(&user);
    close(user.peer);
    user.iov[0] = (struct iovec){ bytes, 10 };
    loop_send(loop, &user.io, user.iov, 1);
    turns(2);
    ck_assert_int_eq(user.sent, 1);
    ck_assert_int_eq(user.error, EPIPE);
    loop_receive(loop, &user.io);
    turns(2);
    ck_assert_int_eq(user.received, 1);
    ck_assert_int_le(user.count, 0);
    user.peer = open("/dev/null", O_RDONLY);
    end(&user);

    /* One that waits for room hears of it, too. */
    add(&user);
    user.iov[0] = (struct iovec){ bytes, sizeof(bytes) };
    loop_send(loop, &user.io, user.iov, 1);
    turns(1);
    loop_send(loop, &user.io, user.iov, 1);
    turns(1);
    ck_assert_int_eq(user.sent, 1);
    close(user.peer);
    turns(2);
    ck_assert_int_eq(user.sent, 2);
    ck_assert(user.error == EPIPE || user.error == ECONNRESET);
    user.peer = open("/dev/null", O_RDONLY);
    end(&user);

    /* And one that was not asking finds out when it asks. */
    add(&user);
    say(&user, "last words");
    close(user.peer);
    turns(3);
    ck_assert_int_eq(user.received, 0);
    loop_receive(loop, &user.io);
    turns(1);
    ck_assert_int_eq(user.count, 10);
    loop_receive(loop, &user.io);
    turns(1);
    ck_assert_int_eq(user.count, 0);
    user.peer = open("/dev/null", O_RDONLY);
    end(&user);
    loop_free(loop);
}
END_TEST

static void yield_again(struct user *user)
{
    loop_yield(loop, &user->io);
}

/* In turn with all others, and each once a turn. */
START_TEST(loop_yields)
{
    struct user users[5];

    begin();
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        add(&users[i]);
        users[i].act = yield_again;
        inside = true;
        loop_yield(loop, &users[i].io);
        inside = false;
    }
    for (int turn = 1; turn <= 10; turn++) {
        ck_assert_int_eq(loop_turn(loop, -1), 0); /* does not wait */
        for (size_t i = 0; i < COUNT_OF(users); i++)
            ck_assert_int_eq(users[i].resumed, turn);
    }
    for (size_t i = 0; i < COUNT_OF(users); i++)
        end(&users[i]);
    loop_free(loop);
}
END_TEST

START_TEST(loop_expires)
{
    struct user user, never;

    begin();
    add(&user);
    add(&never);
    uint64_t start = clock_ms();
    loop_expire(loop, &user.io, 60);
    loop_expire(loop, &never.io, 30);
    loop_expire(loop, &never.io, 0);
    while (user.expired == 0)
        ck_assert_int_eq(loop_turn(loop, -1), 0);
    uint64_t took = clock_ms() - start;
    ck_assert_uint_ge(took, 60);
    ck_assert_uint_le(took, 2000);

    /* Once; and what is set later, comes later. */
    loop_turn(loop, 100);
    ck_assert_int_eq(user.expired, 1);
    loop_expire(loop, &user.io, 40);
    loop_expire(loop, &user.io, 3600000);
    loop_expire(loop, &never.io, 3600000);
    loop_turn(loop, 100);
    loop_turn(loop, 0);
    ck_assert_int_eq(user.expired, 1);
    ck_assert_int_eq(never.expired, 0);
    end(&user);
    end(&never);
    loop_free(loop);
}
END_TEST

static void expire_never(struct user *user)
{
    loop_expire(loop, &user->io, 0);
}

/* What came in time is in time, however late the loop comes to it: its core may have been
 * somebody else's. */
START_TEST(loop_receives_before_it_expires)
{
    struct user user;

    begin();
    add(&user);
    user.act = expire_never;
    loop_receive(loop, &user.io);
    turns(1);
    say(&user, "in time");
    loop_expire(loop, &user.io, 1);
    for (uint64_t start = clock_ms(); clock_ms() < start + 200;)
        usleep(10000);
    turns(3);
    ck_assert_int_eq(user.received, 1);
    ck_assert_int_eq(user.expired, 0);
    end(&user);
    loop_free(loop);
}
END_TEST

static void answer_with_everything(struct user *user)
{
    loop_receive(loop, &user->io);
    loop_yield(loop, &user->io);
    loop_expire(loop, &user->io, 1);
    loop_send(loop, &user->io, user->iov, 1);
    loop_close(loop, &user->io);
    loop_close(loop, &user->io); /* once more harms nothing */
}

/* From within each callback, with all else asked for. */
START_TEST(loop_closes_from_anywhere)
{
    struct user user;

    begin();
    for (int way = 0; way < 8; way++) {
        add(&user);
        user.iov[0] = (struct iovec){ (void *)(uintptr_t) "x", 1 };
        user.act = way < 4 ? close_self : answer_with_everything;
        say(&user, "here");
        switch (way % 4) {
        case 0:
            loop_receive(loop, &user.io);
            break;
        case 1:
            loop_send(loop, &user.io, user.iov, 1);
            break;
        case 2:
            loop_yield(loop, &user.io);
            break;
        case 3:
            loop_expire(loop, &user.io, 1);
            while (user.expired == 0)
                loop_turn(loop, 200);
            break;
        }
        turns(2);
        ck_assert_int_eq(user.received + user.sent + user.resumed + user.expired, 1);
        check_closed(&user);
    }

    /* From outside of any. */
    add(&user);
    say(&user, "here");
    loop_receive(loop, &user.io);
    loop_yield(loop, &user.io);
    loop_close(loop, &user.io);
    ck_assert_int_eq(user.closed, 0);
    check_closed(&user);
    ck_assert_int_eq(user.received + user.resumed, 0);
    loop_free(loop);
}
END_TEST

static void close_other(struct user *user)
{
    loop_close(loop, &user->other->io);
}

/* Of two that have something to do in the same turn, the one that is first closes the other. */
START_TEST(loop_closes_others)
{
    struct user a, b;

    begin();
    for (int way = 0; way < 4; way++) {
        add(&a);
        add(&b);
        a.other = &b;
        b.other = &a;
        a.act = b.act = close_other;
        if (way == 0) {
            say(&a, "x");
            say(&b, "x");
            loop_receive(loop, &a.io);
            loop_receive(loop, &b.io);
        } else if (way == 1) {
            loop_yield(loop, &a.io);
            loop_yield(loop, &b.io);
        } else if (way == 2) {
            loop_expire(loop, &a.io, 1);
            loop_expire(loop, &b.io, 1);
            while (a.expired + b.expired == 0)
                loop_turn(loop, 200);
        } else {
            loop_yield(loop, &a.io);
            say(&b, "x");
            loop_receive(loop, &b.io);
        }
        turns(2);
        ck_assert_int_eq(a.closed + b.closed, 1);
        ck_assert_int_eq(
            a.received + a.resumed + a.expired + b.received + b.resumed + b.expired, 1);
        struct user *dead = a.closed ? &a : &b;
        check_closed(dead);
        end(dead->other);
    }
    loop_free(loop);
}
END_TEST

static void send_answer(struct user *user)
{
    if (user->received == 1 && user->sent == 0)
        loop_send(loop, &user->io, user->iov, 1);
}

/* A request is answered in the turn it came in. */
START_TEST(loop_answers_at_once)
{
    struct user user;
    char got[8];

    begin();
    add(&user);
    turns(1);
    user.iov[0] = (struct iovec){ (void *)(uintptr_t) "pong", 4 };
    user.act = send_answer;
    loop_receive(loop, &user.io);
    say(&user, "ping");
    turns(1);
    ck_assert_int_eq(read(user.peer, got, sizeof(got)), 4);
    loop_shutdown(&user.io);
    ck_assert_int_eq(read(user.peer, got, sizeof(got)), 0);
    loop_receive(loop, &user.io); /* the other way is still open */
    say(&user, "more");
    turns(1);
    ck_assert_int_eq(user.received, 2);
    end(&user);
    loop_free(loop);
}
END_TEST

static void on_watched(void *arg)
{
    ck_assert_ptr_eq(arg, &watched);
    watched++;
    if (watched == 3)
        loop_unwatch(loop, watched_fd);
}

START_TEST(loop_watches)
{
    int ends[2], other[2];

    begin();
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    ck_assert_int_eq(pipe2(other, O_NONBLOCK), 0);
    watched_fd = ends[0];
    ck_assert_int_eq(loop_watch(loop, other[0], on_watched, &watched), 0);
    ck_assert_int_eq(loop_watch(loop, ends[0], on_watched, &watched), 0);
    turns(2);
    ck_assert_int_eq(watched, 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    turns(5); /* as long as it is not read, but no longer than it is watched */
    ck_assert_int_eq(watched, 3);
    loop_unwatch(loop, ends[0]); /* no more */
    loop_unwatch(loop, 12345);

    watched = 10;
    close(other[1]);
    while (watched == 10)
        ck_assert_int_eq(loop_turn(loop, -1), 0);
    ck_assert_int_eq(watched, 11);
    loop_unwatch(loop, other[0]);
    turns(2);
    ck_assert_int_eq(watched, 11);

    ck_assert_int_eq(loop_watch(loop, ends[0], on_watched, &watched), 0);
    loop_free(loop);                                   /* with a watch in it */
    ck_assert_int_eq(fcntl(ends[0], F_GETFD) >= 0, 1); /* which stays its owner's */
    close(ends[0]);
    close(ends[1]);
    close(other[0]);
}
END_TEST

static void on_accepted(void *arg, int fd)
{
    ck_assert_ptr_eq(arg, accepted_fds);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    accepted_fds[accepted++] = fd;
}

static int connect_to(int listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    if (connect(fd, (struct sockaddr *)&address, len) && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static int listen_anywhere(void)
{
    char problem[256];
    int fd = listen_open("127.0.0.1:0", 64, problem, sizeof(problem));

    ck_assert_msg(fd >= 0, "%s", problem);
    return fd;
}

START_TEST(loop_accepts)
{
    int one, two, clients[10];

    begin();
    one = listen_anywhere();
    two = listen_anywhere();
    ck_assert_int_eq(loop_listen(loop, one, on_accepted, accepted_fds), 0);
    ck_assert_int_eq(loop_listen(loop, two, on_accepted, accepted_fds), 0);
    for (int i = 0; i < 10; i++)
        clients[i] = connect_to(i % 2 ? one : two);
    for (int i = 0; i < 100 && accepted < 10; i++)
        loop_turn(loop, 20);
    ck_assert_int_eq(accepted, 10);

    loop_unlisten(loop);
    ck_assert_int_eq(fcntl(one, F_GETFD), -1);
    ck_assert_int_eq(fcntl(two, F_GETFD), -1);
    turns(2);
    for (int i = 0; i < 10; i++) {
        close(clients[i]);
        close(accepted_fds[i]);
    }
    loop_free(loop);
}
END_TEST

/* Without file descriptors it says so once, waits, and goes on when there are some again. */
START_TEST(loop_pauses_without_files)
{
    struct rlimit limit, low;
    int listener, client, spare;

    begin();
    listener = listen_anywhere();
    ck_assert_int_eq(loop_listen(loop, listener, on_accepted, accepted_fds), 0);
    client = connect_to(listener);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    spare = dup(client);
    close(spare);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){ (rlim_t)spare, limit.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    int null = open("/dev/null", O_WRONLY);
    ck_assert_int_eq(null, -1);

    for (int i = 0; i < 10; i++)
        turns(1);
    ck_assert_int_eq(accepted, 0);
    uint64_t start = clock_ns();
    loop_turn(loop, 60); /* sleeps */
    ck_assert_uint_ge(clock_ns() - start, 15000000);

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int another = connect_to(listener); /* valgrind took the first one and threw it away */
    for (int i = 0; i < 100 && accepted == 0; i++)
        loop_turn(loop, 50);
    ck_assert_int_ge(accepted, 1);
    close(accepted_fds[0]);
    close(client);
    close(another);
    loop_free(loop);
}
END_TEST

static void count_watch(void *arg)
{
    ++*(int *)arg;
}

static void collect(void *arg)
{
    (void)arg;
    sig_collect();
}

/* Behind a descriptor that is always ready, too. */
/* Two ends of a TCP connection, of which the loop has one. */
static void add_tcp(struct user *user)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    memset(user, 0, sizeof(*user));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    user->peer = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(user->peer, (struct sockaddr *)&address, size), 0);
    fcntl(user->peer, F_SETFL, O_NONBLOCK);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    ck_assert_int_eq(loop_add(loop, &user->io, fd, &events), 0);
    close(listener);
}

/* Whatever a peer sends that nobody asked for, little of it is kept in memory, and none lost.
 */
START_TEST(loop_keeps_little)
{
    static char bytes[65536];
    struct user user;
    ssize_t count, put = 1;

    begin();
    add_tcp(&user);
    loop_receive(loop, &user.io);
    turns(1);
    ck_assert_int_eq(write(user.peer, "x", 1), 1);
    for (int i = 0; i < 100 && user.received == 0; i++)
        ck_assert_int_eq(loop_turn(loop, 1000), 0);
    ck_assert_int_eq(user.received, 1);
    for (int full = 0; full < 20; full++) {
        while ((count = write(user.peer, bytes, sizeof(bytes))) > 0)
            put += count;
        turns(1);
        if (by_ring)
            ck_assert_uint_le(user.io.uring.kept_len, 66 << 10);
    }
    ck_assert_int_gt(put, 100000);
    while (user.total < put) {
        if (!user.io.receiving)
            loop_receive(loop, &user.io);
        ck_assert_int_eq(loop_turn(loop, 1000), 0);
    }
    ck_assert_int_eq(user.error, 0);
    end(&user);
    loop_free(loop);
}
END_TEST

/* A file of ${len} bytes, which count up in steps of 7. */
static int make_file(size_t len)
{
    int fd = memfd_create("file", 0);

    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)(i * 7 + i / 256);
        MUST(pwrite(fd, &byte, 1, (off_t)i) == 1);
    }
    return fd;
}

/* Memory and a file behind it; a file that ends too early. */
START_TEST(loop_sends_files)
{
    static unsigned char got[200000], expected[200000];
    struct user user;
    struct iovec iov[2] = { { (void *)"head", 4 }, { (void *)"line", 4 } };
    int fd = make_file(100000);
    struct loop_file file = { .fd = fd, .at = 1000, .len = 90000 };

    memcpy(expected, "headline", 8);
    ck_assert_int_eq(pread(fd, expected + 8, file.len, file.at), (ssize_t)file.len);
    for (int pieces = 2; pieces >= 0; pieces -= 2) {
        size_t before = (size_t)pieces * 4, at = 0, len = before + 90000;

        begin();
        add(&user);
        loop_send_file(loop, &user.io, iov, pieces, file);
        for (int i = 0; i < 100000 && at < len; i++) {
            turns(1);
            ssize_t count = read(user.peer, got + at, len - at);
            at += count > 0 ? (size_t)count : 0;
            if (user.sent == 0)
                continue;
            ck_assert_int_eq(user.error, 0);
            if (user.total < (ssize_t)len) {
                size_t done = (size_t)user.total - before;
                struct loop_file rest = { fd, file.at + (off_t)done, file.len - done };
                ck_assert_int_ge(user.total, (ssize_t)before);
                user.sent = 0;
                loop_send_file(loop, &user.io, NULL, 0, rest);
            }
        }
        ck_assert_uint_eq(at, len);
        ck_assert_int_eq(user.total, (ssize_t)len);
        ck_assert(memcmp(got, expected + 8 - before, len) == 0);
        end(&user);
        loop_free(loop);
    }

    begin();
    add(&user);
    loop_send_file(loop, &user.io, iov, 2, (struct loop_file){ fd, 99990, 500 });
    for (int i = 0; i < 1000 && user.sent == 0; i++)
        turns(1);
    ck_assert_int_eq(user.count, 18);
    loop_send_file(loop, &user.io, NULL, 0, (struct loop_file){ fd, 100000, 490 });
    for (int i = 0; i < 1000 && user.sent == 1; i++)
        turns(1);
    ck_assert_int_eq(user.error, EFAULT);
    end(&user);
    loop_free(loop);
    close(fd);
}
END_TEST

static char plenty[100 << 10];

/* Send without end, and count the turns. */
static void send_again(struct user *user)
{
    user->iov[0] = (struct iovec){ plenty, sizeof(plenty) };
    loop_send(loop, &user->io, user->iov, 1);
}

/* A turn sends only so much; those who take much share it, and little is not kept waiting. */
START_TEST(loop_shares_a_turn)
{
    static char sink[1 << 20];
    struct user users[16], small;

    begin();
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        add(&users[i]);
        users[i].act = send_again;
        send_again(&users[i]);
    }
    add(&small);
    for (int turn = 0; turn < 200; turn++) {
        ssize_t before = 0, after = 0;

        for (size_t i = 0; i < COUNT_OF(users); i++) {
            while (read(users[i].peer, sink, sizeof(sink)) > 0)
                ;
            before += users[i].total;
        }
        small.iov[0] = (struct iovec){ plenty, 100 };
        loop_send(loop, &small.io, small.iov, 1);
        turns(1);
        ck_assert_int_eq(small.sent, turn + 1);
        for (size_t i = 0; i < COUNT_OF(users); i++)
            after += users[i].total;
        ck_assert_int_le(after - before, (by_ring ? 3 : 1) * ((512 << 10) + (100 << 10)));
        while (read(small.peer, sink, sizeof(sink)) > 0)
            ;
    }
    for (size_t i = 0; i < COUNT_OF(users); i++) {
        ck_assert_int_eq(users[i].error, 0);
        ck_assert_int_gt(users[i].sent, 200 * 2 / 16);
        end(&users[i]);
    }
    end(&small);
    loop_free(loop);
}
END_TEST

START_TEST(loop_wakes_for_signals)
{
    static const int signals[] = { SIGUSR1, 0 };
    int fd = sig_catch(signals), busy[2], seen = 0;

    ck_assert_int_ge(fd, 0);
    begin();
    ck_assert_int_eq(loop_watch(loop, fd, collect, NULL), 0);
    kill(getpid(), SIGUSR1);
    ck_assert(!sig_take(SIGUSR1));
    ck_assert_int_eq(loop_turn(loop, -1), 0);
    ck_assert(sig_take(SIGUSR1));

    ck_assert_int_eq(pipe(busy), 0);
    ck_assert_int_eq(write(busy[1], "x", 1), 1);
    ck_assert_int_eq(loop_watch(loop, busy[0], count_watch, &seen), 0);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(loop_turn(loop, -1), 0);
    ck_assert(sig_take(SIGUSR1));
    ck_assert_int_gt(seen, 0);
    loop_unwatch(loop, busy[0]);

    uint64_t start = clock_ns();
    ck_assert_int_eq(loop_turn(loop, 30), 0);
    ck_assert_uint_ge(clock_ns() - start, 29000000);
    ck_assert_uint_le(loop_now(loop), clock_ms());
    loop_free(loop);
}
END_TEST

START_TEST(loop_buries_without_a_turn)
{
    struct user users[3];

    begin();
    for (size_t i = 0; i < COUNT_OF(users); i++)
        add(&users[i]);
    loop_yield(loop, &users[1].io);
    loop_close(loop, &users[0].io);
    loop_close(loop, &users[2].io);
    loop_bury(loop);
    ck_assert_int_eq(users[0].closed, 1);
    ck_assert_int_eq(users[1].closed, 0);
    ck_assert_int_eq(users[2].closed, 1);
    turns(1);
    ck_assert_int_eq(users[1].resumed, 1); /* what was asked for is not forgotten */
    loop_close(loop, &users[1].io);
    loop_free(loop);
    ck_assert_int_eq(users[1].closed, 1);
    for (size_t i = 0; i < COUNT_OF(users); i++)
        close(users[i].peer);
    loop_free(NULL);
}
END_TEST

static void echo(struct user *user)
{
    if (user->io.sending || user->io.receiving)
        return;
    if (user->sent > 0 && user->iov[0].iov_len > 0 && user->error == 0 && user->resumed == 0) {
        /* A part of it was sent: the rest. */
        user->iov[0].iov_base = (char *)user->iov[0].iov_base + user->count;
        user->iov[0].iov_len -= (size_t)user->count;
        user->sent = 0;
        if (user->iov[0].iov_len > 0)
            loop_send(loop, &user->io, user->iov, 1);
        else
            loop_receive(loop, &user->io);
    } else if (user->received > 0 && user->count > 0) {
        user->iov[0] = (struct iovec){ user->bytes, (size_t)user->count };
        user->received = 0;
        loop_send(loop, &user->io, user->iov, 1);
    }
}

/* Many at once, at random. */
START_TEST(loop_serves_many)
{
    enum { USERS = 40 };
    static struct user users[USERS];
    struct dice dice = dice_new(3);
    size_t put[USERS] = { 0 }, got[USERS] = { 0 };

    begin();
    for (size_t i = 0; i < USERS; i++) {
        add(&users[i]);
        users[i].act = echo;
        loop_receive(loop, &users[i].io);
    }
    for (int step = 0; step < 30000; step++) {
        size_t i = dice_roll(&dice, USERS);
        unsigned char bytes[1000];
        size_t len = 1 + dice_roll(&dice, sizeof(bytes));

        if (put[i] - got[i] < 3000 && dice_roll(&dice, 2)) {
            for (size_t j = 0; j < len; j++)
                bytes[j] = (unsigned char)((put[i] + j) * 7 + i);
            ssize_t count = write(users[i].peer, bytes, len);
            put[i] += count > 0 ? (size_t)count : 0;
        } else {
            ssize_t count = read(users[i].peer, bytes, len);
            for (ssize_t j = 0; j < count; j++)
                MUST(bytes[j] == (unsigned char)((got[i] + (size_t)j) * 7 + i));
            got[i] += count > 0 ? (size_t)count : 0;
        }
        if (dice_roll(&dice, 4) == 0)
            turns(1);
    }
    for (size_t i = 0; i < USERS; i++) {
        for (int tries = 0; got[i] < put[i] && tries < 1000; tries++) {
            unsigned char bytes[4096];

            turns(1);
            ssize_t count = read(users[i].peer, bytes, sizeof(bytes));
            got[i] += count > 0 ? (size_t)count : 0;
        }
        ck_assert_uint_eq(got[i], put[i]);
        end(&users[i]);
    }
    loop_free(loop);
}
END_TEST

static void use_epoll(void)
{
    char problem[256];

    engine = loop_choose(CONFIG_ENGINE_EPOLL, problem, sizeof(problem));
    by_ring = false;
}

static void use_io_uring(void)
{
    char problem[256];

    engine = loop_choose(CONFIG_ENGINE_IO_URING, problem, sizeof(problem));
    by_ring = true;
}

static void add_case(Suite *suite, const char *name, void (*use)(void))
{
    const TTest *const tests[] = { loop_receives_once_for_each_time_it_is_asked,
                                   loop_receives_all,
                                   loop_sends_what_fits,
                                   loop_waits_for_room,
                                   loop_tells_of_a_peer_that_is_gone,
                                   loop_yields,
                                   loop_expires,
                                   loop_receives_before_it_expires,
                                   loop_closes_from_anywhere,
                                   loop_closes_others,
                                   loop_answers_at_once,
                                   loop_watches,
                                   loop_accepts,
                                   loop_pauses_without_files,
                                   loop_wakes_for_signals,
                                   loop_buries_without_a_turn,
                                   loop_serves_many,
                                   loop_keeps_little,
                                   loop_sends_files,
                                   loop_shares_a_turn };
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, use, NULL);
    tcase_set_timeout(tcase, 300);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    char problem[256];
    Suite *suite = suite_create("loop");

    add_case(suite, "epoll", use_epoll);
    if (unit_epoll_only())
        printf("without io_uring: TICKD_ENGINE=epoll\n");
    else if (loop_choose(CONFIG_ENGINE_IO_URING, problem, sizeof(problem)) != NULL)
        add_case(suite, "io_uring", use_io_uring);
    else
        printf("without io_uring: %s\n", problem);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
