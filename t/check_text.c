#include "unit.h"

#include <string.h>

#include "base/text.h"
#include "dice.h"

static char memory[4096];

static const char *json(struct slice s)
{
    struct text text = text_on(memory, sizeof(memory) - 1);

    text_json(&text, s);
    MUST(!text.cut);
    memory[text.len] = '\0';
    return memory;
}

START_TEST(text_stops_at_its_end)
{
    char small[8] = "........";
    struct text text = text_on(small, 4);

    text_put(&text, SLICE("abc"));
    text_put(&text, SLICE(""));
    ck_assert(!text.cut);
    text_put(&text, SLICE("de"));
    ck_assert(text.cut);
    ck_assert_uint_eq(text.len, 3);
    text_put(&text, SLICE("f")); /* fits, but the text stays a cut one */
    ck_assert(text.cut);
    ck_assert(memcmp(small, "abcf....", 8) == 0);

    text = text_on(NULL, 0);
    text_put(&text, (struct slice){ NULL, 0 });
    ck_assert(!text.cut);
    text_number(&text, 0);
    ck_assert(text.cut);
}
END_TEST

START_TEST(text_writes_numbers)
{
    struct text text = text_on(memory, sizeof(memory));

    text_number(&text, UINT64_MAX);
    text_put(&text, SLICE(" "));
    text_hex(&text, UINT64_MAX);
    text_put(&text, SLICE(" "));
    text_number(&text, 0);
    text_hex(&text, 0);
    ck_assert(slice_is((struct slice){ text.at, text.len },
                       "18446744073709551615 ffffffffffffffff 00"));
}
END_TEST

START_TEST(text_escapes_json)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "", "\"\"" },
        { "plain /api", "\"plain /api\"" },
        { "a\"b\\c", "\"a\\\"b\\\\c\"" },
        { "\n\r\t\x01\x1f", "\"\\u000a\\u000d\\u0009\\u0001\\u001f\"" },
        { "\x7f", "\"\x7f\"" },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "\x80", "\"\\ufffd\"" },
        { "\xff\xfe", "\"\\ufffd\\ufffd\"" },
        { "\xc3", "\"\\ufffd\"" },                                  /* cut off */
        { "\xc3x", "\"\\ufffdx\"" },                                /* what follows stays */
        { "\xe2\x82\"", "\"\\ufffd\\ufffd\\\"\"" },                 /* and is still escaped */
        { "\xc0\xaf", "\"\\ufffd\\ufffd\"" },                       /* an overlong slash */
        { "\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"" },            /* another */
        { "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },            /* a surrogate */
        { "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" }, /* past U+10FFFF */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_str_eq(json(slice_of(rows[i].in)), rows[i].out);
    ck_assert_str_eq(json((struct slice){ "a\0b", 3 }), "\"a\\u0000b\"");
}
END_TEST

/* RFC 3629 section 3, forwards. */
static size_t encode(uint32_t point, char *to)
{
    unsigned char *at = (unsigned char *)to;

    if (point < 0x80) {
        at[0] = (unsigned char)point;
        return 1;
    }
    if (point < 0x800) {
        at[0] = (unsigned char)(0xc0 | point >> 6);
        at[1] = (unsigned char)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        at[0] = (unsigned char)(0xe0 | point >> 12);
        at[1] = (unsigned char)(0x80 | (point >> 6 & 63));
        at[2] = (unsigned char)(0x80 | (point & 63));
        return 3;
    }
    at[0] = (unsigned char)(0xf0 | point >> 18);
    at[1] = (unsigned char)(0x80 | (point >> 12 & 63));
    at[2] = (unsigned char)(0x80 | (point >> 6 & 63));
    at[3] = (unsigned char)(0x80 | (point & 63));
    return 4;
}

START_TEST(text_keeps_every_character)
{
    for (uint32_t point = 0x20; point <= 0x10ffff; point++) {
        char bytes[4];
        size_t len = encode(point, bytes);
        struct text text = text_on(memory, sizeof(memory));
        bool surrogate = point >= 0xd800 && point <= 0xdfff;

        if (point == '"' || point == '\\')
            continue;
        text_json(&text, (struct slice){ bytes, len });
        if (surrogate) {
            MUST(slice_is((struct slice){ text.at, text.len }, "\"\\ufffd\\ufffd\\ufffd\""));
        } else if (text.len != len + 2 || memcmp(text.at + 1, bytes, len) != 0) {
            ck_abort_msg("U+%04X", point);
        }
    }
}
END_TEST

/* Whether ${s} is characters only, found by writing each again and comparing. */
static bool is_utf8(struct slice s)
{
    while (s.len > 0) {
        unsigned char c = (unsigned char)*s.at;
        size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        uint32_t point = len == 1 ? c : c & (0x7fU >> len);
        char again[4];

        if (c >= 0xf8 || (c >= 0x80 && c < 0xc0) || s.len < len)
            return false;
        for (size_t i = 1; i < len; i++)
            point = point << 6 | ((unsigned char)s.at[i] & 63);
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ||
            encode(point, again) != len || memcmp(again, s.at, len) != 0)
            return false;
        s.at += len;
        s.len -= len;
    }
    return true;
}

/* Whatever goes in, a JSON string comes out that reads as one string. */
START_TEST(text_makes_json_of_anything)
{
    struct dice dice = dice_new(2);
    char bytes[64];

    for (int round = 0; round < 50000; round++) {
        size_t len = dice_roll(&dice, sizeof(bytes));

        dice_fill(&dice, bytes, len);
        for (size_t i = 0; i < len; i++) {
            /* Lead and continuation bytes more often than by chance. */
            if (dice_roll(&dice, 2))
                bytes[i] = "\x80\xbf\xc2\xe0\xe2\xed\xf0\xf4\"\\ \x1f"[dice_roll(&dice, 12)];
        }
        struct slice out = slice_of(json((struct slice){ bytes, len }));
        MUST(is_utf8(out));
        MUST(out.len >= 2 && out.at[0] == '"' && out.at[out.len - 1] == '"');
        for (size_t i = 1; i < out.len - 1; i++) {
            MUST((unsigned char)out.at[i] >= 0x20 && out.at[i] != '"');
            if (out.at[i] != '\\')
                continue;
            i++;
            MUST(out.at[i] == '"' || out.at[i] == '\\' || out.at[i] == 'u');
            if (out.at[i] == 'u')
                MUST(strspn(out.at + i + 1, "0123456789abcdef") >= 4);
        }
        struct slice in = { bytes, len };
        MUST(len == 0 || out.len > 2);
        MUST(!is_utf8(in) || strstr(out.at, "ufffd") == NULL);
    }
}
END_TEST

UNIT("text", text_stops_at_its_end, text_writes_numbers, text_escapes_json,
     text_keeps_every_character, text_makes_json_of_anything)
