#include "base/num.h"

#include <errno.h>

/* Read the digits at the front of ${text} and cut them off. */
static int take_digits(struct slice *text, uint64_t *value)
{
    size_t n = 0;

    *value = 0;
    for (; n < text->len && text->at[n] >= '0' && text->at[n] <= '9'; n++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(text->at[n] - '0'), value)) {
            errno = ERANGE;
            return -1;
        }
    }
    if (n == 0) {
        errno = EINVAL;
        return -1;
    }
    text->at += n;
    text->len -= n;
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
    char digits[NUM_TEXT];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < n; i++)
        text[i] = digits[n - 1 - i];
    return n;
}

size_t num_hex(uint64_t value, char *text)
{
    size_t n = value == 0 ? 1 : (size_t)(67 - __builtin_clzll(value)) / 4;

    for (size_t i = n; i-- > 0; value >>= 4)
        text[i] = "0123456789abcdef"[value & 15];
    return n;
}
