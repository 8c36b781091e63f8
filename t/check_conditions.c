#include "unit.h"

#include <string.h>

#include "http/conditions.h"

#define HASH UINT64_C(0x0123456789abcdef)
#define TAG "\"0123456789abcdef\""
#define MODIFIED INT64_C(784111777)
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static struct answer answer;
static enum request_method method;
static int64_t modified;

static int status_of(const char *lines)
{
    struct request request = { .method = method, .minor = 1, .conditions = slice_of(lines) };

    answer_clear(&answer);
    answer_memory(&answer, 200, "x/y", SLICE("0123456789"));
    answer.tagged = answer.chunked = true;
    answer.tag = (struct tag){ .hash = HASH, .modified = modified };
    conditions_apply(&request, 1749988800, &answer);
    ck_assert_int_eq(answer.tagged, answer.status < 400);
    ck_assert_int_eq(answer.chunked, answer.status == 200);
    ck_assert_int_eq(answer.content_type == NULL, answer.status == 304);
    return answer.status;
}

static void is(const char *lines, int status)
{
    int found = status_of(lines);

    ck_assert_msg(found == status, "%s: %d, not %d", lines, found, status);
}

static void begin(void)
{
    answer_init(&answer, 4096);
    method = REQUEST_GET;
    modified = MODIFIED;
}

static void end(void)
{
    answer_free(&answer);
}

START_TEST(conditions_of_tags)
{
    begin();
    is("", 200);
    is("If-None-Match: " TAG, 304);
    is("if-none-match:" TAG " ", 304);
    is("If-None-Match: *", 304);
    is("If-None-Match: W/" TAG, 304);
    is("If-None-Match: \"a\", " TAG, 304);
    is("If-None-Match: \"a,b\" ,\t, W/" TAG ",\"c\"", 304);
    is("If-None-Match: \"x\"\r\nX: y\r\nIf-None-Match: " TAG, 304);
    is("If-None-Match: \"x\"", 200);
    is("If-None-Match: 0123456789abcdef", 200);
    is("If-None-Match: w/" TAG, 200);
    is("If-None-Match: \"x, 0123456789abcdef\"", 200);
    is("If-None-Match: " TAG "x", 200);
    is("If-None-Match: \"", 200);
    is("If-None-Match: *x", 200);
    is("X-If-None-Match: " TAG, 200);
    is("If-None-Match: \"x\"\r\nX: " TAG, 200);

    is("If-Match: " TAG, 200);
    is("If-Match: *", 200);
    is("If-Match: \"x\", " TAG, 200);
    is("If-Match: \"x\"\r\nIf-Match: " TAG, 200);
    is("If-Match: W/" TAG, 412);
    is("If-Match: \"x\"", 412);
    is("If-Match: x", 412);
    is("If-Match: ", 200);
    end();
}
END_TEST

START_TEST(conditions_of_dates)
{
    begin();
    is("If-Modified-Since: " DATE, 304);
    is("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304);
    is("If-Modified-Since: Sun Nov  6 08:49:37 1994", 304);
    is("If-Modified-Since: " BEFORE, 200);
    is("If-Modified-Since: " AFTER, 200);
    is("If-Modified-Since: yesterday", 200);
    is("If-Modified-Since: " DATE "\r\nIf-Modified-Since: " DATE, 200);
    is("If-Unmodified-Since: " DATE, 200);
    is("If-Unmodified-Since: " AFTER, 200);
    is("If-Unmodified-Since: " BEFORE, 412);
    is("If-Unmodified-Since: tomorrow", 200);
    modified = -1; /* there are no files */
    is("If-Modified-Since: " DATE, 200);
    is("If-Unmodified-Since: " BEFORE, 200);
    end();
}
END_TEST

/* RFC 9110 section 13.2.2. */
START_TEST(conditions_come_in_order)
{
    begin();
    is("If-Match: \"x\"\r\nIf-None-Match: " TAG, 412);
    is("If-Match: " TAG "\r\nIf-None-Match: " TAG, 304);
    is("If-Match: " TAG "\r\nIf-Unmodified-Since: " BEFORE, 200);
    is("If-Unmodified-Since: " BEFORE "\r\nIf-None-Match: " TAG, 412);
    is("If-None-Match: \"x\"\r\nIf-Modified-Since: " DATE, 200);
    is("If-None-Match: " TAG "\r\nIf-Modified-Since: " BEFORE, 304);
    is("If-None-Match: " TAG "\r\nRange: bytes=0-1", 304);
    is("If-Match: \"x\"\r\nRange: bytes=99-", 412);
    is("If-Modified-Since: " BEFORE "\r\nRange: bytes=0-1", 206);
    end();
}
END_TEST

START_TEST(conditions_of_ranges)
{
    begin();
    is("Range: bytes=3-4", 206);
    ck_assert_uint_eq(answer.from, 3);
    ck_assert_uint_eq(answer.body.length, 2);
    ck_assert_uint_eq(answer.whole, 10);
    is("Range: bytes=10-", 416);
    ck_assert_uint_eq(answer.whole, 10);
    is("Range: bytes=1-2,4-5", 200);
    is("Range: bytes=1-2\r\nRange: bytes=1-2", 200);
    is("Range: 1-2", 200);

    is("Range: bytes=3-4\r\nIf-Range: " TAG, 206);
    is("If-Range: " TAG "\r\nRange: bytes=3-4", 206);
    is("Range: bytes=10-\r\nIf-Range: " TAG, 416);
    is("Range: bytes=3-4\r\nIf-Range: W/" TAG, 200);
    is("Range: bytes=3-4\r\nIf-Range: \"x\"", 200);
    is("Range: bytes=10-\r\nIf-Range: \"x\"", 200);
    is("Range: bytes=3-4\r\nIf-Range: *", 200);
    is("Range: bytes=3-4\r\nIf-Range: " DATE, 200);
    is("Range: bytes=3-4\r\nIf-Range: " TAG "\r\nIf-Range: \"x\"", 200);
    is("If-Range: " TAG, 200);

    method = REQUEST_HEAD;
    is("Range: bytes=3-4", 200);
    is("Range: bytes=10-", 200);
    is("If-None-Match: " TAG, 304);
    is("If-Match: \"x\"", 412);
    end();
}
END_TEST

UNIT("conditions", conditions_of_tags, conditions_of_dates, conditions_come_in_order,
     conditions_of_ranges)
