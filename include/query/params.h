#ifndef QUERY_PARAMS_H
#define QUERY_PARAMS_H

#include "base/arena.h"
#include "base/failure.h"
#include "base/slice.h"

/* The parameters of an endpoint: what stands behind the '?' of a target, by a list of names. */

/* A name in such a list, which is terminated as well. */
#define PARAMS_NAME(name)                                                                      \
    {                                                                                          \
        name, sizeof(name) - 1                                                                 \
    }

/* Names that a list can have. */
#define PARAMS_MAX 16

/**
 * params_parse(names, count, text, values, arena, failure), params_parse_form(...):
 * Store the decoded value of each of the ${count} parameters ${names} that ${text} has in its
 * place of ${values}, all zeros before; one that is absent or empty stays so. Parameters whose
 * name starts with an underscore are passed over. What is stored lies in ${arena}. Returns 0,
 * or -1 with ${failure} (400 naming the parameter: unknown, given twice, malformed; or 503).
 * In a form, a '+' is a space.
 */
int params_parse(const struct slice *names, unsigned count, struct slice text,
                 struct slice *values, struct arena *arena, struct failure *failure);
int params_parse_form(const struct slice *names, unsigned count, struct slice text,
                      struct slice *values, struct arena *arena, struct failure *failure);

/**
 * params_name(names, values, place, standard, name, failure):
 * The value at ${place} as the name of an exchange, a symbol, a type or a column; ${standard}
 * where there is none, which then must not be NULL. Returns 0, or -1 with ${failure} (400).
 */
int params_name(const struct slice *names, const struct slice *values, unsigned place,
                const char *standard, struct slice *name, struct failure *failure);

#endif
