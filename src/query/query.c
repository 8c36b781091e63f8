#include "query/query.h"

#include <errno.h>

#include "base/name.h"
#include "base/num.h"
#include "query/instant.h"

enum parameter {
    EXCHANGE,
    SYMBOL,
    TYPE,
    COLUMNS,
    START,
    END,
    LIMIT,
    TAIL,
    MAX_POINTS,
    DOWNSAMPLE,
    FORMAT,
    MISSING,
    FRAMING,
    PARAMETERS,
};

/* Their names, which are terminated as well. */
#define NAME(name)                                                                             \
    {                                                                                          \
        name, sizeof(name) - 1                                                                 \
    }
static const struct slice names[PARAMETERS] = {
    NAME("exchange"), NAME("symbol"),  NAME("type"),    NAME("columns"),    NAME("start"),
    NAME("end"),      NAME("limit"),   NAME("tail"),    NAME("max_points"), NAME("downsample"),
    NAME("format"),   NAME("missing"), NAME("framing"),
};
#undef NAME

/* The values by parameter, decoded; at is NULL where one is absent or empty. */
struct values {
    struct slice of[PARAMETERS];
    bool given[PARAMETERS];
    bool encoded; /* there is a '%' somewhere */
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

/* The parameter of that name; PARAMETERS if there is none. */
static enum parameter find_parameter(struct slice name)
{
    enum parameter i = 0;

    while (i < PARAMETERS && !slice_equal(name, names[i]))
        i++;
    return i;
}

/* The parameter whose name, as it is, and '=' a pair begins with; PARAMETERS if there is none.
 */
static enum parameter match_parameter(struct slice pair)
{
    enum parameter i = 0;

    while (i < PARAMETERS && !(pair.len > names[i].len && pair.at[names[i].len] == '=' &&
                               memcmp(pair.at, names[i].at, names[i].len) == 0))
        i++;
    return i;
}

/* A name that came from the client, for an error message: short, terminated, without surprises.
 */
static void quote_name(struct slice name, char shown[64])
{
    size_t len = name.len < 63 ? name.len : 63;

    for (size_t i = 0; i < len; i++)
        shown[i] = name.at[i] >= 0x20 && name.at[i] < 0x7f ? name.at[i] : '?';
    shown[len] = '\0';
}

static int take_pair(struct values *values, struct slice pair, struct arena *arena,
                     struct failure *failure)
{
    enum parameter parameter = match_parameter(pair);
    struct slice value, name;
    char shown[64];

    if (parameter < PARAMETERS) {
        name = names[parameter];
        value = (struct slice){ pair.at + name.len + 1, pair.len - name.len - 1 };
    } else {
        name = slice_cut(pair, '=', &value);
    }
    if (values->encoded &&
        (decode(&name, arena) || (value.at != NULL && decode(&value, arena)))) {
        quote_name(name, shown);
        return failure_set(failure, 400, shown, "%s: malformed percent-encoding", shown);
    }
    if (name.len > 0 && name.at[0] == '_')
        return 0; /* a cache-buster */
    if (parameter == PARAMETERS)
        parameter = find_parameter(name);
    if (parameter == PARAMETERS) {
        quote_name(name, shown);
        return failure_set(failure, 400, shown, "there is no parameter '%s'", shown);
    }
    if (values->given[parameter])
        return failure_set(failure, 400, names[parameter].at, "%s is given twice",
                           names[parameter].at);
    values->given[parameter] = true;
    if (value.len > 0)
        values->of[parameter] = value;
    return 0;
}

static int out_of_memory(struct failure *failure)
{
    return failure_set(failure, 503, NULL, "out of memory");
}

static int parse_name(const struct values *values, enum parameter parameter,
                      const char *standard, struct slice *name, struct failure *failure)
{
    *name = values->of[parameter];
    if (name->at == NULL) {
        if (standard == NULL)
            return failure_set(failure, 400, names[parameter].at, "%s is missing",
                               names[parameter].at);
        *name = slice_of(standard);
        return 0;
    }
    if (!name_valid(*name))
        return failure_set(
            failure, 400, names[parameter].at,
            "%s is not a name: 1-64 of A-Z a-z 0-9 . _ : -, no dot first, no '..'",
            names[parameter].at);
    return 0;
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && *s.at == ' ') {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && s.at[s.len - 1] == ' ')
        s.len--;
    return s;
}

static int parse_columns(struct query *query, struct slice list, uint64_t most,
                         struct arena *arena, struct failure *failure)
{
    size_t room = list.len / 2 + 1; /* a name of one byte and a comma each */

    if (list.at == NULL)
        return failure_set(failure, 400, "columns", "columns is missing");
    if (room > most)
        room = most;
    query->columns = arena_take(arena, room * sizeof(struct slice));
    if (query->columns == NULL)
        return out_of_memory(failure);

    while (list.at != NULL) {
        struct slice column = trim(slice_cut(list, ',', &list));

        if (!name_valid(column))
            return failure_set(
                failure, 400, "columns",
                "a column is not a name: 1-64 of A-Z a-z 0-9 . _ : -, no dot first, no '..'");
        for (unsigned i = 0; i < query->column_count; i++) {
            if (slice_equal(query->columns[i], column))
                return failure_set(failure, 400, "columns", "column '%.*s' is given twice",
                                   SLICE_ARG(column));
        }
        if (query->column_count == most)
            return failure_set(failure, 400, "columns", "more than %llu columns",
                               (unsigned long long)most);
        query->columns[query->column_count++] = column;
    }
    return 0;
}

static int parse_number(const struct values *values, enum parameter parameter, uint64_t least,
                        uint64_t *number, struct failure *failure)
{
    *number = 0;
    if (values->of[parameter].at == NULL)
        return 0;
    if (num_parse(values->of[parameter], number) || *number < least)
        return failure_set(failure, 400, names[parameter].at,
                           "%s is not a number of at least %llu", names[parameter].at,
                           (unsigned long long)least);
    return 0;
}

/* The place of a word among the few that are allowed. */
static int find_word(const struct values *values, enum parameter parameter, const char *choices,
                     unsigned *choice, struct failure *failure)
{
    int place = config_choice_named(choices, values->of[parameter]);
    if (place < 0)
        return failure_set(failure, 400, names[parameter].at, "%s can be %s",
                           names[parameter].at, choices);
    *choice = (unsigned)place;
    return 0;
}

static int parse_word(const struct values *values, enum parameter parameter,
                      const char *choices, unsigned standard, unsigned *choice,
                      struct failure *failure)
{
    *choice = standard;
    return values->of[parameter].at == NULL
               ? 0
               : find_word(values, parameter, choices, choice, failure);
}

static int parse_range(struct query *query, const struct values *values,
                       struct failure *failure)
{
    struct instant start = { 0, 0 }, end;

    if (values->of[START].at == NULL) {
        if (query->tail == 0)
            return failure_set(failure, 400, "start", "start is missing");
    } else if (instant_parse(values->of[START], "start", 0, &start, failure)) {
        return -1;
    }
    if (values->of[END].at == NULL)
        return failure_set(failure, 400, "end", "end is missing");
    if (instant_parse(values->of[END], "end", 1, &end, failure))
        return -1;
    if (start.second > end.second || (start.second == end.second && start.nanos > end.nanos))
        return failure_set(failure, 400, "start", "start is after end");

    query->range = (struct timerange){ start.second, end.second, start.nanos, end.nanos };
    query->fractional = start.nanos != 0 || end.nanos != INSTANT_LAST_NANO;
    return 0;
}

static int parse_amount(struct query *query, const struct values *values,
                        struct failure *failure)
{
    if (parse_number(values, LIMIT, 1, &query->limit, failure) ||
        parse_number(values, TAIL, 1, &query->tail, failure) ||
        parse_number(values, MAX_POINTS, 0, &query->max_points, failure))
        return -1;
    if (query->limit != 0 && query->tail != 0)
        return failure_set(failure, 400, "tail", "tail and limit exclude each other");
    if (query->max_points != 0 && (query->limit != 0 || query->tail != 0))
        return failure_set(failure, 400, "max_points", "max_points excludes limit and tail");
    return 0;
}

/* What lies in the request's bytes must outlive them. */
static int keep(struct slice *text, struct arena *arena)
{
    char *copy;

    if (text->len == 0)
        return 0;
    if ((copy = arena_take(arena, text->len)) == NULL)
        return -1;
    text->at = memcpy(copy, text->at, text->len);
    return 0;
}

int query_parse(struct query *query, struct slice text, const struct config *config,
                struct arena *arena, struct failure *failure)
{
    struct values values = { 0 };
    unsigned only;

    *query = (struct query){ 0 };
    if (keep(&text, arena))
        return out_of_memory(failure);
    values.encoded = text.len > 0 && memchr(text.at, '%', text.len) != NULL;
    while (text.at != NULL) {
        struct slice pair = slice_cut(text, '&', &text);

        if (pair.len > 0 && take_pair(&values, pair, arena, failure))
            return -1;
    }
    if (parse_name(&values, EXCHANGE, config->default_exchange, &query->exchange, failure) ||
        parse_name(&values, SYMBOL, NULL, &query->symbol, failure) ||
        parse_name(&values, TYPE, NULL, &query->type, failure) ||
        parse_columns(query, values.of[COLUMNS], config->max_columns, arena, failure) ||
        parse_amount(query, &values, failure) || parse_range(query, &values, failure) ||
        parse_word(&values, DOWNSAMPLE, "stride", 0, &only, failure) ||
        parse_word(&values, FORMAT, "raw", 0, &only, failure) ||
        parse_word(&values, MISSING, "error|skip|prefix", config->missing, &query->missing,
                   failure) ||
        parse_word(&values, FRAMING, "chunked|length", config->framing, &query->framing,
                   failure))
        return -1;
    return 0;
}
