#include "query/query.h"

#include <errno.h>

#include "base/name.h"
#include "base/num.h"
#include "query/instant.h"
#include "query/params.h"

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

static const struct slice names[PARAMETERS] = {
    PARAMS_NAME("exchange"),   PARAMS_NAME("symbol"), PARAMS_NAME("type"),
    PARAMS_NAME("columns"),    PARAMS_NAME("start"),  PARAMS_NAME("end"),
    PARAMS_NAME("limit"),      PARAMS_NAME("tail"),   PARAMS_NAME("max_points"),
    PARAMS_NAME("downsample"), PARAMS_NAME("format"), PARAMS_NAME("missing"),
    PARAMS_NAME("framing"),
};

static int out_of_memory(struct failure *failure)
{
    return failure_set(failure, 503, NULL, "out of memory");
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
    char quoted[FAILURE_QUOTED];
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
                "column '%s' is not a name: 1-64 of A-Z a-z 0-9 . _ : -, no dot first, no '..'",
                failure_quote(column, quoted));
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

static int parse_number(const struct slice *values, enum parameter parameter, uint64_t least,
                        uint64_t *number, struct failure *failure)
{
    char quoted[FAILURE_QUOTED];

    *number = 0;
    if (values[parameter].at == NULL)
        return 0;
    if (num_parse(values[parameter], number) || *number < least)
        return failure_set(failure, 400, names[parameter].at,
                           "%s '%s' is not a number of at least %llu", names[parameter].at,
                           failure_quote(values[parameter], quoted), (unsigned long long)least);
    return 0;
}

/* The place of a word among the few that are allowed. */
static int find_word(const struct slice *values, enum parameter parameter, const char *choices,
                     unsigned *choice, struct failure *failure)
{
    int place = config_choice_named(choices, values[parameter]);
    char quoted[FAILURE_QUOTED];

    if (place < 0)
        return failure_set(failure, 400, names[parameter].at, "%s can be %s, not '%s'",
                           names[parameter].at, choices,
                           failure_quote(values[parameter], quoted));
    *choice = (unsigned)place;
    return 0;
}

static int parse_word(const struct slice *values, enum parameter parameter, const char *choices,
                      unsigned standard, unsigned *choice, struct failure *failure)
{
    *choice = standard;
    return values[parameter].at == NULL
               ? 0
               : find_word(values, parameter, choices, choice, failure);
}

static int parse_range(struct query *query, const struct slice *values, struct failure *failure)
{
    struct instant start = { 0, 0 }, end;

    if (values[START].at == NULL) {
        if (query->tail == 0)
            return failure_set(failure, 400, "start", "start is missing");
    } else if (instant_parse(values[START], "start", 0, &start, failure)) {
        return -1;
    }
    if (values[END].at == NULL)
        return failure_set(failure, 400, "end", "end is missing");
    if (instant_parse(values[END], "end", 1, &end, failure))
        return -1;
    if (start.second > end.second || (start.second == end.second && start.nanos > end.nanos))
        return failure_set(failure, 400, "start", "start is after end");

    query->range = (struct timerange){ start.second, end.second, start.nanos, end.nanos };
    query->fractional = start.nanos != 0 || end.nanos != INSTANT_LAST_NANO;
    return 0;
}

static int parse_amount(struct query *query, const struct slice *values,
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

int query_parse(struct query *query, struct slice text, const struct config *config,
                struct arena *arena, struct failure *failure)
{
    struct slice values[PARAMETERS] = { 0 };
    unsigned only;

    *query = (struct query){ 0 };
    if (params_parse(names, PARAMETERS, text, values, arena, failure) ||
        params_name(names, values, EXCHANGE, config->default_exchange, &query->exchange,
                    failure) ||
        params_name(names, values, SYMBOL, NULL, &query->symbol, failure) ||
        params_name(names, values, TYPE, NULL, &query->type, failure) ||
        parse_columns(query, values[COLUMNS], config->max_columns, arena, failure) ||
        parse_amount(query, values, failure) || parse_range(query, values, failure) ||
        parse_word(values, DOWNSAMPLE, "stride", 0, &only, failure) ||
        parse_word(values, FORMAT, "raw", 0, &only, failure) ||
        parse_word(values, MISSING, "error|skip|prefix", config->missing, &query->missing,
                   failure) ||
        parse_word(values, FRAMING, "chunked|length", config->framing, &query->framing,
                   failure))
        return -1;
    return 0;
}
