#ifndef BASE_PUT_H
#define BASE_PUT_H

#include "base/num.h"
#include "base/slice.h"

/*
 * Text written piece by piece to memory that is known to be large enough: nothing is checked.
 * Each function writes at ${at} and returns where the text goes on, without a NUL. Text of a
 * length that nobody knows beforehand is for base/text.h.
 */

/**
 * put_bytes(at, s):
 * Write the bytes of ${s}; a literal costs a few moves.
 */
static inline char *put_bytes(char *at, struct slice s)
{
    memcpy(at, s.at, s.len);
    return at + s.len;
}

/**
 * put_number(at, value):
 * Write ${value} in decimal: at most NUM_TEXT bytes.
 */
static inline char *put_number(char *at, uint64_t value)
{
    return at + num_decimal(value, at);
}

/**
 * put_hex(at, value):
 * Write ${value} in hexadecimal, without leading zeros: at most 16 bytes.
 */
static inline char *put_hex(char *at, uint64_t value)
{
    return at + num_hex(value, at);
}

#endif
