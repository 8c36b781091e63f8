#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A run of bytes that somebody else owns; not terminated. One of length 0 may be at NULL. */
struct slice {
    const char *at;
    size_t len;
};

/* A string literal as a slice. */
#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).at

/**
 * slice_of(string):
 * The bytes of the terminated ${string}, without its NUL.
 */
static inline struct slice slice_of(const char *string)
{
    return (struct slice){ string, strlen(string) };
}

/**
 * slice_is(s, literal):
 * Whether ${s} holds exactly the bytes of the terminated ${literal}.
 */
static inline bool slice_is(struct slice s, const char *literal)
{
    return s.len == strlen(literal) && (s.len == 0 || memcmp(s.at, literal, s.len) == 0);
}

/**
 * slice_equal(a, b):
 * Whether ${a} and ${b} hold the same bytes.
 */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/**
 * slice_cut(s, at, rest):
 * Cut ${s} at the first byte ${at}: return what is before it and store what follows it in
 * ${rest}. Without that byte, return all of ${s} and make ${rest}'s at NULL.
 */
static inline struct slice slice_cut(struct slice s, char at, struct slice *rest)
{
    const char *found = s.len ? memchr(s.at, at, s.len) : NULL;

    if (found == NULL) {
        *rest = (struct slice){ NULL, 0 };
        return s;
    }
    size_t before = (size_t)(found - s.at);
    *rest = (struct slice){ found + 1, s.len - before - 1 };
    return (struct slice){ s.at, before };
}

#endif
