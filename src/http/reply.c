#include "http/reply.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "config.h"

/* More than all header fields together can need. */
#define HEAD_BYTES 1536

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
    LINE(400, "Bad Request"),
    LINE(404, "Not Found"),
    LINE(405, "Method Not Allowed"),
    LINE(408, "Request Timeout"),
    LINE(413, "Content Too Large"),
    LINE(414, "URI Too Long"),
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

static void put_field(struct text *text, struct slice name, struct slice value)
{
    text_put(text, name);
    text_put(text, value);
    text_put(text, SLICE("\r\n"));
}

/* Who may read the answer in a browser. */
static void put_cors(struct text *text, const struct answer *answer,
                     const struct request *request, const struct config_list *origins)
{
    if (origins->count == 1 && strcmp(origins->items[0], "*") == 0) {
        text_put(text, SLICE("Access-Control-Allow-Origin: *\r\n"));
    } else {
        text_put(text, SLICE("Vary: Origin\r\n"));
        for (size_t i = 0; i < origins->count; i++) {
            if (slice_is(request->origin, origins->items[i]) ||
                strcmp(origins->items[i], "*") == 0) {
                put_field(text, SLICE("Access-Control-Allow-Origin: "),
                          slice_of(origins->items[i]));
                break;
            }
        }
    }
    text_put(text, SLICE("Access-Control-Expose-Headers: ETag, Content-Length, Content-Range, "
                         "Accept-Ranges, Retry-After, X-Request-Id, WWW-Authenticate\r\n"));
    if (answer->preflight)
        text_put(
            text,
            SLICE("Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
                  "Access-Control-Allow-Headers: Authorization, Content-Type, Range, If-Range, "
                  "If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, "
                  "Last-Event-ID, X-Request-Id\r\n"
                  "Access-Control-Max-Age: 86400\r\n"));
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

/* The client's own id for the request, or a new one: a counter from a random start, well mixed.
 */
static void put_id(struct text *text, struct slice id)
{
    static uint64_t counter;
    char fresh[16];

    if (!id_valid(id)) {
        if (counter == 0 && getrandom(&counter, sizeof(counter), GRND_NONBLOCK) < 0)
            counter = clock_ns();
        counter += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t mixed = counter;
        mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
        mixed ^= mixed >> 31;
        for (int i = 0; i < 16; i++, mixed >>= 4)
            fresh[i] = "0123456789abcdef"[mixed & 15];
        id = (struct slice){ fresh, 16 };
    }
    put_field(text, SLICE("X-Request-Id: "), id);
}

/* Whether the body goes in a chunk. Its length is known, so that one is enough. */
static bool is_chunked(const struct answer *answer, const struct request *request)
{
    return answer->chunked && request->minor == 1 && request->method != REQUEST_HEAD;
}

static void put_framing(struct text *text, const struct answer *answer,
                        const struct request *request)
{
    if (answer->content_type == NULL)
        return; /* a 204 has neither */
    if (is_chunked(answer, request)) {
        text_put(text, SLICE("Transfer-Encoding: chunked\r\n"));
    } else {
        text_put(text, SLICE("Content-Length: "));
        text_number(text, answer->body.length);
        text_put(text, SLICE("\r\n"));
    }
}

int reply_make(struct reply *reply, struct answer *answer, const struct request *request,
               bool keep_alive, const struct config *config)
{
    char *memory = arena_take(&answer->arena, HEAD_BYTES + request->origin.len);
    struct text text = text_on(memory, HEAD_BYTES + request->origin.len);

    if (memory == NULL)
        return -1;
    text_put(&text, status_line(answer->status));
    text_put(&text, server_and_date());
    if (answer->content_type != NULL)
        put_field(&text, SLICE("Content-Type: "), slice_of(answer->content_type));
    put_framing(&text, answer, request);
    text_put(&text, answer->status < 300 ? SLICE("Cache-Control: no-cache\r\n")
                                         : SLICE("Cache-Control: no-store\r\n"));
    put_cors(&text, answer, request, &config->allow_origin);
    put_id(&text, request->id);
    if (answer->allow != NULL)
        put_field(&text, SLICE("Allow: "), slice_of(answer->allow));
    if (answer->status == 503)
        text_put(&text, SLICE("Retry-After: 1\r\n"));
    if (!keep_alive)
        text_put(&text, SLICE("Connection: close\r\n"));
    else if (request->minor == 0)
        text_put(&text, SLICE("Connection: keep-alive\r\n"));
    text_put(&text, SLICE("\r\n"));

    reply->tail = (struct slice){ NULL, 0 };
    if (is_chunked(answer, request)) {
        text_hex(&text, answer->body.length);
        text_put(&text, SLICE("\r\n"));
        reply->tail = SLICE("\r\n0\r\n\r\n");
    }
    reply->head = (struct slice){ text.at, text.len };
    return text.cut ? -1 : 0;
}
