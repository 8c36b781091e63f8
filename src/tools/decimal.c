#include "tools/decimal.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * William D. Clinger, "How to Read Floating Point Numbers Accurately" (1990): where the digits
 * make an integer below 2^53 and the power of ten is at most 10^22, both are exact in binary64,
 * and one multiplication or division rounds once. Prices are such numbers; strtod reads others.
 */
#define EXACT_INTEGER (UINT64_C(1) << 53)
#define EXACT_POWER 22
#define TEXT_MAX 1000

static const double powers[EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* What the text says: digits times 10 to the exponent. */
struct reading {
    bool negative;
    bool exact; /* all digits are in it; else there were too many */
    uint64_t digits;
    int exponent;
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* The digits after 'e' and their sign; more than fit are as good as the largest. */
static int read_exponent(const char *at, const char *end, int *exponent)
{
    bool negative = at < end && *at == '-';
    int value = 0;

    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return -1;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return -1;
        if (value < 100000)
            value = value * 10 + (*at - '0');
    }
    *exponent = negative ? -value : value;
    return 0;
}

static int read_number(struct slice text, struct reading *reading)
{
    const char *at = text.at, *end = text.at + text.len, *point = NULL;
    uint64_t digits = 0;
    int exponent = 0;

    reading->negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;

    const char *start = at;
    for (; at < end; at++) {
        if (is_digit(*at))
            digits = digits * 10 + (uint64_t)(*at - '0');
        else if (*at == '.' && point == NULL)
            point = at;
        else
            break;
    }
    long count = at - start - (point != NULL);
    if (count == 0)
        return -1;
    long decimals = point == NULL ? 0 : at - point - 1;
    if (at < end) {
        if ((*at != 'e' && *at != 'E') || read_exponent(at + 1, end, &exponent))
            return -1;
    }
    reading->exact = count <= 19; /* 10^19 < 2^64 */
    reading->digits = digits;
    reading->exponent = exponent - (decimals < TEXT_MAX ? (int)decimals : TEXT_MAX);
    return 0;
}

static int read_slowly(struct slice text, double *value)
{
    char copy[TEXT_MAX + 1];

    if (text.len > TEXT_MAX) {
        errno = EINVAL;
        return -1;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *value = strtod(copy, NULL);
    if (isinf(*value)) {
        errno = ERANGE;
        return -1;
    }
    return 0;
}

int decimal_parse(struct slice text, double *value)
{
    struct reading reading;

    if (read_number(text, &reading)) {
        errno = EINVAL;
        return -1;
    }
    /* Elsewhere (the x87) an operation keeps more bits than a double, and rounds twice. */
    if (FLT_EVAL_METHOD != 0 || !reading.exact || reading.digits > EXACT_INTEGER ||
        reading.exponent < -EXACT_POWER || reading.exponent > EXACT_POWER)
        return read_slowly(text, value);

    double number = (double)reading.digits;
    if (reading.exponent < 0)
        number /= powers[-reading.exponent];
    else
        number *= powers[reading.exponent];
    *value = reading.negative ? -number : number;
    return 0;
}

int decimal_parse_scale(struct slice text, struct decimal_scale *scale)
{
    struct reading reading;

    if (read_number(text, &reading) || reading.negative || !reading.exact ||
        reading.digits == 0 || reading.digits > EXACT_INTEGER ||
        reading.exponent < -EXACT_POWER || reading.exponent > EXACT_POWER)
        return -1;
    scale->times = (double)reading.digits;
    scale->by = 1;
    if (reading.exponent < 0)
        scale->by = powers[-reading.exponent];
    else
        scale->times *= powers[reading.exponent];
    return 0;
}
