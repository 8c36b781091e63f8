#include "unit.h"

#include <string.h>

#include "http/reply.h"

static struct config *config;
static struct answer answer;
static char head[8192], tail[64];

static void begin(const char *origin, const char *another)
{
    char problem[256];

    config = config_new();
    if (origin != NULL)
        config_set(config, "allow_origin", origin, problem, sizeof(problem));
    if (another != NULL)
        config_set(config, "allow_origin", another, problem, sizeof(problem));
    ck_assert_int_eq(config_complete(config, problem, sizeof(problem)), 0);
    answer_init(&answer, 4096);
}

static void end(void)
{
    answer_free(&answer);
    config_free(config);
}

/* The head of an answer, with a check of what every one must have. */
static const char *make(int status, const char *type, struct slice body, struct request request,
                        bool keep_alive)
{
    struct reply reply;

    answer_clear(&answer);
    if (type == NULL)
        answer.status = status;
    else
        answer_memory(&answer, status, type, body);
    answer.chunked = status == 200;
    answer.preflight = status == 204;
    ck_assert_int_eq(reply_make(&reply, &answer, &request, keep_alive, config), 0);
    snprintf(head, sizeof(head), "%.*s", SLICE_ARG(reply.head));
    snprintf(tail, sizeof(tail), "%.*s", SLICE_ARG(reply.tail));
    ck_assert_uint_eq(strlen(head), reply.head.len);
    ck_assert(strncmp(head, "HTTP/1.1 ", 9) == 0);
    ck_assert_ptr_nonnull(strstr(head, "\r\nServer: tickd/"));
    ck_assert_ptr_nonnull(strstr(head, " GMT\r\n"));
    ck_assert_ptr_nonnull(strstr(head,
                                 "\r\nAccess-Control-Expose-Headers: ETag, Content-Length, "
                                 "Content-Range, Accept-Ranges, Retry-After, X-Request-Id, "
                                 "WWW-Authenticate\r\n"));
    ck_assert_ptr_nonnull(strstr(head, "\r\nX-Request-Id: "));
    ck_assert_ptr_nonnull(strstr(head, "\r\n\r\n"));
    return head;
}

static bool has(const char *line)
{
    return strstr(head, line) != NULL;
}

static const struct request plain = { .minor = 1 };

START_TEST(reply_frames)
{
    struct request request = plain;

    begin(NULL, NULL);
    make(200, "x/y", SLICE("0123456789abcdef"), request, true);
    ck_assert(strncmp(head, "HTTP/1.1 200 OK\r\n", 17) == 0);
    ck_assert(has("\r\nContent-Type: x/y\r\n"));
    ck_assert(has("\r\nTransfer-Encoding: chunked\r\n"));
    ck_assert(!has("Content-Length:"));
    ck_assert(has("\r\nCache-Control: no-cache\r\n"));
    ck_assert(!has("Connection:"));
    ck_assert_str_eq(strstr(head, "\r\n\r\n"), "\r\n\r\n10\r\n");
    ck_assert_str_eq(tail, "\r\n0\r\n\r\n");

    make(200, "x/y", SLICE("0123456789abcdef"), request, false);
    ck_assert(has("\r\nConnection: close\r\n"));

    /* HTTP/1.0 knows no chunks; HEAD has no body. */
    request.minor = 0;
    make(200, "x/y", SLICE("0123456789abcdef"), request, true);
    ck_assert(has("\r\nContent-Length: 16\r\n"));
    ck_assert(has("\r\nConnection: keep-alive\r\n"));
    ck_assert(!has("chunked"));
    ck_assert_str_eq(strstr(head, "\r\n\r\n"), "\r\n\r\n");
    ck_assert_str_eq(tail, "");
    make(200, "x/y", SLICE("0123456789abcdef"), request, false);
    ck_assert(has("\r\nConnection: close\r\n"));
    request = plain;
    request.method = REQUEST_HEAD;
    make(200, "x/y", SLICE("0123456789abcdef"), request, true);
    ck_assert(has("\r\nContent-Length: 16\r\n"));
    ck_assert_str_eq(strstr(head, "\r\n\r\n"), "\r\n\r\n");
    end();
}
END_TEST

START_TEST(reply_knows_statuses)
{
    static const struct {
        int status;
        const char *line;
    } rows[] = {
        { 400, "400 Bad Request" },           { 404, "404 Not Found" },
        { 405, "405 Method Not Allowed" },    { 408, "408 Request Timeout" },
        { 413, "413 Content Too Large" },     { 414, "414 URI Too Long" },
        { 417, "417 Expectation Failed" },    { 431, "431 Request Header Fields Too Large" },
        { 500, "500 Internal Server Error" }, { 501, "501 Not Implemented" },
        { 503, "503 Service Unavailable" },   { 505, "505 HTTP Version Not Supported" },
    };

    begin(NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        make(rows[i].status, "application/json", SLICE("{}\n"), plain, true);
        ck_assert(strncmp(head + 9, rows[i].line, strlen(rows[i].line)) == 0);
        ck_assert(strncmp(head + 9 + strlen(rows[i].line), "\r\n", 2) == 0);
        ck_assert(has("\r\nContent-Length: 3\r\n"));
        ck_assert(has("\r\nCache-Control: no-store\r\n"));
        ck_assert_int_eq(has("\r\nRetry-After: "), rows[i].status == 503);
        ck_assert(has("\r\nAccess-Control-Allow-Origin: *\r\n"));
    }
    end();
}
END_TEST

START_TEST(reply_to_a_preflight)
{
    begin(NULL, NULL);
    make(204, NULL, SLICE(""), plain, true);
    ck_assert(strncmp(head, "HTTP/1.1 204 No Content\r\n", 25) == 0);
    ck_assert(!has("Content-Length:") && !has("Transfer-Encoding:"));
    ck_assert(!has("Content-Type:"));
    ck_assert(has("\r\nAccess-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"));
    ck_assert(has("\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Range, "
                  "If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, "
                  "Last-Event-ID, X-Request-Id\r\n"));
    ck_assert(has("\r\nAccess-Control-Max-Age: "));
    end();
}
END_TEST

START_TEST(reply_says_who_may_read)
{
    struct request request = plain;

    begin("https://a.example", "https://b.example");
    make(200, "x/y", SLICE("x"), request, true);
    ck_assert(!has("Allow-Origin"));
    ck_assert(has("\r\nVary: Origin\r\n"));
    request.origin = SLICE("https://b.example");
    make(200, "x/y", SLICE("x"), request, true);
    ck_assert(has("\r\nAccess-Control-Allow-Origin: https://b.example\r\n"));
    ck_assert(has("\r\nVary: Origin\r\n"));
    request.origin = SLICE("https://b.example.evil");
    make(404, "x/y", SLICE("x"), request, true);
    ck_assert(!has("Allow-Origin"));
    ck_assert(has("\r\nVary: Origin\r\n"));
    end();

    begin("*", NULL);
    make(200, "x/y", SLICE("x"), request, true);
    ck_assert(has("\r\nAccess-Control-Allow-Origin: *\r\n"));
    ck_assert(!has("Vary") && !has("Credentials"));
    end();
}
END_TEST

static const char *id_of(char id[80])
{
    sscanf(strstr(head, "X-Request-Id: ") + 14, "%79[^\r]", id);
    return id;
}

START_TEST(reply_repeats_ids)
{
    struct request request = plain;
    char id[80], before[80] = "";
    char longest[66];

    begin(NULL, NULL);
    request.id = SLICE("a-B_9.:/=+");
    make(200, "x/y", SLICE("x"), request, true);
    ck_assert_str_eq(id_of(id), "a-B_9.:/=+");
    memset(longest, 'i', 65);
    longest[65] = '\0';
    request.id = (struct slice){ longest, 64 };
    make(200, "x/y", SLICE("x"), request, true);
    ck_assert_uint_eq(strlen(id_of(id)), 64);

    /* Any other one is replaced, each time by another. */
    const struct slice bad[] = { SLICE(""),     { longest, 65 },   SLICE("a b"),
                                 SLICE("a\"b"), SLICE("\xc3\xa9"), SLICE("a;b") };
    for (size_t i = 0; i < 50; i++) {
        request.id = bad[i % COUNT_OF(bad)];
        make(200, "x/y", SLICE("x"), request, true);
        ck_assert_uint_eq(strlen(id_of(id)), 16);
        ck_assert_uint_eq(strspn(id, "0123456789abcdef"), 16);
        ck_assert_str_ne(id, before);
        strcpy(before, id);
    }
    end();
}
END_TEST

START_TEST(reply_allows)
{
    begin(NULL, NULL);
    answer_clear(&answer);
    failure_set(&answer.failure, 405, NULL, "no");
    answer_failed(&answer);
    struct reply reply;
    ck_assert_int_eq(reply_make(&reply, &answer, &plain, true, config), 0);
    ck_assert_ptr_nonnull(
        memmem(reply.head.at, reply.head.len, "\r\nAllow: GET, HEAD, OPTIONS\r\n", 29));
    end();
}
END_TEST

UNIT("reply", reply_frames, reply_knows_statuses, reply_to_a_preflight, reply_says_who_may_read,
     reply_repeats_ids, reply_allows)
