#include "query/survey.h"

#include "base/date.h"
#include "store/dayfresh.h"

/* Days looked at between two turns of others, days read at once beside the one waited for, and
 * tries with one that keeps changing. */
#define DAYS_PER_STEP 64
#define PREFETCH 15
#define TRIES 8

static const struct day_columns none = { NULL, 0 };

void survey_begin(struct survey *survey, struct store *store, struct waker waker,
                  struct failure *failure)
{
    survey->store = store;
    survey->failure = failure;
    survey->waiter = (struct load_waiter){ .waker = waker, .failure = failure };
    survey->budget = DAYS_PER_STEP;
}

static enum survey_state take_census(struct survey *survey)
{
    while (survey->census == NULL) {
        bool failed = survey->waiter.settled && survey->waiter.result == LOAD_FAILED;

        survey->taking = NULL;
        load_leave(&survey->waiter);
        if (failed)
            return SURVEY_FAILED;
        struct census_load *begun =
            census_begin(survey->store, survey->series->path, &survey->waiter, &survey->census);
        if (!survey->waiter.settled) {
            survey->taking = begun;
            return SURVEY_WAIT;
        }
    }
    survey->taking = NULL;
    load_leave(&survey->waiter);
    return SURVEY_BEGUN;
}

enum survey_state survey_find(struct survey *survey)
{
    if (survey->series == NULL) {
        switch (series_get(survey->store, survey->exchange, survey->symbol, survey->type,
                           &survey->waiter, &survey->series)) {
        case SERIES_WAIT:
            survey->series = NULL;
            return SURVEY_WAIT;
        case SERIES_FAILED:
            survey->series = NULL;
            return SURVEY_FAILED;
        case SERIES_OK:
            break;
        }
    }
    return take_census(survey);
}

/* The end of the files of the day that begins at ${first}. */
static size_t end_of_day(const struct census *census, size_t first)
{
    size_t end = first;

    while (end < census->file_count && census->files[end].day == census->files[first].day)
        end++;
    return end;
}

/* While the disk is read for one day, have it read for those that follow, too. */
static void prefetch(struct survey *survey)
{
    const struct census *census = survey->census;
    size_t at = end_of_day(census, survey->next);

    for (unsigned i = 0; i < PREFETCH && at < census->file_count; i++) {
        if (census->files[at].column == 0)
            day_prefetch(survey->store, survey->series, census->files[at].day, none);
        at = end_of_day(census, at);
    }
}

static void fill_in(const struct survey *survey, const struct day *known,
                    struct survey_day *day)
{
    int64_t newest = 0;

    day->rows = known->index.rows;
    day->first = known->index.min;
    day->last = known->index.max;
    day->sorted = !known->index.steps_back;
    for (size_t i = 0; i < day->file_count; i++) {
        day->bytes += day->files[i].bytes;
        newest = day->files[i].mtime > newest ? day->files[i].mtime : newest;
    }
    day->live = day_live(survey->store, known, none) || newest > dayfresh_recent(survey->store);
}

static enum day_result look(struct survey *survey, struct survey_day *day)
{
    struct day *known;
    enum day_result result =
        day_get(survey->store, survey->series, day->number, none, &survey->waiter, &known);

    if (result == DAY_OK) {
        fill_in(survey, known, day);
        day_release(survey->store, known);
    }
    return result;
}

enum survey_state survey_step(struct survey *survey, struct survey_day *day)
{
    const struct census *census = survey->census;
    char iso[11];

    while (survey->next < census->file_count) {
        size_t end = end_of_day(census, survey->next);
        const struct census_file *files = &census->files[survey->next];

        if (survey->budget-- == 0) {
            survey->budget = DAYS_PER_STEP;
            return SURVEY_MORE;
        }
        *day = (struct survey_day){ .number = files->day,
                                    .files = files,
                                    .file_count = end - survey->next };
        /* The column time is the first one: without its file there is no day. */
        switch (files->column != 0 ? DAY_ABSENT : look(survey, day)) {
        case DAY_OK:
            survey->tries = 0;
            survey->next = end;
            return SURVEY_DAY;
        case DAY_ABSENT:
            survey->tries = 0;
            survey->next = end;
            break;
        case DAY_WAIT:
            prefetch(survey);
            return SURVEY_WAIT;
        case DAY_CHANGED:
        case DAY_AGAIN:
            if (++survey->tries < TRIES)
                break;
            failure_set(survey->failure, 503, NULL, "%s of %s is being replaced",
                        date_iso(day->number, iso), survey->series->path);
            return SURVEY_FAILED;
        case DAY_FAILED:
            return SURVEY_FAILED;
        }
    }
    return SURVEY_DONE;
}

void survey_end(struct survey *survey)
{
    load_leave(&survey->waiter);
    if (survey->taking != NULL)
        census_leave(survey->taking);
    census_free(survey->census);
    if (survey->series != NULL)
        series_release(survey->store, survey->series);
    *survey = (struct survey){ 0 };
}
