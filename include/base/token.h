#ifndef BASE_TOKEN_H
#define BASE_TOKEN_H

#include <stdbool.h>

#include "base/slice.h"

/* HTTP's token (RFC 9110 section 5.6.2): what methods and the names of header fields are made
 * of. */

/**
 * token_byte(c):
 * Whether ${c} may stand in a token.
 */
static inline bool token_byte(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
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
