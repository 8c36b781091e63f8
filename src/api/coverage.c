#include "api/coverage.h"

#include "base/date.h"
#include "query/params.h"

/* Bytes that a day, a column and all the rest need at most, names included. */
#define DAY_BYTES 256
#define COLUMN_BYTES 160
#define FIXED_BYTES 512
#define NAME_BYTES 67 /* a name, quoted, and a comma */

/* Days of a census, and files that they lack: an upper bound of both. */
static size_t room_of(const struct census *census)
{
    size_t days = 0;

    for (size_t i = 0; i < census->file_count; i++)
        days += i == 0 || census->files[i].day != census->files[i - 1].day;
    size_t missing = days * census->column_count - census->file_count;
    return FIXED_BYTES + census->column_count * COLUMN_BYTES + days * DAY_BYTES +
           missing * NAME_BYTES;
}

/* Valid names need no escapes. */
static void put_string(struct text *text, struct slice s)
{
    text_put(text, SLICE("\""));
    text_put(text, s);
    text_put(text, SLICE("\""));
}

static void put_column(struct text *text, struct coltype type, struct slice name)
{
    char type_name[COLTYPE_NAME];

    text_put(text, SLICE("{\"name\":"));
    put_string(text, name);
    text_put(text, SLICE(",\"type\":"));
    put_string(text, slice_of(coltype_name(type, type_name)));
    text_put(text, SLICE(",\"record_size\":"));
    text_number(text, type.size);
    text_put(text, SLICE("}"));
}

static void put_head(struct text *text, const struct survey *survey)
{
    const struct series *series = survey->series;

    text_put(text, SLICE("{\"exchange\":"));
    put_string(text, series->exchange);
    text_put(text, SLICE(",\"symbol\":"));
    put_string(text, series->symbol);
    text_put(text, SLICE(",\"type\":"));
    put_string(text, series->type);
    text_put(text, SLICE(",\"columns\":["));
    for (unsigned i = 0; i < survey->census->column_count; i++) {
        struct slice name = slice_of(survey->census->columns[i]);

        if (i > 0)
            text_put(text, SLICE(","));
        put_column(text,
                   coltypes_find(survey->store->config->coltypes, series->exchange,
                                 series->type, name),
                   name);
    }
    text_put(text, SLICE("],\"days\":["));
}

/* The columns without a file. */
static void put_missing(struct text *text, const struct census *census,
                        const struct survey_day *day)
{
    bool any = false;
    size_t at = 0;

    for (unsigned i = 0; i < census->column_count; i++) {
        if (at < day->file_count && day->files[at].column == i) {
            at++;
            continue;
        }
        if (any)
            text_put(text, SLICE(","));
        any = true;
        put_string(text, slice_of(census->columns[i]));
    }
}

static void put_second(struct text *text, const struct survey_day *day, uint32_t second)
{
    if (day->rows == 0)
        text_put(text, SLICE("null"));
    else
        text_number(text, second);
}

static void put_bool(struct text *text, bool value)
{
    text_put(text, value ? SLICE("true") : SLICE("false"));
}

static void put_day(struct text *text, const struct census *census,
                    const struct survey_day *day)
{
    char iso[11];

    text_put(text, text->at[text->len - 1] == '[' ? SLICE("{\"day\":") : SLICE(",{\"day\":"));
    put_string(text, slice_of(date_iso(day->number, iso)));
    text_put(text, SLICE(",\"rows\":"));
    text_number(text, day->rows);
    text_put(text, SLICE(",\"bytes\":"));
    text_number(text, day->bytes);
    text_put(text, SLICE(",\"first\":"));
    put_second(text, day, day->first);
    text_put(text, SLICE(",\"last\":"));
    put_second(text, day, day->last);
    text_put(text, SLICE(",\"live\":"));
    put_bool(text, day->live);
    text_put(text, SLICE(",\"sorted\":"));
    put_bool(text, day->sorted);
    text_put(text, SLICE(",\"missing\":["));
    put_missing(text, census, day);
    text_put(text, SLICE("]}"));
}

enum { EXCHANGE, SYMBOL, TYPE, PARAMETERS };

static const struct slice names[PARAMETERS] = { PARAMS_NAME("exchange"), PARAMS_NAME("symbol"),
                                                PARAMS_NAME("type") };

enum answer_state coverage_begin(struct api *api, const struct request *request,
                                 struct answer *answer)
{
    struct slice values[PARAMETERS] = { 0 };
    struct slice exchange, symbol, type;

    if (params_parse(names, PARAMETERS, request->query, values, &answer->arena,
                     &answer->failure) ||
        params_name(names, values, EXCHANGE, api->config->default_exchange, &exchange,
                    &answer->failure) ||
        params_name(names, values, SYMBOL, NULL, &symbol, &answer->failure) ||
        params_name(names, values, TYPE, NULL, &type, &answer->failure))
        return ANSWER_READY;
    answer->survey = arena_take_zeroed(&answer->arena, 1, sizeof(*answer->survey));
    if (answer->survey == NULL) {
        failure_set(&answer->failure, 503, NULL, "out of memory");
        return ANSWER_READY;
    }
    answer->survey->exchange = exchange;
    answer->survey->symbol = symbol;
    answer->survey->type = type;
    survey_begin(answer->survey, api->store, answer->waker, &answer->failure);
    return coverage_more(api, answer);
}

/* Begin the text once it is known how long it can become. */
static enum survey_state find(struct answer *answer)
{
    struct survey *survey = answer->survey;

    if (survey->census != NULL && answer->text.at != NULL)
        return SURVEY_BEGUN;
    enum survey_state state = survey_find(survey);
    if (state != SURVEY_BEGUN)
        return state;
    size_t room = room_of(survey->census);
    char *memory = arena_take(&answer->arena, room);
    if (memory == NULL) {
        failure_set(&answer->failure, 503, NULL, "out of memory");
        return SURVEY_FAILED;
    }
    answer->text = text_on(memory, room);
    put_head(&answer->text, survey);
    return SURVEY_BEGUN;
}

enum answer_state coverage_more(struct api *api, struct answer *answer)
{
    struct text *text = &answer->text;
    struct survey_day day;
    enum survey_state state = find(answer);

    (void)api;
    if (state == SURVEY_BEGUN) {
        while ((state = survey_step(answer->survey, &day)) == SURVEY_DAY)
            put_day(text, answer->survey->census, &day);
    }
    if (state == SURVEY_DONE) {
        text_put(text, SLICE("]}\n"));
        answer_memory(answer, 200, "application/json", (struct slice){ text->at, text->len });
    }
    return state == SURVEY_WAIT   ? ANSWER_WAIT
           : state == SURVEY_MORE ? ANSWER_MORE
                                  : ANSWER_READY;
}
