/*
 * limit: the smallest server that answers any request with a prepared body. It parses nothing:
 * it waits for the blank line that ends a request and sends. What it needs per request, no real
 * server can undercut on the machine at hand in the same way of sending.
 */

#include "limit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

static const struct mode {
    const char *name;
    const char *help;
    enum { ENGINE_EPOLL, ENGINE_URING } engine;
    enum limit_way way;
    int fixed;
} modes[] = {
    { "epoll-writev", "epoll, header and body in one writev", ENGINE_EPOLL, LIMIT_COPY, 0 },
    { "epoll-sendfile", "epoll, header with MSG_MORE, body by sendfile", ENGINE_EPOLL,
      LIMIT_SENDFILE, 0 },
#ifdef WITH_LIBURING
    { "uring-sendmsg", "io_uring, multishot accept and receive, sendmsg", ENGINE_URING,
      LIMIT_COPY, 0 },
    { "uring-fixed", "the same, connections in the ring's table of files", ENGINE_URING,
      LIMIT_COPY, 1 },
    { "uring-zerocopy", "uring-fixed with sendmsg_zc (loopback copies all the same)",
      ENGINE_URING, LIMIT_ZEROCOPY, 1 },
#endif
    { NULL, NULL, ENGINE_EPOLL, LIMIT_COPY, 0 },
};

unsigned limit_count_requests(const char *data, size_t len, unsigned *matched)
{
    static const char blank[] = "\r\n\r\n";
    const char *end = data + len;
    unsigned count = 0;

    while (data < end) {
        if (*matched == 0) {
            data = memchr(data, '\r', (size_t)(end - data));
            if (data == NULL)
                break;
        }
        if (*data == blank[*matched])
            *matched += 1;
        else
            *matched = *data == '\r';
        data++;
        if (*matched == 4) {
            *matched = 0;
            count++;
        }
    }
    return count;
}

/* One system call's worth of the answer from its byte ${sent} on; as the call returns. */
static ssize_t send_some(int fd, const struct limit_answer *answer, enum limit_way way,
                         size_t sent)
{
    size_t head = sent < answer->header_len ? answer->header_len - sent : 0;

    if (way == LIMIT_SENDFILE) {
        if (head > 0)
            return send(fd, answer->header + sent, head, MSG_MORE);
        off_t at = (off_t)(sent - answer->header_len);
        return sendfile(fd, answer->file, &at, answer->body_len - (size_t)at);
    }

    size_t at = head > 0 ? 0 : sent - answer->header_len;
    struct iovec pieces[2] = {
        { (void *)(answer->header + sent), head },
        { (void *)(answer->body + at), answer->body_len - at },
    };
    return head > 0 ? writev(fd, pieces, 2) : writev(fd, pieces + 1, 1);
}

int limit_send(int fd, const struct limit_answer *answer, enum limit_way way, size_t *sent)
{
    size_t all = answer->header_len + answer->body_len;

    while (*sent < all) {
        ssize_t n = send_some(fd, answer, way, *sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        if (n == 0)
            return -1;
        *sent += (size_t)n;
    }
    return 1;
}

/* Listen on "ADDRESS:PORT" (port 0: one the kernel picks) and say where. */
static int listen_on(const char *where)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    struct slice port, host = slice_cut(slice_of(where), ':', &port);
    char text[INET_ADDRSTRLEN] = "";
    uint64_t number;
    int on = 1;

    if (host.len < sizeof(text))
        memcpy(text, host.at, host.len);
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1 || port.at == NULL ||
        num_parse(port, &number) || number > 65535) {
        log_error("'%s' is not an IPv4 address and port", where);
        return -1;
    }
    address.sin_port = htons((uint16_t)number);

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        log_error("socket: %m");
        return -1;
    }
    /* What is accepted inherits TCP_NODELAY, which saves a system call per connection. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *)&address, len) || listen(fd, SOMAXCONN) ||
        getsockname(fd, (struct sockaddr *)&address, &len)) {
        log_error("%s: %m", where);
        close(fd);
        return -1;
    }
    log_notice("listening on %s:%d", text, ntohs(address.sin_port));
    return fd;
}

/* Map ${path} whole; an empty file is refused, since an answer without bytes limits nothing. */
static int map_file(const char *path, int *file, const char **at, size_t *len)
{
    struct stat st;

    *file = open(path, O_RDONLY | O_CLOEXEC);
    if (*file < 0 || fstat(*file, &st)) {
        log_error("%s: %m", path);
        return -1;
    }
    if (st.st_size == 0) {
        log_error("%s: empty", path);
        return -1;
    }
    *len = (size_t)st.st_size;
    *at = mmap(NULL, *len, PROT_READ, MAP_SHARED | MAP_POPULATE, *file, 0);
    if (*at == MAP_FAILED) {
        log_error("%s: %m", path);
        return -1;
    }
    return 0;
}

/* "Connection: keep-alive" is for ab, which speaks HTTP/1.0 and wants it said. */
static void build_header(struct limit_answer *answer)
{
    static char header[256];

    answer->header = header;
    answer->header_len = (size_t)snprintf(header, sizeof(header),
                                          "HTTP/1.1 200 OK\r\n"
                                          "Content-Type: application/octet-stream\r\n"
                                          "Content-Length: %zu\r\n"
                                          "Connection: keep-alive\r\n\r\n",
                                          answer->body_len);
}

static int prepare(struct limit_answer *answer, const char *header, const char *body)
{
    int file;

    if (map_file(body, &answer->file, &answer->body, &answer->body_len))
        return -1;
    if (strcmp(header, "built") != 0)
        return map_file(header, &file, &answer->header, &answer->header_len);
    build_header(answer);
    return 0;
}

static void help(FILE *out)
{
    fprintf(out,
            "usage: limit --mode MODE --listen ADDRESS:PORT --body FILE [--header FILE]\n"
            "\n"
            "Answers every request on ADDRESS:PORT (port 0: any free one) with the bytes of\n"
            "FILE, until it is killed. Port and address are printed once it listens.\n"
            "\n"
            "  --header FILE  send FILE, blank line and all, before the body; \"built\", the\n"
            "                 default, is a header with the body's length\n"
            "  --help         this text\n"
            "\n"
            "modes:\n");
    for (const struct mode *mode = modes; mode->name != NULL; mode++)
        fprintf(out, "  %-15s %s\n", mode->name, mode->help);
}

static const struct mode *find_mode(const char *name)
{
    for (const struct mode *mode = modes; mode->name != NULL; mode++) {
        if (strcmp(mode->name, name) == 0)
            return mode;
    }
    log_error("there is no mode '%s'; --help lists them", name);
    return NULL;
}

static int serve(const struct mode *mode, int listener, const struct limit_answer *answer)
{
#ifdef WITH_LIBURING
    if (mode->engine == ENGINE_URING)
        return limit_uring(listener, answer, mode->way, mode->fixed);
#endif
    return limit_epoll(listener, answer, mode->way);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "mode", required_argument, NULL, 'm' }, { "listen", required_argument, NULL, 'l' },
        { "body", required_argument, NULL, 'b' }, { "header", required_argument, NULL, 'H' },
        { "help", no_argument, NULL, 'h' },       { NULL, 0, NULL, 0 },
    };
    const char *name = NULL, *where = NULL, *body = NULL, *header = "built";
    struct limit_answer answer;
    int option;

    log_to_stderr("limit");
    while ((option = getopt_long(argc, argv, "m:l:b:H:h", options, NULL)) != -1) {
        switch (option) {
        case 'm':
            name = optarg;
            break;
        case 'l':
            where = optarg;
            break;
        case 'b':
            body = optarg;
            break;
        case 'H':
            header = optarg;
            break;
        case 'h':
            help(stdout);
            return 0;
        default:
            return 1;
        }
    }
    if (name == NULL || where == NULL || body == NULL || optind != argc) {
        help(stderr);
        return 1;
    }

    const struct mode *mode = find_mode(name);
    if (mode == NULL || prepare(&answer, header, body))
        return 1;
    int listener = listen_on(where);
    if (listener < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    return serve(mode, listener, &answer) ? 1 : 0;
}
