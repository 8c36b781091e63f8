#include "base/num.h"

#include <errno.h>

/* Read the digits at the front of ${text} and cut them off. */
static int take_digits(struct slice *text, uint64_t *value)
{
    const char *at = text->at, *end = at + text->len;
    const char *safe = text->len < 19 ? end : at + 19; /* so many digits cannot overflow */
    uint64_t sum = 0;
    unsigned digit;

    for (; at < safe && (digit = (unsigned char)*at - (unsigned)'0') < 10; at++)
        sum = sum * 10 + digit;
    for (; at < end && (digit = (unsigned char)*at - (unsigned)'0') < 10; at++) {
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum)) {
            errno = ERANGE;
            return -1;
        }
    }
    if (at == text->at) {
        errno = EINVAL;
        return -1;
    }
    *text = (struct slice){ at, (size_t)(end - at) };
    *value = sum;
    return 0;
}

int num_parse(struct slice text, uint64_t *value)
{
    if (take_digits(&text, value))
        return -1;
    if (text.len != 0) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* A number and one of the units of a table that ends with a NULL name. */
static int parse_with_unit(struct slice text, const struct unit *units, uint64_t *value)
{
    if (take_digits(&text, value))
        return -1;
    for (; units->name != NULL; units++) {
        if (!slice_is(text, units->name))
            continue;
        if (__builtin_mul_overflow(*value, units->factor, value)) {
            errno = ERANGE;
            return -1;
        }
        return 0;
    }
    errno = EINVAL;
    return -1;
}

int num_parse_size(struct slice text, uint64_t *bytes)
{
    static const struct unit units[] = {
        { "", 1 },        { "k", 1 << 10 }, { "K", 1 << 10 }, { "m", 1 << 20 },
        { "M", 1 << 20 }, { "g", 1 << 30 }, { "G", 1 << 30 }, { NULL, 0 },
    };

    return parse_with_unit(text, units, bytes);
}

int num_parse_duration(struct slice text, uint64_t *ms)
{
    static const struct unit units[] = {
        { "", 1000 },     { "ms", 1 },       { "s", 1000 }, { "m", 60000 },
        { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
    };

    return parse_with_unit(text, units, ms);
}

size_t num_decimal(uint64_t value, char *text)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    unsigned later[NUM_TEXT / 2], count = 0; /* pairs of digits, the last one first */
    char *at = text;

    for (; value >= 100; value /= 100)
        later[count++] = (unsigned)(value % 100);
    if (value >= 10)
        *at++ = pairs[2 * value];
    *at++ = pairs[2 * value + 1];
    for (; count > 0; at += 2)
        memcpy(at, pairs + 2 * later[--count], 2);
    return (size_t)(at - text);
}

size_t num_hex(uint64_t value, char *text)
{
    size_t n = value == 0 ? 1 : (size_t)(67 - __builtin_clzll(value)) / 4;

    for (size_t i = n; i-- > 0; value >>= 4)
        text[i] = "0123456789abcdef"[value & 15];
    return n;
}
