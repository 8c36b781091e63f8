#include "http/reply.h"

#include <assert.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/httpdate.h"
#include "base/put.h"
#include "config.h"

/* More than all header fields together can need, but for an origin, which is the client's. */
#define HEAD_BYTES 2048

#define ID_BYTES 64 /* of a request id that came in; longer ones are replaced */

static const struct {
    int status;
    struct slice line;
} status_lines[] = {
#define LINE(status, reason)                                                                   \
    {                                                                                          \
        status,                                                                                \
        {                                                                                      \
            "HTTP/1.1 " #status " " reason "\r\n", sizeof("HTTP/1.1 200 " reason "\r\n") - 1   \
        }                                                                                      \
    }
    LINE(200, "OK"),
    LINE(204, "No Content"),
    LINE(206, "Partial Content"),
    LINE(304, "Not Modified"),
    LINE(400, "Bad Request"),
    LINE(404, "Not Found"),
    LINE(405, "Method Not Allowed"),
    LINE(408, "Request Timeout"),
    LINE(412, "Precondition Failed"),
    LINE(413, "Content Too Large"),
    LINE(414, "URI Too Long"),
    LINE(416, "Range Not Satisfiable"),
    LINE(417, "Expectation Failed"),
    LINE(431, "Request Header Fields Too Large"),
    LINE(500, "Internal Server Error"),
    LINE(501, "Not Implemented"),
    LINE(503, "Service Unavailable"),
    LINE(505, "HTTP Version Not Supported"),
#undef LINE
};

static struct slice status_line(int status)
{
    for (size_t i = 0; i < sizeof(status_lines) / sizeof(*status_lines); i++) {
        if (status_lines[i].status == status)
            return status_lines[i].line;
    }
    return status_line(500);
}

/* "Server" and "Date", made anew each second. */
static struct slice server_and_date(void)
{
    static char text[128];
    static int64_t made;
    static size_t len;
    time_t now = clock_wall();

    if (now != made || len == 0) {
        struct tm tm;

        gmtime_r(&now, &tm);
        len = strftime(
            text, sizeof(text),
            "Server: tickd/" PACKAGE_VERSION "\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        made = now;
    }
    return (struct slice){ text, len };
}

static char *put_field(char *at, struct slice name, struct slice value)
{
    at = put_bytes(at, name);
    at = put_bytes(at, value);
    return put_bytes(at, SLICE("\r\n"));
}

/* Who may read the answer in a browser. */
static char *put_cors(char *at, const struct answer *answer, const struct request *request,
                      const struct config_list *origins)
{
    if (origins->count == 1 && strcmp(origins->items[0], "*") == 0) {
        at = put_bytes(at, SLICE("Access-Control-Allow-Origin: *\r\n"));
    } else {
        at = put_bytes(at, SLICE("Vary: Origin\r\n"));
        for (size_t i = 0; i < origins->count; i++) {
            if (slice_is(request->origin, origins->items[i]) ||
                strcmp(origins->items[i], "*") == 0) {
                at = put_field(at, SLICE("Access-Control-Allow-Origin: "),
                               slice_of(origins->items[i]));
                break;
            }
        }
    }
    at = put_bytes(at,
                   SLICE("Access-Control-Expose-Headers: ETag, Content-Length, Content-Range, "
                         "Accept-Ranges, Retry-After, X-Request-Id, WWW-Authenticate\r\n"));
    if (answer->preflight)
        at = put_bytes(
            at,
            SLICE("Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
                  "Access-Control-Allow-Headers: Authorization, Content-Type, Range, If-Range, "
                  "If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, "
                  "Last-Event-ID, X-Request-Id\r\n"
                  "Access-Control-Max-Age: 86400\r\n"));
    return at;
}

static bool id_valid(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.' || c == ':' || c == '/' || c == '=' || c == '+'))
            return false;
    }
    return id.len > 0 && id.len <= ID_BYTES;
}

/* An id that no other request has: counted up in hexadecimal from a random start. */
static struct slice fresh_id(void)
{
    static char id[16];
    size_t place = sizeof(id);

    if (id[0] == '\0') {
        uint64_t start;

        if (getrandom(&start, sizeof(start), GRND_NONBLOCK) < 0)
            start = clock_ns();
        for (size_t i = 0; i < sizeof(id); i++, start >>= 4)
            id[i] = "0123456789abcdef"[start & 15];
    }
    while (place-- > 0) {
        id[place] = id[place] == '9' ? 'a' : id[place] == 'f' ? '0' : (char)(id[place] + 1);
        if (id[place] != '0')
            break;
    }
    return (struct slice){ id, sizeof(id) };
}

/* Whether the body goes in a chunk. Its length is known, so that one is enough. */
static bool is_chunked(const struct answer *answer, const struct request *request)
{
    return answer->chunked && request->minor == 1 && request->method != REQUEST_HEAD;
}

static char *put_framing(char *at, const struct answer *answer, const struct request *request)
{
    if (answer->content_type == NULL)
        return at; /* a 204 and a 304 have neither */
    if (is_chunked(answer, request))
        return put_bytes(at, SLICE("Transfer-Encoding: chunked\r\n"));
    at = put_bytes(at, SLICE("Content-Length: "));
    at = put_number(at, answer->body.length);
    return put_bytes(at, SLICE("\r\n"));
}

/* Which part of the whole the body is, or that there is no such part. */
static char *put_range(char *at, const struct answer *answer)
{
    at = put_bytes(at, SLICE("Content-Range: bytes "));
    if (answer->status == 206) {
        at = put_number(at, answer->from);
        *at++ = '-';
        at = put_number(at, answer->from + answer->body.length - 1);
    } else {
        *at++ = '*';
    }
    *at++ = '/';
    at = put_number(at, answer->whole);
    return put_bytes(at, SLICE("\r\n"));
}

/* Answers have few different times, which are not written anew each time. */
static char *put_modified(char *at, int64_t modified)
{
    static struct {
        int64_t when; /* 0: never written; then the text is not there */
        char text[HTTPDATE_BYTES];
    } recent[32], *known;

    known = &recent[(uint64_t)modified % (sizeof(recent) / sizeof(*recent))];
    if (known->when != modified || modified == 0) {
        httpdate_write(modified, known->text);
        known->when = modified;
    }
    return put_field(at, SLICE("Last-Modified: "),
                     (struct slice){ known->text, sizeof(known->text) });
}

/* What makes the answer like a file. */
static char *put_tag(char *at, const struct tag *tag)
{
    at = put_bytes(at, SLICE("Accept-Ranges: bytes\r\nETag: "));
    tag_write(tag, at);
    at = put_bytes(at + TAG_BYTES, SLICE("\r\n"));
    return tag->modified < 0 ? at : put_modified(at, tag->modified);
}

/* How long a cache may keep the answer without asking. */
static char *put_cache_control(char *at, const struct answer *answer,
                               const struct config *config)
{
    if (answer->status >= 400)
        return put_bytes(at, SLICE("Cache-Control: no-store\r\n"));
    if (!answer->tagged || !answer->tag.closed)
        return put_bytes(at, SLICE("Cache-Control: no-cache\r\n"));
    return put_field(at, SLICE("Cache-Control: "), slice_of(config->closed_cache_control));
}

int reply_make(struct reply *reply, struct answer *answer, const struct request *request,
               bool keep_alive, const struct config *config)
{
    size_t room = HEAD_BYTES + request->origin.len;
    char *memory = arena_take(&answer->arena, room), *at = memory;

    if (memory == NULL)
        return -1;
    at = put_bytes(at, status_line(answer->status));
    at = put_bytes(at, server_and_date());
    if (answer->content_type != NULL)
        at = put_field(at, SLICE("Content-Type: "), slice_of(answer->content_type));
    at = put_framing(at, answer, request);
    if (answer->status == 206 || answer->status == 416)
        at = put_range(at, answer);
    if (answer->tagged)
        at = put_tag(at, &answer->tag);
    at = put_cache_control(at, answer, config);
    at = put_cors(at, answer, request, &config->allow_origin);
    reply->id = id_valid(request->id) ? request->id : fresh_id();
    at = put_field(at, SLICE("X-Request-Id: "), reply->id);
    reply->id.at = at - 2 - reply->id.len; /* in the head, where it stays */
    if (answer->allow != NULL)
        at = put_field(at, SLICE("Allow: "), slice_of(answer->allow));
    if (answer->status == 503)
        at = put_bytes(at, SLICE("Retry-After: 1\r\n"));
    if (!keep_alive)
        at = put_bytes(at, SLICE("Connection: close\r\n"));
    else if (request->minor == 0)
        at = put_bytes(at, SLICE("Connection: keep-alive\r\n"));
    at = put_bytes(at, SLICE("\r\n"));

    reply->tail = (struct slice){ NULL, 0 };
    if (is_chunked(answer, request)) {
        at = put_hex(at, answer->body.length);
        at = put_bytes(at, SLICE("\r\n"));
        reply->tail = SLICE("\r\n0\r\n\r\n");
    }
    reply->head = (struct slice){ memory, (size_t)(at - memory) };
    assert(reply->head.len <= room);
    return 0;
}
