#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "dice.h"
#include "http/http1.h"

static struct config *config;

/* What became of a head. */
struct outcome {
    enum http1_result result;
    int status;
    size_t consumed;
    struct request request;
    char reason[512];
};

static void begin(void)
{
    config = config_new();
    ck_assert_ptr_nonnull(config);
}

static void end(void)
{
    config_free(config);
}

/* Show ${head} in steps of ${sizes}(dice), as it would come from a socket: in memory of exactly
 * that size, so that reading further shows. */
static struct outcome feed(struct slice head, struct dice *dice, unsigned step)
{
    struct outcome outcome = { .result = HTTP1_MORE };
    struct http1_scan scan = { 0 };
    size_t len = 0;

    while (outcome.result == HTTP1_MORE && len < head.len) {
        struct failure failure = { 0 };
        size_t more = step == 0 ? head.len : dice == NULL ? step : 1 + dice_roll(dice, step);

        len = more < head.len - len ? len + more : head.len;
        char *bytes = malloc(len);
        memcpy(bytes, head.at, len);
        outcome.result = http1_head(bytes, len, &scan, config, &outcome.request,
                                    &outcome.consumed, &failure);
        /* Slices into what goes away now: in the original, instead. */
        struct slice *slices[] = { &outcome.request.path, &outcome.request.query,
                                   &outcome.request.origin, &outcome.request.id,
                                   &outcome.request.conditions };
        for (size_t i = 0; outcome.result == HTTP1_DONE && i < COUNT_OF(slices); i++) {
            if (slices[i]->at >= bytes && slices[i]->at <= bytes + len)
                slices[i]->at = head.at + (slices[i]->at - bytes);
        }
        free(bytes);
        outcome.status = failure.status;
        snprintf(outcome.reason, sizeof(outcome.reason), "%s", failure.reason);
    }
    return outcome;
}

static struct outcome whole(const char *head)
{
    return feed(slice_of(head), NULL, 0);
}

static bool has_body(struct request request)
{
    return request.chunked || request.body_bytes > 0;
}

static struct request good(const char *head)
{
    struct outcome outcome = whole(head);

    ck_assert_msg(outcome.result == HTTP1_DONE, "%s: %d %s", head, outcome.status,
                  outcome.reason);
    ck_assert_uint_eq(outcome.consumed, strlen(head));
    return outcome.request;
}

/* It is refused with ${status}, at once and byte by byte. */
static void bad_slice(struct slice head, int status)
{
    for (unsigned step = 0; step < 2; step++) {
        struct outcome outcome = feed(head, NULL, step);

        ck_assert_msg(outcome.result == HTTP1_BAD, "%.*s: result %d", SLICE_ARG(head),
                      outcome.result);
        ck_assert_msg(outcome.status == status, "%.*s: %d %s", SLICE_ARG(head), outcome.status,
                      outcome.reason);
    }
}

static void bad(const char *head, int status)
{
    bad_slice(slice_of(head), status);
}

#define HOST "Host: a\r\n"

START_TEST(http1_reads_requests)
{
    struct request r;

    begin();
    r = good("GET /api/data?symbol=a&x HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(r.method, REQUEST_GET);
    ck_assert_int_eq(r.minor, 1);
    ck_assert(r.keep_alive && !has_body(r) && !r.expect_continue);
    ck_assert(slice_is(r.path, "/api/data"));
    ck_assert(slice_is(r.query, "symbol=a&x"));
    ck_assert_uint_eq(r.origin.len, 0);
    ck_assert_uint_eq(r.id.len, 0);

    r = good("HEAD / HTTP/1.1\r\n" HOST "X-Request-ID:  abc \t \r\nORIGIN:https://x\r\n\r\n");
    ck_assert_int_eq(r.method, REQUEST_HEAD);
    ck_assert(slice_is(r.path, "/"));
    ck_assert_ptr_null(r.query.at);
    ck_assert(slice_is(r.id, "abc"));
    ck_assert(slice_is(r.origin, "https://x"));

    r = good("GET / HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_uint_eq(r.conditions.len, 0);
    r = good("GET / HTTP/1.1\r\nIf-Match:\r\nrange:  x \r\n" HOST
             "IF-RANGE: \"y\" \r\nA: b\r\n\r\n");
    ck_assert(slice_is(r.conditions, "range:  x \r\n" HOST "IF-RANGE: \"y\""));
    static const char *const alone[] = {
        "Range",         "If-Range",          "If-Match",
        "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"
    };
    for (size_t i = 0; i < COUNT_OF(alone); i++) {
        char text[200];

        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s: x\r\nA: b\r\n\r\n",
                 alone[i]);
        r = good(text);
        ck_assert_uint_eq(r.conditions.len, strlen(alone[i]) + 3);
    }

    r = good("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_int_eq(r.method, REQUEST_OPTIONS);
    ck_assert(slice_is(r.path, "*"));
    r = good("GET /? HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_ptr_nonnull(r.query.at);
    ck_assert_uint_eq(r.query.len, 0);
    good("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
    good("GET / HTTP/1.1\r\nHost:\r\n\r\n");
    good("GET / HTTP/1.1\r\nHOST:a.b:80\r\nX: \xe4\xf6\r\nEmpty:\r\nA:\t b\r\n\r\n");
    end();
}
END_TEST

#define LONG "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOP"

START_TEST(http1_knows_methods)
{
    static const char *const others[] = { "POST", "PUT", "DELETE", "TRACE", "PATCH" };
    static const char *const unknown[] = { "FOO",      "get",   "SOURCE", "M-SEARCH",
                                           "PROPFIND", "SETUP", "PLAY",   "G" };
    char head[128];

    begin();
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        snprintf(head, sizeof(head), "%s /x HTTP/1.1\r\n" HOST "\r\n", others[i]);
        ck_assert_int_eq(good(head).method, REQUEST_OTHER);
    }
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        snprintf(head, sizeof(head), "%s /x HTTP/1.1\r\n" HOST "\r\n", unknown[i]);
        bad(head, 501);
    }
    /* One that is longer than any other, too, even if it does not end. */
    for (int len = 16; len <= 64; len++) {
        snprintf(head, sizeof(head), "%.*s /x HTTP/1.1\r\n" HOST "\r\n", len, LONG);
        bad(head, 501);
    }
    static char longest[20000];
    memset(longest, 'A', sizeof(longest));
    bad_slice((struct slice){ longest, sizeof(longest) }, 501);
    bad(LONG, 501);
    bad(LONG "\r\n", 501);
    bad("/" LONG, 400);
    bad("CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 405);
    bad("CONNECT /x HTTP/1.1\r\n" HOST "\r\n", 405);
    end();
}
END_TEST

START_TEST(http1_knows_targets)
{
    static const struct {
        const char *target, *path, *query;
    } rows[] = {
        { "http://a/x", "/x", NULL },
        { "HTTP://a:80/x?y", "/x", "y" },
        { "https://a:443/x?y", "/x", "y" },
        { "HTTPS://a", "/", NULL },
        { "http://a", "/", NULL },
        { "http://a?x=1", "/", "x=1" },
        { "http://a?x=/1", "/", "x=/1" },
        { "http://a/?x=1?y", "/", "x=1?y" },
        { "/x?y=http://z/", "/x", "y=http://z/" },
        { "//x", "//x", NULL },
        { "/%00", "/%00", NULL },
    };
    static const char *const refused[] = { "x",          "*",        "a:80",        "?x",
                                           "http:///x",  "http://?", "ftp://a/",    "https//a",
                                           "https:///x", "https://", "httpss://a/", "\xc3\xa9",
                                           "/\xc3\xa9",  "/a#b",     "/\x7f",       "/a\tb",
                                           "/\x01" };
    char head[256];

    begin();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].target);
        struct request r = good(head);
        ck_assert_msg(slice_is(r.path, rows[i].path), "%s", rows[i].target);
        ck_assert_int_eq(r.query.at != NULL, rows[i].query != NULL);
        if (rows[i].query != NULL)
            ck_assert(slice_is(r.query, rows[i].query));
    }
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\n" HOST "\r\n", refused[i]);
        bad(head, 400);
    }
    bad("GET  / HTTP/1.1\r\n" HOST "\r\n", 400);
    bad("GET /  HTTP/1.1\r\n" HOST "\r\n", 400);
    bad("GET / x HTTP/1.1\r\n" HOST "\r\n", 400);
    bad_slice(SLICE("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    end();
}
END_TEST

START_TEST(http1_knows_versions)
{
    begin();
    ck_assert_int_eq(good("GET / HTTP/1.0\r\n\r\n").minor, 0); /* needs no Host */
    bad("GET / HTTP/2.0\r\n" HOST "\r\n", 505);
    bad("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    bad("GET / HTTP/1.2\r\n" HOST "\r\n", 505);
    bad("GET / HTTP/0.9\r\n" HOST "\r\n", 505);
    bad("GET / HTTP/11\r\n" HOST "\r\n", 400);
    bad("GET / HTTP/1.11\r\n" HOST "\r\n", 400);
    bad("GET / http/1.1\r\n" HOST "\r\n", 400);
    bad("GET / RTSP/1.0\r\n" HOST "\r\n", 400);
    bad("SETUP / RTSP/1.0\r\n\r\n", 400);
    bad("SOURCE / ICE/1.0\r\n\r\n", 400);
    bad("GET /\r\n", 400);
    bad("GET\r\n", 400);
    bad("\x16\x03\x01\x02", 400); /* TLS */
    bad("GET / HTTP/1.1 \r\n" HOST "\r\n", 400);
    bad(" GET / HTTP/1.1\r\n" HOST "\r\n", 400);
    end();
}
END_TEST

START_TEST(http1_knows_who_stays)
{
    begin();
    ck_assert(!good("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n").keep_alive);
    ck_assert(!good("GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n").keep_alive);
    ck_assert(!good("GET / HTTP/1.1\r\n" HOST "connection: x, close\r\n\r\n").keep_alive);
    ck_assert(!good("GET / HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: close\r\n\r\n")
                   .keep_alive);
    ck_assert(good("GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n").keep_alive);
    ck_assert(good("GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n").keep_alive);
    ck_assert(!good("GET / HTTP/1.0\r\n\r\n").keep_alive);
    ck_assert(good("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    ck_assert(!good("GET / HTTP/1.0\r\nConnection: close\r\n\r\n").keep_alive);
    /* A list, with blanks around its members, in which close counts for more than keep-alive.
     */
    static const char *const closing[] = {
        "close\t", "\tclose \t", "close\t,x", "x\t,\tclose",       ", close",
        "close,",  "x, ,close",  "CLOSE , x", "keep-alive, close", "close, keep-alive",
    };
    static const char *const staying[] = {
        "keep-alive", "Keep-Alive\t", "x\t, keep-alive", "keep-alive,", "close-x, keep-alive",
    };
    char head[128];
    for (size_t i = 0; i < COUNT_OF(closing); i++) {
        for (int minor = 0; minor < 2; minor++) {
            sprintf(head, "GET / HTTP/1.%d\r\n" HOST "Connection: %s\r\n\r\n", minor,
                    closing[i]);
            ck_assert_msg(!good(head).keep_alive, "%s", head);
        }
    }
    for (size_t i = 0; i < COUNT_OF(staying); i++) {
        sprintf(head, "GET / HTTP/1.0\r\nConnection: %s\r\n\r\n", staying[i]);
        ck_assert_msg(good(head).keep_alive, "%s", head);
    }
    /* Nor is it anybody else's field. */
    ck_assert(good("GET / HTTP/1.1\r\n" HOST "Proxy-Connection: close\r\n\r\n").keep_alive);
    ck_assert(!good("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n").keep_alive);
    /* What curl --http2 sends. */
    struct request r = good("GET /x HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\n"
                            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n");
    ck_assert(r.keep_alive && !has_body(r));
    ck_assert(slice_is(r.path, "/x"));
    r = good("POST /x HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n"
             "Content-Length: 3\r\n\r\n");
    ck_assert(has_body(r));
    end();
}
END_TEST

START_TEST(http1_knows_bodies)
{
    struct request r;

    begin();
    r = good("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n");
    ck_assert(has_body(r));
    ck_assert_uint_eq(r.body_bytes, 5);
    r = good("GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    ck_assert(!has_body(r));
    r = good("GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    ck_assert(has_body(r));
    ck_assert_uint_eq(r.body_bytes, 0);
    good("GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n");
    r = good("PUT / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
    ck_assert(r.expect_continue);
    static const char *const blanks[] = { "%s",   " %s",      "\t%s",  "%s ",
                                          "%s\t", "\t %s \t", " %s\t " };
    for (size_t i = 0; i < COUNT_OF(blanks); i++) {
        char head[128], value[32];

        sprintf(value, blanks[i], "42");
        sprintf(head, "POST / HTTP/1.1\r\n" HOST "Content-Length:%s\r\nX:\ty\r\n\r\n", value);
        ck_assert_uint_eq(good(head).body_bytes, 42);
        sprintf(value, blanks[i], "chunked");
        sprintf(head, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:%s\r\n\r\n", value);
        ck_assert(good(head).chunked);
        sprintf(value, blanks[i], "100-continue");
        sprintf(head, "PUT http://x/ HTTP/1.1\r\n" HOST "Expect:%s\r\n\r\n", value);
        ck_assert(good(head).expect_continue);
        sprintf(value, blanks[i], "id");
        sprintf(head, "GET / HTTP/1.1\r\n" HOST "X-Request-Id:%s\r\nRange:%s\r\n\r\n", value,
                value);
        r = good(head);
        ck_assert(slice_is(r.id, "id"));
        ck_assert(memcmp(r.conditions.at + r.conditions.len - 2, "id", 2) == 0);
    }
    good("POST / HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n");
    bad("POST / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n", 413);
    bad("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n", 413);
    bad("PUT / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: tea\r\n\r\n", 417);
    bad("PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue, tea\r\n\r\n", 417);
    ck_assert(good("PUT / HTTP/1.1\r\n" HOST "Expect: , 100-continue\r\n\r\n").expect_continue);
    ck_assert(!good("PUT / HTTP/1.1\r\n" HOST "Expect:\r\n\r\n").expect_continue);
    end();
}
END_TEST

/* What two parsers could read in two ways. */
START_TEST(http1_refuses_what_is_ambiguous)
{
    static const char *const heads[] = {
        /* lengths */
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5x\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST " Content-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "\tContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "X: a\r\n Content-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "X:\r\n Content-Length: 5\r\n\r\n",
        /* codings */
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked x\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunkedchunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: x chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\t,\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
        "chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding\r\n: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        /* hosts */
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST HOST "\r\n",
        "GET / HTTP/1.0\r\n" HOST HOST "\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n",
        /* line ends */
        "GET / HTTP/1.1\n" HOST "\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "\n",
        "GET / HTTP/1.1\r" HOST "\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "X: a\rContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "\r\r\n",
        "\nGET / HTTP/1.1\r\n" HOST "\r\n",
        "\rGET / HTTP/1.1\r\n" HOST "\r\n",
        /* names and values */
        "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "noname\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "a(b): x\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "a\xc3\xa9: x\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "a: x\x01\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "a: x\x7f\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "a: x\x0b\r\n\r\n",
    };

    begin();
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        bad(heads[i], 400);
    bad_slice(SLICE("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"), 400);
    bad_slice(SLICE("GET / HTTP/1.1\r\nHost: a\r\nX\0: ab\r\n\r\n"), 400);
    /* Codings that exist and that we do not know. */
    bad("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    bad("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\t,\tChunked\t\r\n\r\n", 501);
    end();
}
END_TEST

/* Append ${count} fields of ${len} bytes each, line ends included. */
static size_t put_fields(char *head, size_t at, unsigned count, size_t len)
{
    for (unsigned i = 0; i < count; i++) {
        memcpy(head + at, "A: ", 3);
        memset(head + at + 3, 'x', len - 5);
        memcpy(head + at + len - 2, "\r\n", 2);
        at += len;
    }
    return at;
}

START_TEST(http1_knows_a_head)
{
    static const char *const heads[] = { "HEAD ", "HEAD /x HTTP/9.9\r\n", "\r\n\r\nHEAD x",
                                         "\nHEAD " };
    static const char *const others[] = { "",        "\r\n",    "HEAD",       "HEADER ",
                                          "HEAD\t/", "head / ", "GET /HEAD ", " HEAD " };

    for (size_t i = 0; i < COUNT_OF(heads); i++)
        ck_assert_msg(http1_is_head(heads[i], strlen(heads[i])), "%s", heads[i]);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert_msg(!http1_is_head(others[i], strlen(others[i])), "%s", others[i]);
    ck_assert(!http1_is_head(NULL, 0));
}
END_TEST

START_TEST(http1_has_limits)
{
    static char head[200000];
    size_t at;

    begin();
    /* The target: 8 KiB, and not a byte more. */
    for (size_t len = 8190; len <= 8195; len++) {
        at = (size_t)sprintf(head, "GET /");
        memset(head + at, 'x', len - 1);
        sprintf(head + at + len - 1, " HTTP/1.1\r\n" HOST "\r\n");
        if (len <= 8192)
            good(head);
        else
            bad(head, 414);
    }
    /* One without an end is refused before it fills the memory. */
    memset(head, 'x', sizeof(head));
    memcpy(head, "GET /", 5);
    struct outcome outcome = feed((struct slice){ head, sizeof(head) }, NULL, 100);
    ck_assert_int_eq(outcome.status, 414);

    /* 100 fields. */
    for (unsigned count = 98; count <= 102; count++) {
        at = (size_t)sprintf(head, "GET / HTTP/1.1\r\n" HOST);
        at = put_fields(head, at, count - 1, 20);
        memcpy(head + at, "\r\n", 3);
        if (count <= 100)
            good(head);
        else
            bad(head, 431);
    }
    /* 32 KiB of them, in one or many. */
    for (size_t fields = 1; fields <= 32; fields *= 4) {
        for (int more = -1; more <= 1; more += 2) {
            at = (size_t)sprintf(head, "GET / HTTP/1.1\r\n" HOST);
            size_t left = 32768 + (size_t)more * 8 - 9;
            at = put_fields(head, at, (unsigned)fields - 1, left / fields);
            at = put_fields(head, at, 1, left - left / fields * (fields - 1));
            memcpy(head + at, "\r\n", 3);
            if (more < 0)
                good(head);
            else
                bad(head, 431);
        }
    }
    /* A field without an end. */
    at = (size_t)sprintf(head, "GET / HTTP/1.1\r\n" HOST "A: ");
    memset(head + at, 'x', sizeof(head) - at);
    outcome = feed((struct slice){ head, sizeof(head) }, NULL, 1000);
    ck_assert_int_eq(outcome.status, 431);

    /* Empty lines without an end. */
    for (at = 0; at < 1000; at += 2)
        memcpy(head + at, "\r\n", 2);
    ck_assert_int_eq(feed((struct slice){ head, 1000 }, NULL, 7).status, 400);
    end();
}
END_TEST

static const char *const pool[] = {
    "GET /api/data?symbol=a HTTP/1.1\r\n" HOST "\r\n",
    "\r\nHEAD http://x/y?z HTTP/1.1\r\n" HOST "Origin: http://o\r\nX-Request-Id: 7\r\n\r\n",
    "POST /x HTTP/1.1\r\n" HOST "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    "POST /x HTTP/1.1\r\n" HOST "transfer-encoding:chunked\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\nA:\r\nB: \r\n\r\n",
    "OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
    "GET /?x HTTP/1.1\r\nHost:\ta\t\r\nA:\t\r\nX-Request-Id: \t7\t \r\nRange:\tb\tc \t\r\n\r\n",
    "GET http://x/ HTTP/1.1\r\nHost:\ta\t\r\nX-Request-Id:\t\r\nConnection:\tclose\t\r\n\r\n",
};

static bool same(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static void same_request(const struct request *a, const struct request *b)
{
    MUST(a->method == b->method);
    MUST(a->minor == b->minor);
    MUST(a->keep_alive == b->keep_alive);
    MUST(a->chunked == b->chunked);
    MUST(a->expect_continue == b->expect_continue);
    MUST(a->body_bytes == b->body_bytes);
    MUST(same(a->path, b->path));
    MUST((a->query.at == NULL) == (b->query.at == NULL));
    MUST(same(a->query, b->query));
    MUST(same(a->origin, b->origin));
    MUST(same(a->id, b->id));
}

/* However the bytes come, the request is the same, and what follows it is left alone. */
START_TEST(http1_does_not_mind_splits)
{
    struct dice dice = dice_new(1);

    begin();
    for (int round = 0; round < 4000; round++) {
        char both[512];
        size_t first = dice_roll(&dice, COUNT_OF(pool));

        snprintf(both, sizeof(both), "%s%s", pool[first],
                 pool[dice_roll(&dice, COUNT_OF(pool))]);
        struct slice bytes = slice_of(dice_roll(&dice, 2) ? both : pool[first]);
        struct outcome a = whole(pool[first]);
        struct outcome b =
            round % 4 ? feed(bytes, &dice, 1 + dice_roll(&dice, 60)) : feed(bytes, NULL, 1);

        MUST(a.result == HTTP1_DONE && b.result == HTTP1_DONE);
        MUST(a.consumed == b.consumed);
        same_request(&a.request, &b.request);
    }
    end();
}
END_TEST

/* A head that comes at once, in the connection of ${scan}. */
static struct outcome follow(struct http1_scan *scan, struct slice head)
{
    struct outcome outcome = { .result = HTTP1_MORE };
    struct failure failure = { 0 };

    outcome.result = http1_head(head.at, head.len, scan, config, &outcome.request,
                                &outcome.consumed, &failure);
    outcome.status = failure.status;
    return outcome;
}

START_TEST(http1_remembers_fields)
{
#define FIELDS " HTTP/1.1\r\n" HOST "Origin: o\r\nX-Request-Id: i\r\nRange: r\r\n\r\n"
    struct http1_scan scan = { 0 };
    struct outcome first, again;
    struct slice bad_target = SLICE("GET /a\x7f" FIELDS);

    begin();
    first = follow(&scan, SLICE("GET /a?b" FIELDS));
    ck_assert_int_eq(first.result, HTTP1_DONE);
    again = follow(&scan, SLICE("GET /long/er" FIELDS "GET /c"));
    ck_assert_int_eq(again.result, HTTP1_DONE);
    ck_assert_uint_eq(again.consumed, strlen("GET /long/er" FIELDS));
    ck_assert(slice_is(again.request.path, "/long/er"));
    ck_assert_ptr_null(again.request.query.at);
    ck_assert(slice_is(again.request.origin, "o") && slice_is(again.request.id, "i"));
    ck_assert(slice_is(again.request.conditions, "Range: r"));
    ck_assert_ptr_eq(again.request.conditions.at, scan.last.rest + strlen(FIELDS) - 12);
    ck_assert(again.request.origin.at > scan.last.rest &&
              again.request.origin.at < scan.last.rest + sizeof(scan.last.rest));

    /* Another field, another method and another kind of target are read for themselves. */
    again = follow(&scan, SLICE("GET /a HTTP/1.1\r\n" HOST "Origin: p\r\n\r\n"));
    ck_assert(slice_is(again.request.origin, "p"));
    ck_assert_uint_eq(again.request.id.len, 0);
    again = follow(&scan, SLICE("HEAD /a HTTP/1.1\r\n" HOST "Origin: p\r\n\r\n"));
    ck_assert_int_eq(again.request.method, REQUEST_HEAD);
    again = follow(&scan, SLICE("GET http://x/y" FIELDS));
    ck_assert(slice_is(again.request.path, "/y"));
    ck_assert(slice_is(again.request.origin, "o"));
    again = follow(&scan, SLICE("GET /a" FIELDS));
    ck_assert(slice_is(again.request.path, "/a"));
    ck_assert_int_eq(follow(&scan, bad_target).status, 400);
    end();
}
END_TEST

/* A head like the last one: as it is, with other bytes in its target, or anywhere; alone, or
 * with another one behind it. */
static size_t vary(struct dice *dice, char bytes[1024], size_t len)
{
    char target[64];

    switch (dice_roll(dice, 4)) {
    case 0:
        break;
    case 1: {
        size_t from = dice_roll(dice, (unsigned)len), count = dice_roll(dice, 8);

        for (size_t i = from; i < from + count && i < len; i++)
            bytes[i] = "GET /\r\n:?#%.ab\x7f"[dice_roll(dice, 15)];
        break;
    }
    default: {
        const char *rest = memchr(bytes, ' ', len);
        rest = rest == NULL ? NULL : memchr(rest + 1, ' ', len - (size_t)(rest + 1 - bytes));
        if (rest == NULL)
            break;
        int count = snprintf(target, sizeof(target), "GET %s%x",
                             dice_roll(dice, 9) ? "/" : "http://a/", dice_roll(dice, 1 << 20));
        for (unsigned changes = dice_roll(dice, 3); changes > 0; changes--)
            target[4 + dice_roll(dice, (unsigned)count - 4)] = (char)dice_bits(dice);
        size_t rest_len = len - (size_t)(rest - bytes);
        memmove(bytes + count, rest, rest_len);
        memcpy(bytes, target, (size_t)count);
        len = (size_t)count + rest_len;
    }
    }
    if (len > 512)
        len = 512;
    if (dice_roll(dice, 4) == 0)
        len += (size_t)sprintf(bytes + len, "%s", pool[dice_roll(dice, COUNT_OF(pool))]);
    return len;
}

/* Whatever came before in a connection, a head means what it means in a new one. */
START_TEST(http1_heads_do_not_mind_each_other)
{
    struct dice dice = dice_new(3);
    unsigned good_ones = 0;

    begin();
    for (int round = 0; round < 20000; round++) {
        struct http1_scan scan = { 0 };
        char bytes[1024];
        const char *base = pool[dice_roll(&dice, COUNT_OF(pool))];
        size_t len = strlen(base);

        memcpy(bytes, base, len);
        for (int heads = 0; heads < 8; heads++) {
            char *copy = malloc(len + 1); /* a malloc of nothing may be NULL */
            struct slice head = { memcpy(copy, bytes, len), len };
            struct http1_scan fresh = { 0 };
            struct outcome a = follow(&fresh, head), b = follow(&scan, head);

            MUST(a.result == b.result && a.status == b.status);
            if (a.result == HTTP1_DONE) {
                MUST(a.consumed == b.consumed);
                same_request(&a.request, &b.request);
                good_ones++;
                len = a.consumed;
            }
            free(copy);
            if (a.result != HTTP1_DONE)
                break; /* the connection ends, or waits for more of this head */
            len = vary(&dice, bytes, len);
        }
    }
    MUST(good_ones > 40000);
    end();
}
END_TEST

/* Whatever comes, it is judged without a crash, and what is good cut short is not yet good. */
START_TEST(http1_bears_anything)
{
    struct dice dice = dice_new(2);

    begin();
    for (int round = 0; round < 20000; round++) {
        char bytes[256];
        const char *base = pool[dice_roll(&dice, COUNT_OF(pool))];
        size_t len = strlen(base);

        memcpy(bytes, base, len);
        for (unsigned changes = dice_roll(&dice, 4); changes > 0; changes--) {
            size_t at = dice_roll(&dice, (unsigned)len);

            if (dice_roll(&dice, 2)) {
                bytes[at] = (char)dice_bits(&dice);
            } else if (dice_roll(&dice, 2)) {
                bytes[at] = "\r\n\t :,/?%#\x7f"[dice_roll(&dice, 12)];
            } else {
                memmove(bytes + at, bytes + at + 1, len - at - 1);
                len--;
            }
        }
        struct outcome at_once = feed((struct slice){ bytes, len }, NULL, 0);
        struct outcome in_steps = feed((struct slice){ bytes, len }, &dice, 20);

        MUST(at_once.result == in_steps.result);
        MUST(at_once.status == in_steps.status);
        MUST((at_once.result == HTTP1_BAD) == (at_once.status != 0));
    }
    for (size_t i = 0; i < COUNT_OF(pool); i++) {
        for (size_t len = 0; len < strlen(pool[i]); len++)
            MUST(feed((struct slice){ pool[i], len }, NULL, 0).result == HTTP1_MORE);
    }
    end();
}
END_TEST

/* Fields of exactly max_header bytes, wherever they are split. */
START_TEST(http1_limits_do_not_mind_splits)
{
    begin();
    char *head = malloc(40000);
    size_t at = (size_t)sprintf(head, "GET / HTTP/1.1\r\n"), fields = at;

    at += (size_t)sprintf(head + at, "Host: a\r\nA: ");
    while (at < fields + config->max_header - 2)
        head[at++] = 'x';
    memcpy(head + at, "\r\n\r\n", 4);
    at += 4;
    for (size_t split = fields; split <= at; split++) {
        struct http1_scan scan = { 0 };
        struct request request;
        struct failure failure = { 0 };
        size_t consumed;

        if (http1_head(head, split, &scan, config, &request, &consumed, &failure) == HTTP1_MORE)
            ck_assert_int_eq(http1_head(head, at, &scan, config, &request, &consumed, &failure),
                             HTTP1_DONE);
        ck_assert_int_eq(failure.status, 0);
    }
    free(head);
    end();
}
END_TEST

UNIT("http1", http1_reads_requests, http1_knows_methods, http1_knows_targets,
     http1_knows_versions, http1_knows_who_stays, http1_knows_bodies,
     http1_refuses_what_is_ambiguous, http1_knows_a_head, http1_has_limits,
     http1_does_not_mind_splits, http1_remembers_fields, http1_heads_do_not_mind_each_other,
     http1_bears_anything, http1_limits_do_not_mind_splits)
