#include "tools/cell.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <strings.h>

#include "base/num.h"
#include "tools/columns.h"

static bool is_signed(enum coltype_kind kind)
{
    return kind == COLTYPE_I8 || kind == COLTYPE_I16 || kind == COLTYPE_I32 ||
           kind == COLTYPE_I64;
}

/* The low ${size} bytes of ${value}. */
static void put_integer(uint64_t value, size_t size, char *at)
{
    value = htole64(value);
    memcpy(at, &value, size);
}

/* An integer of ${magnitude}, if the type can hold it. */
static const char *put_checked(uint64_t magnitude, bool negative, struct coltype type, char *at)
{
    unsigned bits = type.size * 8u - is_signed(type.kind);
    uint64_t most = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;

    if (magnitude > most + (negative ? 1 : 0))
        return "is out of the type's range";
    put_integer(negative ? -magnitude : magnitude, type.size, at);
    return NULL;
}

static bool is_word(struct slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static const char *parse_integer(struct slice text, struct coltype type, char *at)
{
    struct slice digits = text;
    bool negative = text.len > 0 && text.at[0] == '-' && is_signed(type.kind);
    uint64_t value;

    if (negative) {
        digits.at++;
        digits.len--;
    }
    if (num_parse(digits, &value) == 0)
        return put_checked(value, negative, type, at);
    if (errno == ERANGE)
        return "is out of the type's range";
    if (!is_word(text, "true") && !is_word(text, "false"))
        return is_signed(type.kind) ? "is no integer" : "is no integer of digits only";
    put_integer(is_word(text, "true"), type.size, at);
    return NULL;
}

static const char *put_float(double value, struct coltype type, char *at)
{
    if (type.kind == COLTYPE_F32) {
        float narrow = (float)value;

        if (isinf(narrow))
            return "is out of the type's range";
        columns_put_f32(at, narrow);
    } else {
        uint64_t bits;

        if (isinf(value))
            return "is out of the type's range";
        memcpy(&bits, &value, sizeof(bits));
        columns_put_u64(at, bits);
    }
    return NULL;
}

static const char *parse_float(struct slice text, struct coltype type,
                               const struct decimal_scale *scale, char *at)
{
    double value;

    if (decimal_parse(text, &value))
        return errno == ERANGE ? "is out of the type's range" : "is no decimal number";
    if (scale != NULL)
        value = value * scale->times / scale->by;
    return put_float(value, type, at);
}

static const char *parse_bytes(struct slice text, size_t size, char *at)
{
    static const char *const wrong = "is not the column's number of bytes in hexadecimal";
    size_t digits = 0;
    unsigned byte = 0;

    for (size_t i = 0; i < text.len; i++) {
        int digit = num_hex_value(text.at[i]);

        if (text.at[i] == '-')
            continue;
        if (digit < 0 || digits == size * 2)
            return wrong;
        byte = (byte << 4 | (unsigned)digit) & 0xff;
        if (++digits % 2 == 0)
            at[digits / 2 - 1] = (char)byte;
    }
    return digits == size * 2 ? NULL : wrong;
}

const char *cell_parse(struct slice text, struct coltype type,
                       const struct decimal_scale *scale, char *at)
{
    switch (type.kind) {
    case COLTYPE_F32:
    case COLTYPE_F64:
        return parse_float(text, type, scale, at);
    case COLTYPE_BYTES:
        return parse_bytes(text, type.size, at);
    default:
        return parse_integer(text, type, at);
    }
}

const char *cell_put_count(uint64_t value, struct coltype type, char *at)
{
    if (type.kind == COLTYPE_F32 || type.kind == COLTYPE_F64)
        return put_float((double)value, type, at);
    return put_checked(value, false, type, at);
}
