#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Text written piece by piece into memory of a fixed size. What does not fit is left out and
 * remembered, so that only the end of the writing needs a check.
 */

struct text {
    char *at;
    size_t len, room;
    bool cut; /* something did not fit */
};

/**
 * text_on(memory, room):
 * An empty text that is written to the ${room} bytes of ${memory}.
 */
static inline struct text text_on(char *memory, size_t room)
{
    return (struct text){ .at = memory, .room = room };
}

/**
 * text_put(text, s):
 * Append the bytes of ${s}.
 */
void text_put(struct text *text, struct slice s);

/**
 * text_number(text, value):
 * Append ${value} in decimal.
 */
void text_number(struct text *text, uint64_t value);

/**
 * text_hex(text, value):
 * Append ${value} in hexadecimal, without leading zeros.
 */
void text_hex(struct text *text, uint64_t value);

/**
 * text_json(text, s):
 * Append ${s} as a JSON string (RFC 8259 section 7) in its quotes. Bytes that are not UTF-8
 * become U+FFFD, so that the result always is.
 */
void text_json(struct text *text, struct slice s);

/**
 * text_json_tame(text, s):
 * Likewise, but escape U+007F to U+009F as well, which may steer a terminal.
 */
void text_json_tame(struct text *text, struct slice s);

#endif
