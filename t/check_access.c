#include "unit.h"

#include <string.h>

#include "http/access.h"

static struct access access_;

static void begin(const char *head)
{
    access_begin(&access_, "::1", slice_of(head));
}

START_TEST(access_keeps_what_a_line_says)
{
    begin(
        "\r\nGET /a?b HTTP/1.1\r\nHost: x\r\nREFERER:\t https://a/ b \r\nUser-Agent:\r\n\r\n");
    ck_assert(slice_is(access_.line.peer, "::1"));
    ck_assert(slice_is(access_.line.request, "GET /a?b HTTP/1.1"));
    ck_assert(slice_is(access_.line.referer, "https://a/ b"));
    ck_assert(slice_is(access_.line.agent, ""));
    begin("GET / HTTP/1.0\r\nUser-Agent: x\r\n\r\n");
    ck_assert(slice_is(access_.line.referer, ""));
    ck_assert(slice_is(access_.line.agent, "x"));
}
END_TEST

/* What is no request leaves what there is of its first line. */
START_TEST(access_takes_anything)
{
    begin("");
    ck_assert_uint_eq(access_.line.request.len, 0);
    access_begin(&access_, "", (struct slice){ NULL, 0 });
    ck_assert_uint_eq(access_.line.request.len, 0);
    begin("\r\n\r\n");
    ck_assert_uint_eq(access_.line.request.len, 0);
    begin("GET /half");
    ck_assert(slice_is(access_.line.request, "GET /half"));
    begin("\x16\x03\x01\nuser-agent:");
    ck_assert(slice_is(access_.line.request, "\x16\x03\x01"));
}
END_TEST

START_TEST(access_cuts_what_is_long)
{
    static char head[3 * ACCESS_REQUEST];

    memset(head, 'x', sizeof(head) - 1);
    begin(head);
    ck_assert_uint_eq(access_.line.request.len, ACCESS_REQUEST);
    ck_assert(memcmp(access_.request + ACCESS_REQUEST - 4, "x...", 4) == 0);
    memcpy(head, "GET / HTTP/1.1\nuser-agent:", 26);
    begin(head);
    ck_assert_uint_eq(access_.line.agent.len, ACCESS_AGENT);
    head[26 + ACCESS_AGENT] = '\n';
    begin(head);
    ck_assert_uint_eq(access_.line.agent.len, ACCESS_AGENT);
    ck_assert(access_.agent[ACCESS_AGENT - 1] == 'x');
}
END_TEST

UNIT("access", access_keeps_what_a_line_says, access_takes_anything, access_cuts_what_is_long)
