#include "http/access.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/exchange.h"
#include "system/stats.h"

/* Keep up to ${room} bytes of ${from} in ${memory}. */
static struct slice keep(struct slice from, char *memory, size_t room)
{
    if (from.len > room) {
        memcpy(memory, from.at, room - 3);
        memcpy(memory + room - 3, "...", 3);
        return (struct slice){ memory, room };
    }
    if (from.len > 0)
        memcpy(memory, from.at, from.len);
    return (struct slice){ memory, from.len };
}

/* The next line of a head, without what ends it. */
static struct slice next_line(struct slice *rest)
{
    struct slice line = slice_cut(*rest, '\n', rest);

    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_field(struct slice line, struct slice name)
{
    return line.len >= name.len && strncasecmp(line.at, name.at, name.len) == 0;
}

static struct slice value_of(struct slice line, struct slice name)
{
    line.at += name.len;
    line.len -= name.len;
    while (line.len > 0 && (*line.at == ' ' || *line.at == '\t')) {
        line.at++;
        line.len--;
    }
    while (line.len > 0 && (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
        line.len--;
    return line;
}

void access_begin(struct access *access, const char *peer, struct slice head)
{
    const struct slice referer = SLICE("referer:"), agent = SLICE("user-agent:");
    struct slice line = next_line(&head);

    while (line.len == 0 && head.at != NULL)
        line = next_line(&head);
    access->sent = 0;
    access->line = (struct accessline){ .peer = slice_of(peer) };
    access->line.request = keep(line, access->request, ACCESS_REQUEST);
    while (head.at != NULL) {
        line = next_line(&head);
        if (is_field(line, referer))
            access->line.referer =
                keep(value_of(line, referer), access->referer, ACCESS_REFERER);
        else if (is_field(line, agent))
            access->line.agent = keep(value_of(line, agent), access->agent, ACCESS_AGENT);
    }
}

void access_request(struct exchange *exchange, const char *peer, struct slice head)
{
    if (exchange->access == NULL)
        exchange->access = malloc(sizeof(*exchange->access));
    exchange->reply.head.len = exchange->reply.id.len = 0;
    if (exchange->access != NULL)
        access_begin(exchange->access, peer, head);
    else
        stats_add(STATS_log_lines_dropped, 1);
}

void access_write(struct accesslog *log, struct exchange *exchange, enum accessline_end end)
{
    const struct answer *answer = &exchange->answer;
    struct accessline *line = &exchange->access->line;
    uint64_t head = exchange->reply.head.len, sent = exchange->access->sent;
    bool replied = head > 0, bodiless = exchange->request.method == REQUEST_HEAD;

    line->wall = clock_wall();
    line->us = (clock_ns() - exchange->since) / 1000;
    line->end = end;
    line->status = replied ? answer->status : ACCESSLINE_NONE;
    line->id = replied ? exchange->reply.id : (struct slice){ NULL, 0 };
    line->length = replied && answer->content_type != NULL ? answer->body.length : 0;
    line->sent = sent <= head || bodiless ? 0 : sent - head;
    if (line->sent > line->length)
        line->sent = line->length; /* what ends a chunked body is none of it */
    line->data = answer->endpoint == STATS_ENDPOINT_data && replied && answer->status < 400;
    if (line->data && answer->status < 300)
        line->rows = answer->plan.rows;
    accesslog_add(log, line);
}

void access_peer(int fd, char *peer, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } address;
    socklen_t len = sizeof(address);

    if (getpeername(fd, &address.any, &len) ||
        getnameinfo(&address.any, len, peer, (socklen_t)size, NULL, 0, NI_NUMERICHOST) ||
        address.any.sa_family == AF_UNIX)
        snprintf(peer, size, "unix");
}
