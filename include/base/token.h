#ifndef BASE_TOKEN_H
#define BASE_TOKEN_H

#include <stdbool.h>

#include "base/slice.h"

/* HTTP's token (RFC 9110 section 5.6.2): what methods and the names of header fields are made
 * of. */

extern const bool token_bytes[256];

/**
 * token_byte(c):
 * Whether ${c} may stand in a token.
 */
static inline bool token_byte(char c)
{
    return token_bytes[(unsigned char)c];
}

/**
 * token_valid(s):
 * Whether ${s} is a token.
 */
static inline bool token_valid(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!token_byte(s.at[i]))
            return false;
    }
    return s.len > 0;
}

#endif
