#include "unit.h"

#include <string.h>

#include "base/accessline.h"

static char memory[65536];
static struct text text;

static struct accessline sample(void)
{
    return (struct accessline){
        .wall = 1735689600,
        .peer = SLICE("127.0.0.1"),
        .request = SLICE("GET /api/data?x=1 HTTP/1.1"),
        .agent = SLICE("curl/8"),
        .id = SLICE("abc-1"),
        .status = 200,
        .us = 17,
        .rows = 3,
        .sent = 12,
        .length = 76,
        .data = true,
        .cold = true,
        .end = ACCESSLINE_ABORTED,
    };
}

static void combined(const struct accessline *line)
{
    text = text_on(memory, sizeof(memory));
    accessline_combined(&text, line);
}

static void json(const struct accessline *line)
{
    text = text_on(memory, sizeof(memory));
    accessline_json(&text, line);
}

static bool is(const char *expected)
{
    bool same = text.len == strlen(expected) && memcmp(memory, expected, text.len) == 0;

    if (!same)
        fprintf(stderr, "%.*s", (int)text.len, memory);
    return same;
}

START_TEST(accessline_has_two_forms)
{
    struct accessline line = sample();

    combined(&line);
    ck_assert(is("127.0.0.1 - - [01/Jan/2025:00:00:00 +0000] \"GET /api/data?x=1 HTTP/1.1\" "
                 "200 12 \"-\" \"curl/8\" 17 3 76 cold abc-1 aborted\n"));
    json(&line);
    ck_assert(is("{\"time\":\"2025-01-01T00:00:00Z\",\"peer\":\"127.0.0.1\",\"request\":\"GET "
                 "/api/data?x=1 HTTP/1.1\",\"status\":200,\"sent\":12,\"referer\":\"\","
                 "\"agent\":\"curl/8\",\"us\":17,\"rows\":3,\"length\":76,\"cache\":\"cold\","
                 "\"id\":\"abc-1\",\"end\":\"aborted\"}\n"));
    line.data = false; /* then it does not matter what had to be read */
    combined(&line);
    ck_assert_ptr_nonnull(strstr(memory, " 17 3 76 - abc-1 aborted\n"));
    json(&line);
    ck_assert_ptr_nonnull(strstr(memory, ",\"cache\":\"\",\"id\":\"abc-1\""));
    line.data = true;
    line.cold = false;
    combined(&line);
    ck_assert_ptr_nonnull(strstr(memory, " 17 3 76 hit abc-1 aborted\n"));
    line = (struct accessline){ .status = ACCESSLINE_NONE };
    combined(&line);
    ck_assert(is("- - - [01/Jan/1970:00:00:00 +0000] \"-\" 499 0 \"-\" \"-\" 0 0 0 - - "
                 "whole\n"));
}
END_TEST

/* Whatever a client sends, a line stays a line, and a field a field. */
START_TEST(accessline_cannot_be_forged)
{
    char all[256];
    size_t quotes = 0, spaces;

    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    struct slice bytes = { all, sizeof(all) };
    struct accessline line = sample();
    line.request = line.referer = line.agent = line.id = line.peer = bytes;
    combined(&line);
    ck_assert(memchr(memory, '\n', text.len) == memory + text.len - 1);
    for (size_t i = 0; i + 1 < text.len; i++) {
        ck_assert(memory[i] >= 0x20 && memory[i] < 0x7f);
        quotes += memory[i] == '"';
    }
    ck_assert_uint_eq(quotes, 6);
    /* The fields that are not quoted have no space of their own. */
    spaces = strcspn(memory, " ");
    ck_assert(strncmp(memory + spaces, " - - [", 6) == 0);
    ck_assert_ptr_nonnull(memmem(memory, text.len, "\\x0a", 4));
    ck_assert_ptr_nonnull(memmem(memory, text.len, "\\x22", 4));
    ck_assert_ptr_nonnull(memmem(memory, text.len, "\\x5c", 4));

    line.request = SLICE("\x7f\xc2\x9b\xc3\xa9\xff\"\\\n");
    json(&line);
    ck_assert(memchr(memory, '\n', text.len) == memory + text.len - 1);
    for (size_t i = 0; i + 1 < text.len; i++)
        ck_assert((unsigned char)memory[i] >= 0x20 && memory[i] != 0x7f);
    static const char expected[] = "\"\\u007f\\u009b\xc3\xa9\\ufffd\\\"\\\\\\u000a\"";
    ck_assert_ptr_nonnull(memmem(memory, text.len, expected, sizeof(expected) - 1));
}
END_TEST

UNIT("accessline", accessline_has_two_forms, accessline_cannot_be_forged)
