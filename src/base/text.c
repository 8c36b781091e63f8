#include "base/text.h"

#include "base/num.h"
#include "base/utf8.h"

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
