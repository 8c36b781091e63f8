#include "base/text.h"

#include "base/num.h"

void text_put(struct text *text, struct slice s)
{
    if (s.len > text->room - text->len) {
        text->cut = true;
        return;
    }
    if (s.len > 0)
        memcpy(text->at + text->len, s.at, s.len);
    text->len += s.len;
}

void text_number(struct text *text, uint64_t value)
{
    char digits[NUM_TEXT];

    text_put(text, (struct slice){ digits, num_decimal(value, digits) });
}

void text_hex(struct text *text, uint64_t value)
{
    char digits[NUM_TEXT];

    text_put(text, (struct slice){ digits, num_hex(value, digits) });
}

/* The length of the UTF-8 sequence (RFC 3629 section 4) that ${s} begins with; 0 if there is
 * none. */
static size_t utf8_sequence(struct slice s)
{
    const unsigned char *at = (const unsigned char *)s.at;
    unsigned char low = 0x80, high = 0xbf;
    size_t len;

    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        len = 2;
    else if ((at[0] & 0xf0) == 0xe0)
        len = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (s.len < len)
        return 0;

    /* No overlong forms, no surrogates, nothing past U+10FFFF. */
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

void text_json(struct text *text, struct slice s)
{
    text_put(text, SLICE("\""));
    while (s.len > 0) {
        size_t len = utf8_sequence(s);
        unsigned char c = (unsigned char)*s.at;

        if (len == 0) {
            text_put(text, SLICE("\\ufffd"));
            len = 1;
        } else if (c == '"' || c == '\\') {
            text_put(text, SLICE("\\"));
            text_put(text, (struct slice){ s.at, 1 });
        } else if (c < 0x20) {
            char escape[] = "\\u0000";
            escape[4] = (char)('0' + (c >> 4));
            escape[5] = "0123456789abcdef"[c & 15];
            text_put(text, SLICE(escape));
        } else {
            text_put(text, (struct slice){ s.at, len });
        }
        s.at += len;
        s.len -= len;
    }
    text_put(text, SLICE("\""));
}
