#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Numbers as text. Nothing here reads past the slice, skips spaces or takes a sign. */

/**
 * num_parse(text, value):
 * Read all of ${text} as a decimal number of digits only. Returns 0; -1 with errno EINVAL if it
 * is not one, ERANGE if it is over 2^64-1.
 */
int num_parse(struct slice text, uint64_t *value);

/**
 * num_parse_size(text, bytes):
 * As num_parse, with an optional unit: k, m, g (powers of 1024; capitals too).
 */
int num_parse_size(struct slice text, uint64_t *bytes);

/**
 * num_parse_duration(text, ms):
 * As num_parse, with an optional unit: ms, s, m, h, d; seconds without one. The result is in
 * milliseconds.
 */
int num_parse_duration(struct slice text, uint64_t *ms);

/* Room for any uint64_t in decimal and a NUL. */
#define NUM_TEXT 21

/**
 * num_decimal(value, text):
 * Write ${value} in decimal to ${text}, without a NUL; returns the number of digits (1-20).
 */
size_t num_decimal(uint64_t value, char *text);

/**
 * num_hex(value, text):
 * Write ${value} in lower-case hexadecimal without leading zeros to ${text}, without a NUL;
 * returns the number of digits (1-16).
 */
size_t num_hex(uint64_t value, char *text);

/**
 * num_hex_value(c):
 * What the hexadecimal digit ${c} stands for; -1 if it is none.
 */
static inline int num_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
