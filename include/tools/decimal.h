#ifndef TOOLS_DECIMAL_H
#define TOOLS_DECIMAL_H

#include "base/slice.h"

/* Decimal numbers as text, read exactly and fast. */

/* A factor that is exact where its text is: a number is multiplied, then divided. */
struct decimal_scale {
    double times, by;
};

/**
 * decimal_parse(text, value):
 * Read all of ${text}, [+-]digits[.digits][e[+-]digits] with digits on at least one side of the
 * point, into the binary64 ${value} nearest to it (ties to even): the very bits that strtod(3)
 * gives. Returns 0; -1 with errno EINVAL if it is no such number (no spaces, "inf" or "nan";
 * 1000 bytes at most), ERANGE if it is beyond the largest one. The locale must be "C".
 */
int decimal_parse(struct slice text, double *value);

/**
 * decimal_parse_scale(text, scale):
 * Read a factor: a number above 0 whose digits make at most 2^53, with at most 22 decimals. A
 * number x times it is x * times / by, where both are exact integers: with "0.0001" that is
 * x / 10000 and not x * 0.0001, which no binary number is. Returns 0, or -1 if it is no such
 * number.
 */
int decimal_parse_scale(struct slice text, struct decimal_scale *scale);

#endif
