#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "files.h"
#include "system/listen.h"

static char problem[512];

/* Another server, which has bound its socket and holds the lock. It goes on, to listen, when
 * the lock was found taken so many times (0: never). */
static struct {
    int socket, lock, tries, patience;
} other;

/* This function stands before the C library's. */
int flock(int fd, int operation)
{
    static int (*real)(int fd, int operation);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "flock");
    if (other.lock > 0 && fd != other.lock && ++other.tries == other.patience) {
        ck_assert_int_eq(listen(other.socket, 1), 0);
        ck_assert_int_eq(real(other.lock, LOCK_UN), 0);
    }
    return real(fd, operation);
}

static int open_at(const char *address)
{
    memset(problem, 0, sizeof(problem));
    return listen_open(address, 16, problem, sizeof(problem));
}

static void refuse(const char *address)
{
    ck_assert_msg(open_at(address) == -1, "%s", address);
    ck_assert_uint_gt(strlen(problem), 10);
    ck_assert_ptr_null(strchr(problem, '\n'));
}

/* Somebody can connect to where ${fd} says that it listens. */
static void check_connects(int fd, int family)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(address.ss_family, family);
    int client = socket(family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, len), 0);
    int served = accept(fd, NULL, NULL);
    ck_assert_int_ge(served, 0);
    close(served);
    close(client);
}

START_TEST(listen_takes_every_form)
{
    static const struct {
        const char *address, *name; /* up to the port */
        int family;
    } forms[] = {
        { "127.0.0.1:0", "127.0.0.1:", AF_INET },
        { "*:0", "0.0.0.0:", AF_INET },
        { ":0", "0.0.0.0:", AF_INET },
        { "0.0.0.0:0", "0.0.0.0:", AF_INET },
        { "[::1]:0", "[::1]:", AF_INET6 },
        { "[::]:0", "[::]:", AF_INET6 },
    };
    char name[LISTEN_NAME], again[LISTEN_NAME];
    int six = socket(AF_INET6, SOCK_STREAM, 0);

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (six < 0 && forms[i].family == AF_INET6)
            continue;
        int fd = open_at(forms[i].address);
        ck_assert_msg(fd >= 0, "%s", problem);
        ck_assert_ptr_eq(listen_name(fd, name), name);
        ck_assert(strncmp(name, forms[i].name, strlen(forms[i].name)) == 0);
        ck_assert_int_gt(atoi(name + strlen(forms[i].name)), 0);
        ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
        ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        check_connects(fd, forms[i].family);
        listen_close(fd);

        /* The name, port and all, is an address again; and a port that was just used is free.
         */
        fd = open_at(name);
        ck_assert_msg(fd >= 0, "%s", problem);
        ck_assert_str_eq(listen_name(fd, again), name);
        listen_close(fd);
    }
    int fd = open_at("localhost:0");
    ck_assert_msg(fd >= 0, "%s", problem);
    listen_close(fd);
    if (six >= 0)
        close(six);
}
END_TEST

START_TEST(listen_refuses_what_is_no_address)
{
    static const char *const bad[] = {
        "",
        "8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "[::1]",
        "[::1]:",
        "::1:80",
        "[::1:80",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999999",
        "127.0.0.1:-1",
        "127.0.0.1: 80",
        "http://127.0.0.1:80",
        "unix:",
        "unix:relative",
        "256.256.256.256:80x",
        "[]:80",
        "127.0.0.1:80 ",
    };
    char host[400];

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refuse(bad[i]);
    memset(host, 'a', sizeof(host));
    memcpy(host + sizeof(host) - 4, ":80", 4);
    refuse(host);
    refuse("192.0.2.1:1"); /* TEST-NET-1: not one of ours */
    ck_assert_ptr_nonnull(strstr(problem, "machine"));
}
END_TEST

START_TEST(listen_says_that_a_port_is_taken)
{
    char name[LISTEN_NAME];
    int fd = open_at("127.0.0.1:0");

    listen_name(fd, name);
    refuse(name);
    ck_assert_ptr_nonnull(strstr(problem, name));
    ck_assert_ptr_nonnull(strstr(problem, "another"));
    listen_close(fd);
    fd = open_at(name);
    ck_assert_int_ge(fd, 0);
    listen_close(fd);
}
END_TEST

START_TEST(listen_on_a_socket_file)
{
    char path[256], address[300], name[LISTEN_NAME];
    struct stat file;

    snprintf(path, sizeof(path), "%s/a.sock", files_root());
    snprintf(address, sizeof(address), "unix:%s", path);
    int fd = open_at(address);
    ck_assert_msg(fd >= 0, "%s", problem);
    ck_assert_str_eq(listen_name(fd, name), address);
    check_connects(fd, AF_UNIX);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert(S_ISSOCK(file.st_mode));
    ck_assert_uint_eq(file.st_mode & 0777, 0666);

    /* A server that lives keeps it, however busy it is. */
    refuse(address);
    ck_assert_int_eq(stat(path, &file), 0);
    check_connects(fd, AF_UNIX);

    listen_close(fd);
    ck_assert_int_eq(stat(path, &file), -1);

    /* One that was killed left its file. */
    fd = open_at(address);
    close(fd);
    ck_assert_int_eq(stat(path, &file), 0);
    fd = open_at(address);
    ck_assert_msg(fd >= 0, "%s", problem);
    check_connects(fd, AF_UNIX);
    listen_close(fd);
}
END_TEST

/* Only a dead socket makes way. */
START_TEST(listen_replaces_no_other_file)
{
    char path[256], address[300];
    struct stat file;

    files_write("not-a-socket", "data", 4);
    snprintf(path, sizeof(path), "%s/not-a-socket", files_root());
    snprintf(address, sizeof(address), "unix:%s", path);
    refuse(address);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_int_eq(file.st_size, 4);

    snprintf(address, sizeof(address), "unix:%s/no/such/folder", files_root());
    refuse(address);
}
END_TEST

/* The longest path there is room for, and one byte more. */
START_TEST(listen_on_a_long_path)
{
    char address[300], name[LISTEN_NAME];
    const size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    int len = snprintf(address, sizeof(address), "unix:%s/", files_root());

    memset(address + len, 's', sizeof(address) - (size_t)len);
    address[5 + most] = '\0';
    int fd = open_at(address);
    ck_assert_msg(fd >= 0, "%s", problem);
    ck_assert_str_eq(listen_name(fd, name), address);
    listen_close(fd);
    ck_assert_int_eq(access(address + 5, F_OK), -1);
    address[5 + most] = 's';
    address[6 + most] = '\0';
    refuse(address);
}
END_TEST

/* Without a socket: that of another server is in nobody's way. */
START_TEST(listen_checks_addresses)
{
    static const char *const good[] = { "127.0.0.1:0", "*:1", "[::1]:65535",
                                        "unix:/nowhere/s" };
    static const char *const bad[] = { "127.0.0.1", "127.0.0.1:65536", "::1:80", "unix:s", "" };

    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(listen_check(good[i], problem, sizeof(problem)) == 0, "%s", problem);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        memset(problem, 0, sizeof(problem));
        ck_assert_msg(listen_check(bad[i], problem, sizeof(problem)) == -1, "%s", bad[i]);
        ck_assert_ptr_eq(strstr(problem, "listen: "), problem);
        ck_assert_ptr_null(strchr(problem, '\n'));
    }
}
END_TEST

static int client_of(int fd, int flags)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    int client = socket(address.ss_family, SOCK_STREAM | flags, 0);
    if (connect(client, (struct sockaddr *)&address, len) == 0)
        return client;
    int error = errno;
    if (error == EINPROGRESS) {
        struct pollfd wait = { .fd = client, .events = POLLOUT };
        if (poll(&wait, 1, 100) == 1)
            return client;
    }
    close(client);
    errno = error;
    return -1;
}

/* Who waits is served, by any process, and nobody else comes. */
START_TEST(listen_stops_without_losing_anybody)
{
    char path[256];
    char byte = 0;

    snprintf(path, sizeof(path), "unix:%s/stop", files_root());
    const char *const addresses[] = { "127.0.0.1:0", path };
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        int fd = open_at(addresses[i]), clients[3];

        ck_assert_msg(fd >= 0, "%s", problem);
        for (size_t c = 0; c < COUNT_OF(clients); c++) {
            clients[c] = client_of(fd, 0);
            ck_assert_int_ge(clients[c], 0);
            ck_assert_int_eq(write(clients[c], "x", 1), 1);
        }
        listen_stop(fd);
        ck_assert_int_lt(client_of(fd, SOCK_NONBLOCK), 0);
        for (size_t c = 0; c < COUNT_OF(clients); c++) {
            int served = accept(fd, NULL, NULL);

            ck_assert_int_ge(served, 0);
            ck_assert_int_eq(read(served, &byte, 1), 1);
            ck_assert_int_eq(write(served, "y", 1), 1);
            close(served);
        }
        ck_assert_int_lt(accept(fd, NULL, NULL), 0);
        close(fd);
        for (size_t c = 0; c < COUNT_OF(clients); c++) {
            ck_assert_int_eq(read(clients[c], &byte, 1), 1);
            close(clients[c]);
        }
    }
    ck_assert_int_eq(access(path + 5, F_OK), -1);
}
END_TEST

START_TEST(listen_knows_where_a_socket_is)
{
    char name[LISTEN_NAME], path[256], any[64];
    int fd = open_at("127.0.0.1:0"), all = open_at("*:0");

    ck_assert(listen_is_at(fd, listen_name(fd, name)));
    ck_assert(!listen_is_at(fd, "127.0.0.1:0"));
    ck_assert(!listen_is_at(fd, "unix:/s"));
    snprintf(any, sizeof(any), "*:%s", strrchr(name, ':') + 1);
    ck_assert(!listen_is_at(fd, any));
    listen_name(all, name);
    snprintf(any, sizeof(any), "*:%s", strrchr(name, ':') + 1);
    ck_assert(listen_is_at(all, any));
    snprintf(path, sizeof(path), "unix:%s/where", files_root());
    int local = open_at(path);
    ck_assert(listen_is_at(local, path));
    ck_assert(!listen_is_at(local, any));
    listen_close(fd);
    listen_close(all);
    listen_close(local);
}
END_TEST

START_TEST(listen_adopts_listening_sockets_only)
{
    int pair[2], plain = socket(AF_INET, SOCK_STREAM, 0);
    int fd = open_at("127.0.0.1:0");

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    fcntl(fd, F_SETFL, 0);
    fcntl(fd, F_SETFD, 0);
    ck_assert_int_eq(listen_adopt(fd, problem, sizeof(problem)), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(listen_adopt(plain, problem, sizeof(problem)), -1);
    ck_assert_int_eq(listen_adopt(pair[0], problem, sizeof(problem)), -1);
    ck_assert_int_eq(listen_adopt(STDIN_FILENO, problem, sizeof(problem)), -1);
    ck_assert_int_eq(listen_adopt(999, problem, sizeof(problem)), -1);
    ck_assert_ptr_nonnull(strstr(problem, "999"));
    close(plain);
    close(pair[0]);
    close(pair[1]);
    listen_close(fd);
}
END_TEST

/* Begin as another server at ${path}, which does not listen yet. */
static void begin_other(const char *path, int patience)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    other.lock = 0;
    int lock = open(files_root(), O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    other.socket = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(other.socket, (struct sockaddr *)&at, sizeof(at)), 0);
    other.tries = 0;
    other.patience = patience;
    other.lock = lock;
}

static void end_other(void)
{
    close(other.socket);
    close(other.lock);
    other.lock = 0;
}

START_TEST(listen_leaves_a_socket_that_is_about_to_listen)
{
    char path[100], address[LISTEN_NAME];
    struct stat before, after;

    files_fresh();
    snprintf(path, sizeof(path), "%s/socket", files_root());
    snprintf(address, sizeof(address), "unix:%s", path);
    begin_other(path, 3);
    ck_assert_int_eq(stat(path, &before), 0);
    refuse(address);
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_int_eq(other.tries, 3);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
    end_other();

    /* It is dead: the lock is free again afterwards, too. */
    other.tries = 0;
    int fd = open_at(address);
    ck_assert_msg(fd >= 0, "%s", problem);
    int lock = open(files_root(), O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    close(lock);
    listen_close(fd);
}
END_TEST

START_TEST(listen_does_without_a_lock_that_somebody_keeps)
{
    char path[100], address[LISTEN_NAME];

    files_fresh();
    snprintf(path, sizeof(path), "%s/socket", files_root());
    begin_other(path, 0);
    snprintf(address, sizeof(address), "unix:%s/new", files_root());
    int fd = open_at(address);
    ck_assert_msg(fd >= 0, "%s", problem);
    ck_assert_int_gt(other.tries, 10);
    listen_close(fd);
    end_other();
}
END_TEST

UNIT("listen", listen_leaves_a_socket_that_is_about_to_listen,
     listen_does_without_a_lock_that_somebody_keeps, listen_takes_every_form,
     listen_refuses_what_is_no_address, listen_says_that_a_port_is_taken,
     listen_on_a_socket_file, listen_replaces_no_other_file, listen_on_a_long_path,
     listen_checks_addresses, listen_stops_without_losing_anybody,
     listen_knows_where_a_socket_is, listen_adopts_listening_sockets_only)
