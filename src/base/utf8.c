#include "base/utf8.h"

#include <locale.h>
#include <stdint.h>
#include <wctype.h>

size_t utf8_sequence(struct slice s)
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

bool utf8_valid(struct slice s)
{
    while (s.len > 0) {
        size_t len = utf8_sequence(s);

        if (len == 0)
            return false;
        s.at += len;
        s.len -= len;
    }
    return true;
}

/* The system's tables of letters; where it has none, only ASCII is folded. They are files, so
 * they are had before main(): nobody waits for them later, and they can be opened. */
static locale_t letters;

__attribute__((constructor)) static void find_letters(void)
{
    letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t decode(const char *at, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)at;
    uint32_t c = len == 1 ? bytes[0] : bytes[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (bytes[i] & 0x3f);
    return c;
}

static size_t encode(uint32_t c, char *to)
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(len == 1 ? c : c | (0xf00u >> len & 0xff));
    return len;
}

size_t utf8_fold(struct slice s, char *to)
{
    char *at = to;

    while (s.len > 0) {
        size_t len = utf8_sequence(s);
        uint32_t c = decode(s.at, len);

        if (c < 0x80)
            c = c >= 'A' && c <= 'Z' ? c + 32 : c;
        else if (letters != (locale_t)0)
            /* There and back: some small letters share a capital one. */
            c = towlower_l(towupper_l(c, letters), letters);
        at += encode(c, at);
        s.at += len;
        s.len -= len;
    }
    return (size_t)(at - to);
}
