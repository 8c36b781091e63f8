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

/* Whether the sequence of ${len} bytes that ${s} begins with is U+007F to U+009F. */
static bool is_control(struct slice s, size_t len)
{
    unsigned char first = (unsigned char)s.at[0];

    return first == 0x7f || (len == 2 && first == 0xc2 && (unsigned char)s.at[1] < 0xa0);
}

static void put_escape(struct text *text, unsigned char c)
{
    const char escape[] = {
        '\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]
    };

    text_put(text, (struct slice){ escape, sizeof(escape) });
}

static void put_json(struct text *text, struct slice s, bool tame)
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
        } else if (c < 0x20 || (tame && is_control(s, len))) {
            put_escape(text, (unsigned char)s.at[len - 1]);
        } else {
            text_put(text, (struct slice){ s.at, len });
        }
        s.at += len;
        s.len -= len;
    }
    text_put(text, SLICE("\""));
}

void text_json(struct text *text, struct slice s)
{
    put_json(text, s, false);
}

void text_json_tame(struct text *text, struct slice s)
{
    put_json(text, s, true);
}
