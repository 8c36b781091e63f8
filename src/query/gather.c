#include "query/gather.h"

#include <string.h>

#include "base/guard.h"
#include "base/log.h"
#include "system/stats.h"

/* Days looked at between two turns of others, and tries with one that keeps changing. */
#define DAYS_PER_STEP 64
#define TRIES 8

/* Days read from disk at once, beside the one waited for. */
#define PREFETCH 15

/*
 * Files that one answer keeps open for itself; of more, and of any while max_mapped is reached,
 * it opens each when it comes to it.
 */
#define HELD_MAX 64

static int out_of_memory(struct gather *gather)
{
    return failure_set(gather->failure, 503, NULL, "out of memory");
}

/* The places of the columns; "nanos" beside them if it is needed to choose rows. */
static int find_columns(struct gather *gather, struct arena *arena)
{
    const struct query *query = gather->query;
    int nanos = query->fractional ? series_column(gather->series, SLICE("nanos")) : -1;

    gather->columns = arena_take(arena, (query->column_count + 1) * sizeof(unsigned));
    if (gather->columns == NULL)
        return out_of_memory(gather);
    for (unsigned i = 0; i < query->column_count; i++) {
        int place = series_column(gather->series, query->columns[i]);

        if (place < 0)
            return failure_set(gather->failure, 404, "columns",
                               "column '%.*s' does not exist in %s",
                               SLICE_ARG(query->columns[i]), gather->series->path);
        gather->columns[i] = (unsigned)place;
    }
    gather->column_count = gather->needed_count = query->column_count;
    if (nanos >= 0 && gather->series->columns[nanos].type.kind == COLTYPE_U32) {
        gather->columns[gather->needed_count++] = (unsigned)nanos;
        gather->use_nanos = true;
    }
    return 0;
}

/* Without nanos a range begins and ends with whole seconds: start is rounded up, end down. */
static struct timerange whole_seconds(struct timerange range)
{
    if (range.start_nanos > 0 && range.start == UINT32_MAX)
        return (struct timerange){ .start = 1, .end = 0 };
    range.start += range.start_nanos > 0;
    range.start_nanos = 0;
    return range;
}

void gather_begin(struct gather *gather, struct store *store, const struct query *query,
                  struct waker waker, struct failure *failure)
{
    *gather = (struct gather){
        .store = store,
        .query = query,
        .failure = failure,
        .waiter = { .waker = waker, .failure = failure },
    };
}

/* Which days there are to look at. */
static int find_days(struct gather *gather, struct arena *arena)
{
    const struct query *query = gather->query;
    const struct days *days = &gather->series->days;
    uint64_t most = gather->store->config->max_days;

    gather->first = (int32_t)(query->range.start / DATE_SECONDS);
    gather->last = (int32_t)(query->range.end / DATE_SECONDS);
    /* Late and early rows lie in the files of the days beside the range. */
    gather->room = days_count(days, gather->first - 1, gather->last + 1);
    if (gather->room > most && days_count(days, gather->first, gather->last) > most)
        return failure_set(gather->failure, 400, "start",
                           "the range holds more than %llu days with data",
                           (unsigned long long)most);
    gather->next = days_next(days, gather->first - 1, gather->last + 1);
    gather->range = gather->use_nanos ? query->range : whole_seconds(query->range);
    gather->days = arena_take_zeroed(arena, gather->room, sizeof(struct gather_day));
    gather->skipped = arena_take(arena, gather->room * sizeof(int32_t));
    return gather->days == NULL || gather->skipped == NULL ? out_of_memory(gather) : 0;
}

/* What has to be known before any day is looked at. */
static enum gather_state find_series(struct gather *gather, struct arena *arena)
{
    const struct query *query = gather->query;

    switch (series_get(gather->store, query->exchange, query->symbol, query->type,
                       &gather->waiter, &gather->series)) {
    case SERIES_WAIT:
        gather->series = NULL;
        return GATHER_WAIT;
    case SERIES_FAILED:
        gather->series = NULL;
        return GATHER_FAILED;
    case SERIES_OK:
        break;
    }
    gather->roots = gather->store->roots;
    return find_columns(gather, arena) || find_days(gather, arena) ? GATHER_FAILED
                                                                   : GATHER_DONE;
}

/* Rows of one file, as far as its records are whole; 0 if it is not there. */
static uint64_t rows_of(const struct gather *gather, const struct day *day, unsigned place)
{
    const struct dayfile *file = day_file(day, place);

    if (place == SERIES_TIME)
        return day->index.rows;
    return file == NULL ? 0 : file->state.size / gather->series->columns[place].type.size;
}

/* The columns that a day must have open. */
static struct day_columns needed_columns(const struct gather *gather)
{
    return (struct day_columns){ gather->columns, gather->needed_count };
}

struct selection {
    const struct gather *gather;
    struct day *day;
    uint64_t rows;
    bool use_nanos;
    struct timespan span;
};

static void select_rows(void *arg)
{
    struct selection *s = arg;
    const uint32_t *nanos = NULL;
    struct timerange range = s->gather->range;

    if (s->rows == 0)
        return;
    if (s->use_nanos)
        nanos = (const void *)day_file(s->day, s->gather->columns[s->gather->column_count])->at;
    s->span = timeindex_select(&s->day->index, day_times(s->day), nanos, s->rows, range,
                               day_bounds(s->gather->store, s->day, s->rows, range));
}

static uint64_t nanos_rows(const struct gather *gather, const struct day *day)
{
    return rows_of(gather, day, gather->columns[gather->column_count]);
}

/* Select among the first ${rows} rows, and by nanos where they count. */
static int select_again(struct selection *s, uint64_t rows)
{
    s->rows = rows;
    s->use_nanos = s->gather->use_nanos;
    s->span = (struct timespan){ 0 };
    return guard_run(select_rows, s);
}

/* A column of a wrong length; one that would fit with another type gets a hint. */
static void explain_rows(const struct gather *gather, const struct day *day, unsigned place,
                         const char *path, struct failure *failure)
{
    const struct series_column *column = &gather->series->columns[place];
    uint64_t rows = day->index.rows, bytes = day_file(day, place)->state.size;
    char type[COLTYPE_NAME];

    failure_set(failure, 500, NULL, "%s has %llu rows of %s where time has %llu%s", path,
                (unsigned long long)rows_of(gather, day, place),
                coltype_name(column->type, type), (unsigned long long)rows,
                bytes % rows == 0 && bytes > 0
                    ? "; is that its type? (the server's option type says so)"
                    : "");
}

/* Whether the columns fit together; if not, the failure says which one does not, at ${path}. */
static bool is_whole(const struct gather *gather, const struct day *day,
                     char path[DAYFILE_PATH], struct failure *failure)
{
    struct troubles *troubles = &gather->store->troubles;

    for (unsigned i = 0; i < gather->needed_count; i++) {
        unsigned place = gather->columns[i];
        bool fits =
            day_file(day, place) != NULL && rows_of(gather, day, place) == day->index.rows;

        if (fits && !trouble_known(troubles))
            continue;
        day_path(gather->series, day->number, place, path);
        if (fits) {
            trouble_over(troubles, TROUBLE_DAMAGE, path);
            continue;
        }
        if (day_file(day, place) == NULL)
            failure_set(failure, 500, NULL, "%s is missing", path);
        else
            explain_rows(gather, day, place, path, failure);
        return false;
    }
    return true;
}

/* The rows that time and every needed column have. */
static uint64_t common_rows(const struct gather *gather, const struct day *day)
{
    uint64_t least = day->index.rows;

    for (unsigned i = 0; i < gather->needed_count; i++) {
        uint64_t rows = rows_of(gather, day, gather->columns[i]);

        least = rows < least ? rows : least;
    }
    return least;
}

/* Take the day's rows into the facts. */
static int add_day(struct gather *gather, struct day *day, bool live, struct timespan span,
                   struct arena *arena)
{
    struct gather_day *added = &gather->days[gather->day_count];

    *added = (struct gather_day){ .number = day->number, .live = live, .span = span };
    if (gather->files_held + gather->needed_count + 1 <= HELD_MAX &&
        !store_full(gather->store)) {
        gather->files_held += gather->needed_count + 1;
        added->day = day;
        day_hold(gather->store, day);
    } else {
        added->files = arena_take(arena, (gather->needed_count + 1) * sizeof(struct filestate));
        if (added->files == NULL)
            return out_of_memory(gather);
        for (unsigned i = 0; i < gather->needed_count; i++)
            added->files[i] = day_file(day, gather->columns[i])->state;
        added->files[gather->needed_count] = day_file(day, SERIES_TIME)->state;
    }
    gather->day_count++;
    gather->rows += span.count;
    return 0;
}

static bool steps_back(const struct day *day, uint64_t rows)
{
    return day->index.steps_back && day->index.first_step < rows;
}

/* The rows of one day, which is held. DAY_CHANGED: start again. */
static enum day_result weigh(struct gather *gather, struct day *day, struct arena *arena)
{
    struct selection s = { .gather = gather, .day = day, .rows = day->index.rows };
    char path[DAYFILE_PATH];

    if (guard_run(select_rows, &s))
        return DAY_CHANGED;
    if (s.span.count == 0) {
        gather->live |= day_changed_lately(gather->store, day);
        return DAY_OK;
    }
    enum day_result result =
        day_open(gather->store, day, needed_columns(gather), &gather->waiter);
    if (result != DAY_OK)
        return result;

    bool live = day_live(gather->store, day, needed_columns(gather));
    gather->live |= live;
    /* To the nanosecond, where that is known: it may leave nothing. */
    if (gather->use_nanos && nanos_rows(gather, day) >= s.rows && select_again(&s, s.rows))
        return DAY_CHANGED;
    if (s.span.count == 0)
        return DAY_OK;

    if (!live && gather->query->missing != CONFIG_MISSING_PREFIX &&
        !is_whole(gather, day, path, gather->failure)) {
        struct store *store = gather->store;
        bool hearsay = day->looked != store->turn;

        stats_add(STATS_damage_found, !hearsay);
        if (!hearsay && gather->query->missing == CONFIG_MISSING_ERROR) {
            trouble_tell(&store->troubles, store->now, TROUBLE_DAMAGE, path,
                         gather->failure->reason);
            return DAY_FAILED;
        }
        *gather->failure = (struct failure){ 0 };
        /* No damage by hearsay: its files may have grown since they were looked at. */
        if (hearsay)
            return DAY_AGAIN;
        gather->skipped[gather->skipped_count++] = day->number;
        return DAY_OK;
    }

    uint64_t rows = common_rows(gather, day);
    if (rows != s.rows && select_again(&s, rows))
        return DAY_CHANGED;
    if (s.span.count == 0)
        return DAY_OK;
    if (gather->store->config->unsorted == CONFIG_UNSORTED_ERROR && steps_back(day, rows)) {
        failure_set(gather->failure, 500, NULL,
                    "%s steps back in time at row %llu (counted from 0)",
                    day_path(gather->series, day->number, SERIES_TIME, path),
                    (unsigned long long)day->index.first_step);
        return DAY_FAILED;
    }
    return add_day(gather, day, live, s.span, arena) ? DAY_FAILED : DAY_OK;
}

/* Room for one more day: some may have appeared since gather_begin counted them. */
static int make_room(struct gather *gather, struct arena *arena)
{
    unsigned room = 2 * gather->room + 1;

    if (gather->day_count < gather->room && gather->skipped_count < gather->room)
        return 0;
    struct gather_day *days = arena_take_zeroed(arena, room, sizeof(struct gather_day));
    int32_t *skipped = arena_take(arena, room * sizeof(int32_t));
    if (days == NULL || skipped == NULL)
        return out_of_memory(gather);
    memcpy(days, gather->days, gather->day_count * sizeof(struct gather_day));
    memcpy(skipped, gather->skipped, gather->skipped_count * sizeof(int32_t));
    gather->days = days;
    gather->skipped = skipped;
    gather->room = room;
    return 0;
}

/* While the disk is read for one day, have it read for those that follow, too. */
static void prefetch(struct gather *gather)
{
    const struct days *days = &gather->series->days;
    int32_t number = gather->next;

    for (unsigned i = 0; i < PREFETCH; i++) {
        number = days_next(days, number + 1, gather->last);
        if (number > gather->last)
            return;
        day_prefetch(gather->store, gather->series, number, needed_columns(gather));
    }
}

/* Look at the next day. */
static enum day_result gather_one(struct gather *gather, struct arena *arena)
{
    struct store *store = gather->store;
    bool inside = gather->next >= gather->first && gather->next <= gather->last;
    struct day_columns none = { NULL, 0 };
    struct day *day;
    enum day_result result =
        day_get(store, gather->series, gather->next, inside ? needed_columns(gather) : none,
                &gather->waiter, &day);

    if (result != DAY_OK)
        return result;
    result = weigh(gather, day, arena);
    if (result == DAY_CHANGED)
        day_drop(store, day);
    else if (result == DAY_AGAIN)
        day_suspect(store, day);
    day_release(store, day);
    return result;
}

/* As far as one turn goes, or until something has to be waited for. */
static enum gather_state look_at_days(struct gather *gather, struct arena *arena)
{
    int32_t end = gather->last + 1;
    char iso[11];

    for (int budget = DAYS_PER_STEP; budget > 0; budget--) {
        if (gather->next > end)
            return GATHER_DONE;
        if (gather->roots != gather->store->roots)
            return GATHER_MORE; /* to start over */
        if (make_room(gather, arena))
            return GATHER_FAILED;
        switch (gather_one(gather, arena)) {
        case DAY_OK:
        case DAY_ABSENT:
            gather->tries = 0;
            gather->next = days_next(&gather->series->days, gather->next + 1, end);
            break;
        case DAY_WAIT:
            prefetch(gather);
            return GATHER_WAIT;
        case DAY_CHANGED:
        case DAY_AGAIN:
            if (++gather->tries < TRIES)
                break;
            failure_set(gather->failure, 503, NULL, "%s of %s is being replaced",
                        date_iso(gather->next, iso), gather->series->path);
            return GATHER_FAILED;
        case DAY_FAILED:
            return GATHER_FAILED;
        }
    }
    return gather->next > end ? GATHER_DONE : GATHER_MORE;
}

/* The data root was replaced, or is gone: nothing that was found out is of it. */
static int start_over(struct gather *gather)
{
    struct gather before = *gather;

    gather_end(gather);
    gather_begin(gather, before.store, before.query, before.waiter.waker, before.failure);
    *gather->failure = (struct failure){ 0 };
    gather->restarts = before.restarts + 1;
    return gather->restarts < TRIES ? 0
                                    : failure_set(gather->failure, 503, NULL,
                                                  "the data directory is being replaced");
}

enum gather_state gather_step(struct gather *gather, struct arena *arena)
{
    if (gather->series != NULL && gather->roots != gather->store->roots && start_over(gather))
        return GATHER_FAILED;
    if (gather->series == NULL) {
        enum gather_state state = find_series(gather, arena);

        if (state != GATHER_DONE)
            return state;
    }
    if (gather->range.start > gather->range.end)
        return GATHER_DONE;
    return look_at_days(gather, arena);
}

/* Whether a file is still the one that was gathered. */
static bool is_planned(const struct dayfile *file, const struct filestate *planned, bool live)
{
    if (file == NULL || !filestate_id_same(file->state.id, planned->id))
        return false;
    if (live)
        return file->state.size >= planned->size;
    return file->state.size == planned->size && file->state.mtime == planned->mtime;
}

/* Whether the files that an answer needs now are those that were gathered. */
static bool is_as_gathered(const struct gather *gather, const struct gather_day *day,
                           unsigned column, const struct day *found)
{
    const struct dayfile *time = day_file(found, SERIES_TIME);
    unsigned nanos = gather->column_count;

    return is_planned(day_file(found, gather->columns[column]), &day->files[column],
                      day->live) &&
           is_planned(time, &day->files[gather->needed_count], day->live) &&
           (!gather->use_nanos ||
            is_planned(day_file(found, gather->columns[nanos]), &day->files[nanos], day->live));
}

enum gather_state gather_open(struct gather *gather, const struct gather_day *day,
                              unsigned column, struct day **found)
{
    static struct failure ignored; /* an answer under way cannot tell it */
    struct store *store = gather->store;
    unsigned places[2] = { gather->columns[column] };
    struct day_columns wanted = { places, 1 };

    if (day->day != NULL) {
        *found = day->day;
        day_hold(store, day->day);
        return GATHER_DONE;
    }
    gather->waiter.failure = &ignored;
    if (gather->use_nanos)
        places[wanted.count++] = gather->columns[gather->column_count];
    for (int tries = 0; tries < TRIES; tries++) {
        enum day_result result =
            day_get(store, gather->series, day->number, wanted, &gather->waiter, found);

        if (result == DAY_CHANGED)
            continue;
        if (result != DAY_OK)
            return result == DAY_WAIT ? GATHER_WAIT : GATHER_FAILED;
        result = day_open(store, *found, wanted, &gather->waiter);
        if (result == DAY_OK && is_as_gathered(gather, day, column, *found))
            return GATHER_DONE;
        if (result == DAY_CHANGED)
            day_drop(store, *found);
        day_release(store, *found);
        if (result != DAY_CHANGED)
            return result == DAY_WAIT ? GATHER_WAIT : GATHER_FAILED;
    }
    return GATHER_FAILED;
}

void gather_forget(struct gather *gather)
{
    load_leave(&gather->waiter);
}

void gather_end(struct gather *gather)
{
    load_leave(&gather->waiter);
    for (unsigned i = 0; i < gather->day_count; i++) {
        if (gather->days[i].day != NULL)
            day_release(gather->store, gather->days[i].day);
    }
    if (gather->series != NULL)
        series_release(gather->store, gather->series);
    *gather = (struct gather){ 0 };
}
