#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Text in UTF-8 (RFC 3629). */

/**
 * utf8_sequence(s):
 * The length of the sequence that ${s}, which is not empty, begins with; 0 if it is none.
 */
size_t utf8_sequence(struct slice s);

/**
 * utf8_valid(s):
 * Whether ${s} is UTF-8 throughout.
 */
bool utf8_valid(struct slice s);

/* Bytes that utf8_fold makes of one, at most. */
#define UTF8_FOLD_GROWTH 3

/**
 * utf8_fold(s, to):
 * Write ${s}, valid UTF-8, in small letters to ${to}, which has room for UTF8_FOLD_GROWTH times
 * its bytes: what differs in the case of letters only becomes the same. Returns the length. Any
 * thread may call.
 */
size_t utf8_fold(struct slice s, char *to);

#endif
