#include "unit.h"

#include <string.h>

#include "api/answer.h"

static struct answer answer;

static struct slice bytes_of(void)
{
    struct piece pieces[4];
    int count;

    ck_assert_int_eq(body_next(&answer.body, pieces, 4, 1 << 20, &count), BODY_PIECES);
    ck_assert_int_eq(count, 1);
    ck_assert_uint_eq(answer.body.length, pieces[0].len);
    return (struct slice){ pieces[0].at, pieces[0].len };
}

static void check_failure(int status, const char *parameter, const char *reason,
                          const char *json)
{
    answer_clear(&answer);
    answer.chunked = true;
    failure_set(&answer.failure, status, parameter, "%s", reason);
    answer_failed(&answer);
    ck_assert_int_eq(answer.status, status);
    ck_assert_str_eq(answer.content_type, "application/json");
    ck_assert(!answer.chunked);
    struct slice bytes = bytes_of();
    ck_assert_msg(slice_is(bytes, json), "%.*s", SLICE_ARG(bytes));
}

START_TEST(answer_tells_failures_as_json)
{
    answer_init(&answer, 1024);
    check_failure(
        404, "columns", "column 'x' does not exist in a/b/c",
        "{\"error\":\"column 'x' does not exist in a/b/c\",\"parameter\":\"columns\"}\n");
    ck_assert_ptr_null(answer.allow);
    check_failure(503, NULL, "out of memory", "{\"error\":\"out of memory\"}\n");
    check_failure(400, "a\"b", "a\\b\n\xff",
                  "{\"error\":\"a\\\\b\\u000a\\ufffd\",\"parameter\":\"a\\\"b\"}\n");
    check_failure(405, NULL, "no", "{\"error\":\"no\"}\n");
    ck_assert_str_eq(answer.allow, "GET, HEAD, OPTIONS");
    check_failure(501, NULL, "no", "{\"error\":\"no\"}\n");
    ck_assert_str_eq(answer.allow, "GET, HEAD, OPTIONS");
    answer_free(&answer);
}
END_TEST

/* The worst there can be still fits. */
START_TEST(answer_tells_long_failures)
{
    char text[600];

    memset(text, '\x01', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    answer_init(&answer, 64);
    failure_set(&answer.failure, 400, text, "%s", text);
    answer_failed(&answer);
    struct slice bytes = bytes_of();
    ck_assert_uint_eq(bytes.len,
                      6 * (511 + 64) + strlen("{\"error\":\"\",\"parameter\":\"\"}\n"));
    ck_assert(memcmp(bytes.at + bytes.len - 3, "\"}\n", 3) == 0);
    answer_free(&answer);
}
END_TEST

START_TEST(answer_is_clean_for_the_next_request)
{
    answer_init(&answer, 1024);
    answer_memory(&answer, 200, "text/plain", SLICE("hello"));
    ck_assert(slice_is(bytes_of(), "hello"));
    answer.preflight = answer.chunked = true;
    answer.allow = "x";
    failure_set(&answer.failure, 400, "a", "b");
    answer_clear(&answer);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_int_eq(answer.failure.status, 0);
    ck_assert_ptr_null(answer.content_type);
    ck_assert_ptr_null(answer.allow);
    ck_assert(!answer.preflight && !answer.chunked);
    ck_assert_uint_eq(answer.body.length, 0);
    answer_free(&answer);
    memset(&answer, 0, sizeof(answer));
    answer_free(&answer);
}
END_TEST

UNIT("answer", answer_tells_failures_as_json, answer_tells_long_failures,
     answer_is_clean_for_the_next_request)
