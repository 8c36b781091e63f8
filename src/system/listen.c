#include "system/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* How often a directory is tried that somebody has locked, and the pauses in milliseconds. */
#define LOCK_TRIES 50
#define LOCK_PAUSE 10

/* "HOST:PORT" as getaddrinfo wants it; the brackets of IPv6 go, "*" is any IPv4 address. */
static int split_host(const char *address, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - address);

    if (colon == NULL || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return -1;
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len) != NULL) {
        return -1; /* IPv6 without brackets could mean two things */
    } else if (len == 0 || (len == 1 && address[0] == '*')) {
        address = "0.0.0.0";
        len = strlen(address);
    }
    if (len >= size)
        return -1;
    memcpy(host, address, len);
    host[len] = '\0';
    *port = colon + 1;
    return 0;
}

static int bind_listen(int fd, const struct sockaddr *address, socklen_t len, int backlog)
{
    return bind(fd, address, len) || listen(fd, backlog) ? -1 : 0;
}

static const char *bind_hint(const char *path)
{
    struct stat file;

    if (path != NULL && errno == EADDRINUSE && lstat(path, &file) == 0 &&
        !S_ISSOCK(file.st_mode))
        return "; what is there is no socket: remove it or choose another path";
    switch (errno) {
    case ENOENT:
        return "; make its directory first";
    case EADDRINUSE:
        return "; is another server running there? Stop it or choose another address";
    case EACCES:
        return "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
        return "; that address is not one of this machine's";
    default:
        return "";
    }
}

/* What an address of the internet stands for, for freeaddrinfo; NULL with a problem. */
static struct addrinfo *resolve(const char *address, char *problem, size_t size)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                              .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char host[256];
    const char *port;

    if (split_host(address, host, sizeof(host), &port) || strtoul(port, NULL, 10) > 65535) {
        snprintf(problem, size,
                 "listen: '%s' is not HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH", address);
        return NULL;
    }
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        snprintf(problem, size, "listen: no address for '%s': %s", host, gai_strerror(error));
        return NULL;
    }
    return found;
}

static int open_inet(const char *address, int backlog, char *problem, size_t size)
{
    struct addrinfo *found = resolve(address, problem, size);
    int fd, on = 1, error;

    if (found == NULL) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(found->ai_family, SOCKET_FLAGS, 0);
    if (fd < 0)
        goto failed;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* its connections inherit it */
    if (found->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind_listen(fd, found->ai_addr, found->ai_addrlen, backlog))
        goto failed;
    freeaddrinfo(found);
    return fd;

failed:
    error = errno;
    snprintf(problem, size, "cannot listen on %s: %s%s", address, strerror(error),
             bind_hint(NULL));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    errno = error;
    return -1;
}

/*
 * Lock the directory of ${path}, until the descriptor that is returned is closed. A socket that
 * is bound and does not listen yet looks like one whose server was killed: so nobody is to look
 * in between, and what was found dead must not have come to life before it is removed. (To bind
 * elsewhere, listen, and rename would leave the socket with the wrong name: getsockname(2).)
 * Returns -1 where there is no such lock to be had: whoever keeps it keeps no server from
 * starting.
 */
static int lock_directory(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = "/";
    const char *slash = strrchr(path, '/');

    if (slash > path) {
        memcpy(directory, path, (size_t)(slash - path));
        directory[slash - path] = '\0';
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB); i++) {
        if (errno != EWOULDBLOCK || i == LOCK_TRIES) {
            close(fd);
            fd = -1;
        } else {
            poll(NULL, 0, LOCK_PAUSE);
        }
    }
    return fd;
}

/* A socket file that nobody answers was left by a server that was killed. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat file;
    int fd;

    if (lstat(address->sun_path, &file) || !S_ISSOCK(file.st_mode))
        return;
    fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
        errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(fd);
}

static int check_path(const char *path, char *problem, size_t size)
{
    const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

    if (path[0] == '/' && strlen(path) < room)
        return 0;
    snprintf(problem, size,
             "listen: the socket's path '%s' must begin with / and have at most %zu bytes",
             path, room - 1);
    return -1;
}

static int open_unix(const char *path, int backlog, char *problem, size_t size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (check_path(path, problem, size)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int lock = lock_directory(path);
    remove_stale(&address);
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    bool failed =
        fd < 0 || bind_listen(fd, (struct sockaddr *)&address, sizeof(address), backlog);
    int error = errno;
    if (lock >= 0)
        close(lock);
    if (failed) {
        errno = error;
        snprintf(problem, size, "cannot listen on unix:%s: %s%s", path, strerror(error),
                 bind_hint(path));
        if (fd >= 0)
            close(fd);
        errno = error;
        return -1;
    }
    chmod(path, 0666); /* as open to this machine as a port is */
    return fd;
}

int listen_check(const char *address, char *problem, size_t size)
{
    struct addrinfo *found;

    if (strncmp(address, "unix:", 5) == 0)
        return check_path(address + 5, problem, size);
    if ((found = resolve(address, problem, size)) == NULL)
        return -1;
    freeaddrinfo(found);
    return 0;
}

int listen_open(const char *address, int backlog, char *problem, size_t size)
{
    if (strncmp(address, "unix:", 5) == 0)
        return open_unix(address + 5, backlog, problem, size);
    return open_inet(address, backlog, problem, size);
}

int listen_adopt(int fd, char *problem, size_t size)
{
    int type = 0, listens = 0, on = 1, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof(type);

    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || type != SOCK_STREAM ||
        !listens) {
        snprintf(problem, size, "descriptor %d, which was handed over, is no listening socket",
                 fd);
        return -1;
    }
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails for unix:, in vain */
    return 0;
}

bool listen_is_at(int fd, const char *address)
{
    char name[LISTEN_NAME], problem[256];
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    struct addrinfo *found;

    if (strncmp(address, "unix:", 5) == 0)
        return strcmp(listen_name(fd, name), address) == 0;
    memset(&at, 0, sizeof(at));
    if (getsockname(fd, (struct sockaddr *)&at, &len) ||
        (found = resolve(address, problem, sizeof(problem))) == NULL)
        return false;
    bool same = at.ss_family == found->ai_family;
    if (same && at.ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const void *)&at, *b = (const void *)found->ai_addr;

        same = a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
               memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
    } else if (same) {
        const struct sockaddr_in *a = (const void *)&at, *b = (const void *)found->ai_addr;

        same = a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
    }
    freeaddrinfo(found);
    return same;
}

const char *listen_place(const char *address, char place[LISTEN_PLACE])
{
    char problem[256];
    const char *table = "tcp";
    struct addrinfo *found;

    if (strncmp(address, "unix:", 5) == 0) {
        snprintf(place, LISTEN_PLACE, "%s", address + 5);
        return "unix";
    }
    if ((found = resolve(address, problem, sizeof(problem))) == NULL)
        return NULL;
    if (found->ai_family == AF_INET6) {
        const struct sockaddr_in6 *at = (const void *)found->ai_addr;
        uint32_t words[4];

        memcpy(words, &at->sin6_addr, sizeof(words));
        snprintf(place, LISTEN_PLACE, "%08X%08X%08X%08X:%04X", words[0], words[1], words[2],
                 words[3], ntohs(at->sin6_port));
        table = "tcp6";
    } else {
        const struct sockaddr_in *at = (const void *)found->ai_addr;

        snprintf(place, LISTEN_PLACE, "%08X:%04X", at->sin_addr.s_addr, ntohs(at->sin_port));
    }
    freeaddrinfo(found);
    return table;
}

const char *listen_name(int fd, char name[LISTEN_NAME])
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    } address;
    socklen_t len = sizeof(address);
    char host[64], port[16];

    memset(&address, 0, sizeof(address));
    if (getsockname(fd, &address.any, &len)) {
        snprintf(name, LISTEN_NAME, "an unknown address");
    } else if (address.any.sa_family == AF_UNIX) {
        snprintf(name, LISTEN_NAME, "unix:%.*s", (int)sizeof(address.un.sun_path),
                 address.un.sun_path);
    } else if (getnameinfo(&address.any, len, host, sizeof(host), port, sizeof(port),
                           NI_NUMERICHOST | NI_NUMERICSERV)) {
        snprintf(name, LISTEN_NAME, "an unknown address");
    } else {
        bool six = address.any.sa_family == AF_INET6;
        snprintf(name, LISTEN_NAME, six ? "[%s]:%s" : "%s:%s", host, port);
    }
    return name;
}

void listen_stop(int fd)
{
    /* Of a TCP socket, shutdown would reset those that wait. A filter that lets nothing in
     * leaves them alone. */
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = { .len = 1, .filter = &nothing };
    char name[LISTEN_NAME];

    if (strncmp(listen_name(fd, name), "unix:", 5) == 0) {
        unlink(name + 5);
        shutdown(fd, SHUT_RD);
    } else {
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
    }
}

void listen_close(int fd)
{
    char name[LISTEN_NAME];

    if (strncmp(listen_name(fd, name), "unix:", 5) == 0)
        unlink(name + 5);
    close(fd);
}
