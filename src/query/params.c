#include "query/params.h"

#include <assert.h>
#include <stdbool.h>

#include "base/name.h"
#include "base/num.h"

struct parsing {
    const struct slice *names;
    unsigned count;
    struct slice *values;
    bool encoded; /* there is a '%' somewhere */
    bool given[PARAMS_MAX];
    struct arena *arena;
    struct failure *failure;
};

/* Undo percent-encoding, in memory of the arena where there is any. Returns 0, or -1 if it is
 * malformed. */
static int decode(struct slice *s, struct arena *arena)
{
    char *copy;
    size_t len = 0;

    if (s->len == 0 || memchr(s->at, '%', s->len) == NULL)
        return 0;
    if ((copy = arena_take(arena, s->len)) == NULL)
        return -1;
    for (size_t i = 0; i < s->len; i++) {
        if (s->at[i] != '%') {
            copy[len++] = s->at[i];
            continue;
        }
        if (s->len - i < 3 || num_hex_value(s->at[i + 1]) < 0 ||
            num_hex_value(s->at[i + 2]) < 0)
            return -1;
        copy[len++] = (char)(num_hex_value(s->at[i + 1]) << 4 | num_hex_value(s->at[i + 2]));
        i += 2;
    }
    *s = (struct slice){ copy, len };
    return 0;
}

/* The parameter of that name; count if there is none. */
static unsigned find_parameter(const struct parsing *parsing, struct slice name)
{
    unsigned i = 0;

    while (i < parsing->count && !slice_equal(name, parsing->names[i]))
        i++;
    return i;
}

/* The parameter whose name, as it is, and '=' a pair begins with; count if there is none. */
static unsigned match_parameter(const struct parsing *parsing, struct slice pair)
{
    const struct slice *names = parsing->names;
    unsigned i = 0;

    while (i < parsing->count && !(pair.len > names[i].len && pair.at[names[i].len] == '=' &&
                                   memcmp(pair.at, names[i].at, names[i].len) == 0))
        i++;
    return i;
}

static int take_pair(struct parsing *parsing, struct slice pair)
{
    unsigned parameter = match_parameter(parsing, pair);
    struct slice value, name;
    char quoted[FAILURE_QUOTED];

    if (parameter < parsing->count) {
        name = parsing->names[parameter];
        value = (struct slice){ pair.at + name.len + 1, pair.len - name.len - 1 };
    } else {
        name = slice_cut(pair, '=', &value);
    }
    if (parsing->encoded && (decode(&name, parsing->arena) ||
                             (value.at != NULL && decode(&value, parsing->arena)))) {
        failure_quote(name, quoted);
        return failure_set(parsing->failure, 400, quoted, "%s: malformed percent-encoding",
                           quoted);
    }
    if (name.len > 0 && name.at[0] == '_')
        return 0; /* a cache-buster */
    if (parameter == parsing->count)
        parameter = find_parameter(parsing, name);
    if (parameter == parsing->count) {
        failure_quote(name, quoted);
        return failure_set(parsing->failure, 400, quoted, "there is no parameter '%s'", quoted);
    }
    if (parsing->given[parameter])
        return failure_set(parsing->failure, 400, parsing->names[parameter].at,
                           "%s is given twice", parsing->names[parameter].at);
    parsing->given[parameter] = true;
    if (value.len > 0)
        parsing->values[parameter] = value;
    return 0;
}

static int parse(struct parsing *parsing, struct slice text, bool form)
{
    char *copy;

    assert(parsing->count <= PARAMS_MAX);
    if (text.len == 0)
        return 0;
    /* What lies in the request's bytes must outlive them. */
    if ((copy = arena_take(parsing->arena, text.len)) == NULL)
        return failure_set(parsing->failure, 503, NULL, "out of memory");
    text.at = memcpy(copy, text.at, text.len);
    for (size_t i = 0; form && i < text.len; i++)
        copy[i] = copy[i] == '+' ? ' ' : copy[i];
    parsing->encoded = memchr(text.at, '%', text.len) != NULL;
    while (text.at != NULL) {
        struct slice pair = slice_cut(text, '&', &text);

        if (pair.len > 0 && take_pair(parsing, pair))
            return -1;
    }
    return 0;
}

int params_parse(const struct slice *names, unsigned count, struct slice text,
                 struct slice *values, struct arena *arena, struct failure *failure)
{
    struct parsing parsing = { names, count, values, .arena = arena, .failure = failure };

    return parse(&parsing, text, false);
}

int params_parse_form(const struct slice *names, unsigned count, struct slice text,
                      struct slice *values, struct arena *arena, struct failure *failure)
{
    struct parsing parsing = { names, count, values, .arena = arena, .failure = failure };

    return parse(&parsing, text, true);
}

int params_name(const struct slice *names, const struct slice *values, unsigned place,
                const char *standard, struct slice *name, struct failure *failure)
{
    char quoted[FAILURE_QUOTED];

    *name = values[place];
    if (name->at == NULL) {
        if (standard == NULL)
            return failure_set(failure, 400, names[place].at, "%s is missing", names[place].at);
        *name = slice_of(standard);
        return 0;
    }
    if (!name_valid(*name))
        return failure_set(
            failure, 400, names[place].at,
            "%s '%s' is not a name: 1-64 of A-Z a-z 0-9 . _ : -, no dot first, no '..'",
            names[place].at, failure_quote(*name, quoted));
    return 0;
}
