#include "unit.h"

#include <string.h>

#include "dice.h"
#include "http/reqbody.h"

static const char next[] = "GET / HTTP/1.1\r\n";

/* Read ${bytes} in steps, each from memory of exactly its size; returns what came of it, and
 * how many bytes were the body's. */
static enum reqbody_result drop(struct reqbody body, const char *bytes, size_t all,
                                struct dice *dice, unsigned step, size_t *used, int *status)
{
    enum reqbody_result result = REQBODY_MORE;
    struct failure failure = { 0 };
    size_t at = 0;

    *used = 0;
    while (result == REQBODY_MORE && at < all) {
        size_t len = step == 0 ? all : 1 + dice_roll(dice, step), consumed = 12345678;

        len = len < all - at ? len : all - at;
        char *copy = malloc(len);
        memcpy(copy, bytes + at, len);
        result = reqbody_drop(&body, copy, len, &consumed, &failure);
        free(copy);
        at += len;
        if (result == REQBODY_MORE)
            MUST(consumed == len);
        if (result != REQBODY_BAD) {
            MUST(consumed <= len);
            *used += consumed;
        }
    }
    *status = failure.status;
    return result;
}

static struct reqbody chunked(uint64_t most)
{
    struct reqbody body;

    reqbody_begin_chunked(&body, most);
    return body;
}

static struct reqbody plain(uint64_t length)
{
    struct reqbody body;

    reqbody_begin(&body, length);
    return body;
}

/* A body of ${len} random bytes in random chunks. */
static size_t put_chunks(struct dice *dice, char *to, size_t len)
{
    size_t at = 0;

    while (len > 0) {
        size_t chunk = 1 + dice_roll(dice, (unsigned)len);

        at += (size_t)sprintf(to + at, dice_roll(dice, 2) ? "%zx\r\n" : "00%zX\r\n", chunk);
        dice_fill(dice, to + at, chunk);
        at += chunk;
        at += (size_t)sprintf(to + at, "\r\n");
        len -= chunk;
    }
    return at +
           (size_t)sprintf(to + at, dice_roll(dice, 3) ? "0\r\n\r\n" : "0\r\nA: b\r\n\r\n");
}

START_TEST(reqbody_reads_to_the_byte)
{
    static char bytes[40000];
    struct dice dice = dice_new(1);

    for (int round = 0; round < 5000; round++) {
        size_t len = 1 + dice_roll(&dice, 2000), end, used;
        unsigned step = round % 3 ? 1 + dice_roll(&dice, 2000) : 1;
        bool in_chunks = dice_roll(&dice, 2);
        struct reqbody body = in_chunks ? chunked(65536) : plain(len);
        int status;

        if (in_chunks) {
            end = put_chunks(&dice, bytes, len);
        } else {
            dice_fill(&dice, bytes, len);
            end = len;
        }
        /* The next request stands right behind it. */
        memcpy(bytes + end, next, sizeof(next));
        size_t all = end + (round % 2 ? sizeof(next) : 0);

        MUST(drop(body, bytes, all, &dice, step, &used, &status) == REQBODY_DONE);
        MUST(used == end);
        MUST(drop(body, bytes, all, &dice, 0, &used, &status) == REQBODY_DONE);
        MUST(used == end);
        all = dice_roll(&dice, (unsigned)end);
        MUST(drop(body, bytes, all, &dice, step, &used, &status) == REQBODY_MORE);
        if (!in_chunks)
            continue;
        MUST(drop(chunked(len), bytes, end, &dice, step, &used, &status) == REQBODY_DONE);
        MUST(drop(chunked(len - 1), bytes, end, &dice, step, &used, &status) == REQBODY_BAD);
        MUST(status == 413);
    }
}
END_TEST

START_TEST(reqbody_of_nothing)
{
    struct dice dice = dice_new(2);
    size_t used;
    int status;

    ck_assert_int_eq(drop(plain(0), "x", 1, &dice, 0, &used, &status), REQBODY_DONE);
    ck_assert_uint_eq(used, 0);
    ck_assert_int_eq(drop(chunked(0), "0\r\n\r\nx", 6, &dice, 1, &used, &status), REQBODY_DONE);
    ck_assert_uint_eq(used, 5);
    ck_assert_int_eq(drop(chunked(0), "1\r\nx\r\n0\r\n\r\n", 11, &dice, 1, &used, &status),
                     REQBODY_BAD);
    ck_assert_int_eq(status, 413);
}
END_TEST

START_TEST(reqbody_takes_what_the_rfc_does)
{
    static const char *const bodies[] = {
        "5;name=value\r\nhello\r\n0\r\n\r\n",
        "5;name=\"quoted \\\" value\"\r\nhello\r\n0;last\r\n\r\n",
        "5 ;\ta \t=\t b ; c\t; d = \"\" ;e\r\nhello\r\n0\t;f\r\n\r\n",
        "1;a=\";,\\\\\t\xe4\"\r\nx\r\n0\r\n\r\n",
        "a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n",
        "0\r\nETag: \"x\"\r\nB:\r\nC: \xe4\r\n\r\n",
        "3\r\n\r\n\n\r\n0\r\n\r\n",
    };
    struct dice dice = dice_new(3);
    size_t used;
    int status;

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        for (unsigned step = 0; step < 4; step++) {
            ck_assert_int_eq(
                drop(chunked(65536), bodies[i], strlen(bodies[i]), &dice, step, &used, &status),
                REQBODY_DONE);
            ck_assert_uint_eq(used, strlen(bodies[i]));
        }
    }
}
END_TEST

/* Chunks that a proxy before us could read in another way. */
START_TEST(reqbody_refuses_what_is_ambiguous)
{
    static const char *const bodies[] = {
        "x\r\n",
        "\r\n",
        "-1\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n",
        "1 \r\na\r\n",
        " 1\r\na\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\nab\r\n",
        "1\r\na0\r\n\r\n",
        "1\ra\r\n0\r\n\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        "0\n\n",
        "0\r\n\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\r\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\n A: b\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        /* extensions that are none */
        "1;\r\nx\r\n",
        "1; \r\nx\r\n",
        "1;;a\r\nx\r\n",
        "1;a;\r\nx\r\n",
        "1;a \r\nx\r\n",
        "1;a b\r\nx\r\n",
        "1;a,b\r\nx\r\n",
        "1;[a]\r\nx\r\n",
        "1;\"a\"\r\nx\r\n",
        "1;=b\r\nx\r\n",
        "1;a=\r\nx\r\n",
        "1;a=;b\r\nx\r\n",
        "1;a=b=c\r\nx\r\n",
        "1;a=b c\r\nx\r\n",
        "1;a=b\t\r\nx\r\n",
        "1;a=b\"c\"\r\nx\r\n",
        "1;a=\"b\r\nx\r\n",
        "1;a=\"b\\\r\nx\r\n",
        "1;a=\"b\"c\r\nx\r\n",
        "1;a=\"b\x7f\"\r\nx\r\n",
        "1 a\r\nx\r\n",
        ";a\r\n",
        " ;a\r\n",
    };
    struct dice dice = dice_new(4);
    size_t used;
    int status;

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        for (unsigned step = 0; step < 2; step++) {
            ck_assert_msg(drop(chunked(65536), bodies[i], strlen(bodies[i]), &dice, step, &used,
                               &status) == REQBODY_BAD,
                          "%s", bodies[i]);
            ck_assert_int_eq(status, 400);
        }
    }
}
END_TEST

/* Chunks of one byte with long extensions are not read for ever. */
START_TEST(reqbody_bounds_framing)
{
    static char bytes[200000];
    struct dice dice = dice_new(5);
    size_t at = 0, used;
    int status;

    while (at < sizeof(bytes) - 600) {
        at += (size_t)sprintf(bytes + at, "1;");
        memset(bytes + at, 'x', 500);
        at += 500;
        at += (size_t)sprintf(bytes + at, "\r\na\r\n");
    }
    ck_assert_int_eq(drop(chunked(65536), bytes, at, &dice, 6000, &used, &status), REQBODY_BAD);
    ck_assert_int_eq(status, 413);
    at = (size_t)sprintf(bytes, "0\r\nA: ");
    memset(bytes + at, 'x', sizeof(bytes) - at);
    ck_assert_int_eq(drop(chunked(65536), bytes, sizeof(bytes), &dice, 6000, &used, &status),
                     REQBODY_BAD);
    ck_assert_int_eq(status, 413);
}
END_TEST

UNIT("reqbody", reqbody_reads_to_the_byte, reqbody_of_nothing, reqbody_takes_what_the_rfc_does,
     reqbody_refuses_what_is_ambiguous, reqbody_bounds_framing)
