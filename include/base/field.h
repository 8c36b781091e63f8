#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include <stdbool.h>

#include "base/slice.h"

/* Names and values of HTTP's header fields (RFC 9110 section 5). */

/**
 * field_is(word, wanted):
 * Whether ${word} is ${wanted}, in small letters or capitals: a name, or a value that is one
 * word.
 */
bool field_is(struct slice word, const char *wanted);

/**
 * field_trim(value):
 * The ${value} without the spaces and tabs around it.
 */
struct slice field_trim(struct slice value);

/**
 * field_member(list, member):
 * Take the first member, trimmed and perhaps empty, off a ${list} that is separated by commas
 * and has no quoted strings. Returns false if none is left.
 */
bool field_member(struct slice *list, struct slice *member);

#endif
