#include "unit.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/date.h"
#include "base/log.h"
#include "dice.h"
#include "session.h"

/*
 * What workers tell one another through the shared segment: two stores on one data root, as two
 * workers have them. What one has found out serves the other as long as it is about the very
 * same file, and for no longer than "revalidate".
 */

#define DAY 20089 /* 2025-01-01 */
#define WHOLE "&start=0&end=4294967295"
#define MARK 987654321 /* in a fact, where it does no harm: nobody could have found it out */

static struct segment *segment;
static struct facts facts[2];
static struct session a, b;

static const char *const few[] = { "cache_entries", "fence_entries", "days_entries",
                                   "names_entries" };

/* Both sessions; with ${small}, tables as small as can be. ${helper} is b's. */
static void begin_both(struct config *config, bool small, struct helper *helper)
{
    struct config *other = files_config_again();
    struct config *both[2] = { config, other };
    size_t bytes[SEGMENT_SECTIONS] = { [SEGMENT_STATS] = 4096 };

    for (int i = 0; i < 2; i++) {
        files_set(both[i], "default_exchange", "ex");
        for (size_t j = 0; small && j < COUNT_OF(few); j++)
            files_set(both[i], few[j], "16");
    }
    facts_sizes(config, bytes);
    segment = segment_create(bytes);
    ck_assert_ptr_nonnull(segment);
    facts_attach(&facts[0], segment, 1);
    facts_attach(&facts[1], segment, 2);
    session_begin_with(&a, config, &facts[0], NULL);
    session_begin_with(&b, other, &facts[1], helper);
}

static void end_both(void)
{
    session_end(&a);
    session_end(&b);
    segment_free(segment);
}

static void later(uint64_t ms)
{
    session_later(&a, ms);
    session_later(&b, ms);
}

static void quiet(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

/* ${rows} rows from the day's noon on. */
static void write_column(const char *column, int32_t day, unsigned rows)
{
    static uint32_t values[2000];

    for (unsigned i = 0; i < rows; i++)
        values[i] =
            strcmp(column, "time") == 0 ? (uint32_t)day * DATE_SECONDS + 43200 + i * 7 : i;
    files_write(files_column(FILES_SERIES, column, day), values, rows * 4);
}

static void begin_day(unsigned rows)
{
    struct config *config = files_config();

    quiet();
    write_column("bid", DAY, rows);
    write_column("time", DAY, rows);
    begin_both(config, false, NULL);
}

/* Whether the query succeeds; its rows. */
static bool ask(struct session *session, const char *parameters, uint64_t *rows)
{
    char text[512];

    session_done(session);
    snprintf(text, sizeof(text), "symbol=SYM&type=MD&%s", parameters);
    if (session_query(session, text))
        return false;
    *rows = session->plan.rows;
    return true;
}

/* The rows of the query, which must succeed. */
static uint64_t rows_of(struct session *session, const char *parameters)
{
    uint64_t rows;

    ck_assert_msg(ask(session, parameters, &rows), "%s: %s", parameters,
                  session->failure.reason);
    return rows;
}

static struct fact_names names_of_series(void)
{
    struct fact_names names =
        facts_known_names(&facts[0], SLICE("ex"), SLICE("SYM"), SLICE("MD"));

    ck_assert_uint_ne(names.exchange, 0);
    return names;
}

static struct fact_times told(void)
{
    struct fact_times times;
    struct cache_hint hint;

    ck_assert(facts_find_times(&facts[0], names_of_series(), DAY, a.now, &times, &hint));
    return times;
}

static void tell(const struct fact_times *times)
{
    struct cache_hint hint;

    facts_put_times(&facts[0], names_of_series(), DAY, a.now, times, &hint);
    ck_assert_uint_ne(hint.word, 0);
}

/* a looks at the day, and what it told is given a mark. */
static void plant(void)
{
    rows_of(&a, "columns=bid" WHOLE);
    struct fact_times times = told();
    times.known.index.first_step = MARK;
    tell(&times);
    session_done(&a);
}

/* What b knows of the day that its query found. */
static const struct day *day_of_b(void)
{
    ck_assert_uint_eq(b.gather.day_count, 1);
    ck_assert_ptr_nonnull(b.gather.days[0].day);
    return b.gather.days[0].day;
}

/* b's index and the fences are those that are built from nothing. */
static void check_right(bool marked)
{
    const struct day *day = day_of_b();
    const uint32_t *times = day_times(day);
    struct timeindex index = { 0 };
    struct timefences fences;
    struct fact_times now = told();

    timeindex_extend(&index, times, day->files[SERIES_TIME]->state.size / 4);
    timeindex_fences(&index, times, DAY, &fences, 0);
    ck_assert_uint_eq(day->index.rows, index.rows);
    ck_assert_uint_eq(day->index.min, index.min);
    ck_assert_uint_eq(day->index.max, index.max);
    ck_assert_int_eq(day->index.steps_back, index.steps_back);
    ck_assert_int_eq(day->index.first_step == MARK, marked);
    ck_assert(filestate_same(&now.known.state, &day->files[SERIES_TIME]->state));
    ck_assert_uint_eq(now.known.index.rows, index.rows);
    ck_assert_int_eq(now.known.index.first_step == MARK, marked);
    ck_assert_mem_eq(&now.fences, &fences, sizeof(fences));
}

START_TEST(facts_are_adopted)
{
    begin_day(1000);
    plant();
    ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 1000);
    check_right(true);
    ck_assert_uint_ne(day_of_b()->fences.word, 0);
    end_both();
}
END_TEST

/* Fences that were never put up: whoever adopts them finds what they say. */
START_TEST(facts_of_fences_are_adopted)
{
    const char *early = "columns=bid&start=2025-01-01T12:00:00Z&end=2025-01-01T12:10:00Z";

    begin_day(1000);
    rows_of(&a, "columns=bid" WHOLE);
    session_done(&a);
    ck_assert_uint_eq(rows_of(&b, early), 86);
    session_done(&b);
    struct fact_times times = told();
    for (int i = 0; i < TIMEINDEX_FENCES; i++)
        times.fences.rows[i] = 0;
    tell(&times);
    ck_assert_uint_eq(rows_of(&b, early), 0);
    end_both();
}
END_TEST

START_TEST(facts_of_another_file_are_not_adopted)
{
    for (int way = 0; way < 6; way++) {
        begin_day(1000);
        plant();
        struct fact_times times = told();
        switch (way) {
        case 0: /* replaced, the same size and time */
            write_column("time", DAY, 1000);
            break;
        case 1: /* replaced by a longer one */
            write_column("bid", DAY, 1200);
            write_column("time", DAY, 1200);
            break;
        case 2: /* changed, as far as can be seen */
            files_touch(files_column(FILES_SERIES, "time", DAY), FILES_WALL - 3000);
            break;
        case 3: /* an inode used again */
            times.known.state.id.birth--;
            tell(&times);
            break;
        case 4: /* one used again, by a longer file */
            times.known.state.id.birth--;
            times.known.state.size -= 4;
            times.known.index.rows--;
            tell(&times);
            break;
        case 5: /* changed, though size and modification time are the same */
            times.known.state.changed--;
            tell(&times);
            break;
        }
        ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), way == 1 ? 1200 : 1000);
        check_right(false);
        end_both();
    }
}
END_TEST

/* A file that grew: what is known of its beginning is not read again. */
START_TEST(facts_of_a_file_that_grew_are_extended)
{
    uint32_t more[500];

    for (unsigned step = 1; step < 500; step += 83) {
        begin_day(1000);
        plant();
        for (unsigned i = 0; i < 500; i++)
            more[i] = DAY * DATE_SECONDS + 43200 + (1000 + i) * 7;
        files_append(files_column(FILES_SERIES, "bid", DAY), more, step * 4);
        files_append(files_column(FILES_SERIES, "time", DAY), more, step * 4 + 3);
        ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 1000 + step);
        check_right(true);
        end_both();
    }
}
END_TEST

START_TEST(facts_of_a_file_that_shrank_are_not_adopted)
{
    begin_day(1000);
    plant();
    files_truncate(files_column(FILES_SERIES, "time", DAY), 2000);
    files_truncate(files_column(FILES_SERIES, "bid", DAY), 2000);
    ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 500);
    check_right(false);
    /* And a, whose file that was. */
    later(1000);
    ck_assert_uint_eq(rows_of(&a, "columns=bid" WHOLE), 500);
    end_both();
}
END_TEST

/* The days and columns of a series, too; only of a directory that has settled. */
START_TEST(facts_of_a_series_are_adopted)
{
    for (int way = 0; way < 3; way++) {
        struct fact_series series;

        begin_day(10);
        files_touch(FILES_SERIES, FILES_WALL - (way == 1 ? 1 : 100));
        rows_of(&a, "columns=bid" WHOLE);
        session_done(&a);
        struct fact_names names = names_of_series();
        ck_assert(facts_find_series(&facts[0], names, a.now, &series));
        ck_assert_int_eq(series.dirty != 0, way == 1);
        days_add(&series.days, DAY + 100); /* the mark: a day that there is not */
        facts_put_series(&facts[0], names, a.now, &series);
        if (way == 2)
            files_touch(FILES_SERIES, FILES_WALL - 99);
        ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 10);
        ck_assert_uint_eq(days_count(&b.gather.series->days, 0, DAY + 1000), way == 0 ? 2 : 1);
        end_both();
    }
}
END_TEST

/* A look at the disk serves all for "revalidate", from when it was made. */
START_TEST(facts_are_trusted_for_so_long)
{
    begin_day(1000);
    rows_of(&a, "columns=bid" WHOLE);
    rows_of(&b, "columns=bid" WHOLE);
    session_done(&a);
    session_done(&b);
    later(1000);
    ck_assert_uint_eq(rows_of(&a, "columns=bid" WHOLE), 1000);
    write_column("bid", DAY, 7);
    write_column("time", DAY, 7);
    files_touch(FILES_SERIES, FILES_WALL - 100);
    later(500);
    ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 1000); /* by what a saw */
    later(499);
    ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 1000);
    later(1);
    ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 7);
    ck_assert_uint_eq(rows_of(&a, "columns=bid" WHOLE), 7);
    end_both();
}
END_TEST

/* A column that is not there, and then is. */
START_TEST(facts_of_absence)
{
    uint64_t rows;

    begin_day(1000);
    write_column("ask", DAY + 1, 1000); /* the series has it */
    for (int live = 0; live < 2; live++) {
        if (live)
            files_touch(files_column(FILES_SERIES, "time", DAY), FILES_WALL + 1000);
        later(5000);
        ck_assert_int_eq(ask(&a, "columns=ask" WHOLE, &rows), live);
        ck_assert_int_eq(ask(&b, "columns=ask" WHOLE, &rows), live);
        later(1000);
        ck_assert_int_eq(ask(&a, "columns=ask" WHOLE, &rows), live);
        write_column("ask", DAY, 1000);
        later(500);
        /* Of a closed day there is no damage by hearsay; in a live one it is looked for. */
        ck_assert_uint_eq(rows_of(&b, "columns=ask" WHOLE), 1000);
        later(500);
        ck_assert_uint_eq(rows_of(&b, "columns=ask" WHOLE), 1000);
        ck_assert_uint_eq(rows_of(&a, "columns=ask" WHOLE), 1000);
        files_remove(files_column(FILES_SERIES, "ask", DAY));
    }
    end_both();
}
END_TEST

/* Another DATA: nothing that was seen in the one before counts. */
START_TEST(facts_of_another_root_are_not_adopted)
{
    char old[128];

    begin_day(1000);
    rows_of(&a, "columns=bid" WHOLE);
    rows_of(&b, "columns=bid" WHOLE);
    session_done(&a);
    session_done(&b);
    later(1000);
    rows_of(&a, "columns=bid" WHOLE); /* a saw it, and moves no more */
    session_done(&a);
    snprintf(old, sizeof(old), "%s.old", files_root());
    ck_assert_int_eq(rename(files_root(), old), 0);
    ck_assert_int_eq(mkdir(files_root(), 0755), 0);
    write_column("bid", DAY, 5);
    write_column("time", DAY, 5);
    session_later(&b, 1000);
    ck_assert_uint_eq(rows_of(&b, "columns=bid" WHOLE), 5);
    session_later(&a, 1000);
    ck_assert_uint_eq(rows_of(&a, "columns=bid" WHOLE), 5);
    end_both();
    snprintf(old, sizeof(old), "rm -r %s.old", files_root());
    ck_assert_int_eq(system(old), 0);
}
END_TEST

/* A day in order of which another worker has read further, up to where it is not: its fences
 * are none. */
START_TEST(facts_of_disorder_have_no_fences)
{
    const char *early = "columns=bid&start=2025-01-01T12:30:00Z&end=2025-01-01T12:40:00Z";
    uint32_t more[3] = { DAY * DATE_SECONDS + 43200 + 7000, DAY * DATE_SECONDS, 1 };

    begin_day(1000);
    files_touch(files_column(FILES_SERIES, "time", DAY), FILES_WALL);
    ck_assert_uint_eq(rows_of(&a, early), 85);
    ck_assert_uint_eq(rows_of(&b, early), 85);
    ck_assert_uint_ne(day_of_b()->fences.word, 0);
    session_done(&a);
    /* A recorder that writes time first. */
    files_append(files_column(FILES_SERIES, "time", DAY), more, 8);
    lru_clear(&a.store->days);
    struct fact_times times = told();
    times.known.state.id.birth--; /* what was known is no beginning of it */
    memset(&times.fences, 0, sizeof(times.fences));
    tell(&times);
    ck_assert_uint_eq(rows_of(&a, early), 85);
    ck_assert(told().known.index.steps_back);
    ck_assert_uint_eq(rows_of(&b, early), 85);
    end_both();
}
END_TEST

/* A time file cut off, which nobody has noticed, when its fences are to be put up again: the
 * day goes while it is looked at. */
START_TEST(facts_of_a_day_that_is_cut_off)
{
    uint64_t rows;

    begin_day(2000);
    rows_of(&a, "columns=bid" WHOLE);
    rows_of(&b, "columns=bid" WHOLE);
    session_done(&a);
    session_done(&b);
    later(1000);
    rows_of(&a, "columns=bid" WHOLE);
    session_done(&a);
    struct fact_times times = told();
    times.known.state.id.birth--;
    tell(&times);
    files_truncate(files_column(FILES_SERIES, "time", DAY), 0);
    later(500);
    ck_assert(!ask(&b, "columns=bid" WHOLE, &rows) || rows == 0);
    end_both();
}
END_TEST

/* No room for names: nothing is shared, everything works, and nothing is read for nothing. */
START_TEST(facts_without_room_for_names)
{
    struct helper *helper = helper_new(1, &(struct cpu_list){ .count = 0 });
    struct config *config = files_config();
    char column[32];

    quiet();
    for (int i = 0; i < 20; i++) {
        snprintf(column, sizeof(column), "c%d", i);
        write_column(column, DAY, 10);
    }
    write_column("time", DAY, 10);
    begin_both(config, true, helper);
    for (int i = 0; i < 100; i++) {
        char name[32];

        snprintf(name, sizeof(name), "other%d", i);
        names_id(&facts[0].names, slice_of(name));
    }
    for (int round = 0; round < 3; round++) {
        ck_assert_uint_eq(rows_of(&a, "columns=time,c1,c19" WHOLE), 10);
        ck_assert_uint_eq(rows_of(&b, "columns=time,c1,c19" WHOLE), 10);
        ck_assert_uint_eq(b.gather.series->names.exchange, 0);
        ck_assert_ptr_null(b.store->loads);
        later(1000);
    }
    end_both();
    helper_free(helper);
}
END_TEST

/* More columns than are told of. */
START_TEST(facts_of_many_columns)
{
    struct config *config = files_config();
    char column[32], text[128];

    quiet();
    write_column("time", DAY, 10);
    begin_both(config, false, NULL);
    for (int i = 0; i < 80; i++) {
        snprintf(column, sizeof(column), "c%d", i);
        write_column(column, DAY, 10);
        if (i > 55) {
            files_touch(FILES_SERIES, FILES_WALL - 1000 + i);
            later(1000);
            snprintf(text, sizeof(text), "columns=time,%s,c0" WHOLE, column);
            ck_assert_uint_eq(rows_of(i % 2 ? &a : &b, text), 10);
            ck_assert_uint_eq(rows_of(i % 2 ? &b : &a, text), 10);
        }
    }
    end_both();
}
END_TEST

/* --- Random days, which grow and are replaced, through both sessions against the rows
 * themselves */

#define DAYS 8
#define ROWS 300

enum { TIME, NANOS, V, COLUMNS };
static const char *const columns[COLUMNS] = { "time", "nanos", "v" };

static struct fake {
    bool exists;
    unsigned rows; /* in all columns */
    uint32_t values[COLUMNS][ROWS];
} fakes[DAYS];

static void add_rows(struct dice *dice, unsigned d, unsigned count)
{
    struct fake *fake = &fakes[d];
    uint32_t midnight = (uint32_t)(DAY + (int)d) * DATE_SECONDS;
    bool unsorted = dice_roll(dice, 4) == 0;

    for (; count > 0 && fake->rows < ROWS; count--, fake->rows++) {
        unsigned row = fake->rows;
        uint32_t before = row == 0 ? midnight : fake->values[TIME][row - 1];
        uint32_t second = before + dice_roll(dice, 2) * dice_roll(dice, 1000);

        if (second >= midnight + DATE_SECONDS && before < midnight + DATE_SECONDS)
            second = before;
        if (unsorted && dice_roll(dice, 20) == 0)
            second = midnight + dice_roll(dice, 2 * DATE_SECONDS) - DATE_SECONDS / 2;
        if (dice_roll(dice, 60) == 0) /* late, and in order */
            second = midnight + DATE_SECONDS + dice_roll(dice, 100);
        fake->values[TIME][row] = second;
        fake->values[NANOS][row] = second == before && row > 0 && dice_roll(dice, 20)
                                       ? fake->values[NANOS][row - 1] + dice_roll(dice, 999)
                                       : dice_roll(dice, 100000);
        fake->values[V][row] = (uint32_t)dice_bits(dice);
    }
}

static char *path_of(unsigned d, int column)
{
    return (char *)files_column(FILES_SERIES, columns[column], DAY + (int32_t)d);
}

/* A new day, or another one in its place: time goes first, and comes last. */
static void replace_day(struct dice *dice, unsigned d)
{
    struct fake *fake = &fakes[d];

    if (fake->exists)
        files_remove(path_of(d, TIME));
    fake->exists = true;
    fake->rows = 0;
    add_rows(dice, d, dice_roll(dice, 3) ? dice_roll(dice, ROWS / 2) : dice_roll(dice, 3));
    for (int column = COLUMNS - 1; column >= 0; column--)
        files_write(path_of(d, column), fake->values[column],
                    fake->rows * 4 + (dice_roll(dice, 3) == 0 ? dice_roll(dice, 4) : 0));
}

/* Append rows, and sometimes a part of one more. What stood beyond the whole rows is replaced
 * by the truth, since a partial record is the beginning of a row: all of it is written anew. */
static void grow_day(struct dice *dice, unsigned d)
{
    struct fake *fake = &fakes[d];
    unsigned before = fake->rows;
    char path[1024];

    add_rows(dice, d, 1 + dice_roll(dice, 40));
    for (int column = 0; column < COLUMNS; column++) {
        snprintf(path, sizeof(path), "%s/%s", files_root(), path_of(d, column));
        FILE *file = fopen(path, "r+");

        ck_assert_ptr_nonnull(file);
        fseek(file, before * 4, SEEK_SET);
        fwrite(fake->values[column] + before, 4, fake->rows - before, file);
        fclose(file);
        files_touch(path_of(d, column), dice_roll(dice, 2) ? a.wall : FILES_WALL - 5000);
    }
}

static void remove_day(unsigned d)
{
    files_remove(path_of(d, TIME));
    fakes[d] = (struct fake){ 0 };
}

static void change(struct dice *dice)
{
    static int64_t mtime;
    unsigned d = dice_roll(dice, DAYS);

    if (!fakes[d].exists || dice_roll(dice, 4) == 0)
        replace_day(dice, d);
    else if (dice_roll(dice, 8) == 0)
        remove_day(d);
    else
        grow_day(dice, d);
    /* A directory that has settled, or not. */
    if (dice_roll(dice, 3))
        files_touch(FILES_SERIES, FILES_WALL - 100000 + ++mtime);
}

struct wish {
    char text[256];
    uint64_t start, end; /* nanoseconds */
    unsigned limit, tail;
};

static int put_bound(struct dice *dice, char *to, const char *name, uint64_t rest,
                     uint64_t *moment)
{
    uint32_t second = (uint32_t)DAY * DATE_SECONDS + dice_roll(dice, DAYS * DATE_SECONDS);
    const struct fake *fake = &fakes[dice_roll(dice, DAYS)];
    unsigned nano = dice_roll(dice, 110000);
    char iso[11];

    if (fake->rows > 0 && dice_roll(dice, 4))
        second = fake->values[TIME][dice_roll(dice, fake->rows)];
    if (dice_roll(dice, 6) == 0)
        second = (uint32_t)(DAY + (int)dice_roll(dice, DAYS)) * DATE_SECONDS;
    *moment = second * UINT64_C(1000000000) + rest;
    if (dice_roll(dice, 3))
        return sprintf(to, "&%s=%u", name, second);
    *moment = second * UINT64_C(1000000000) + nano;
    return sprintf(to, "&%s=%sT%02u:%02u:%02u.%09uZ", name,
                   date_iso((int32_t)(second / DATE_SECONDS), iso), second / 3600 % 24,
                   second / 60 % 60, second % 60, nano);
}

static void make_wish(struct dice *dice, struct wish *wish)
{
    int at;

    do {
        *wish = (struct wish){ 0 };
        at = sprintf(wish->text, "columns=v,time");
        at += put_bound(dice, wish->text + at, "start", 0, &wish->start);
        at += put_bound(dice, wish->text + at, "end", 999999999, &wish->end);
    } while (wish->start > wish->end);
    if (dice_roll(dice, 3) == 0)
        sprintf(wish->text + at, "&limit=%u", wish->limit = 1 + dice_roll(dice, 300));
    else if (dice_roll(dice, 3) == 0)
        sprintf(wish->text + at, "&tail=%u", wish->tail = 1 + dice_roll(dice, 300));
}

/* What the answer must be: v, then time. Returns the rows. */
static unsigned fulfil(const struct wish *wish, uint32_t *v, uint32_t *times)
{
    unsigned count = 0;

    for (unsigned d = 0; d < DAYS; d++) {
        for (unsigned row = 0; row < fakes[d].rows; row++) {
            uint64_t moment =
                fakes[d].values[TIME][row] * UINT64_C(1000000000) + fakes[d].values[NANOS][row];

            if (moment < wish->start || moment > wish->end)
                continue;
            v[count] = fakes[d].values[V][row];
            times[count++] = fakes[d].values[TIME][row];
        }
    }
    unsigned skip = wish->tail > 0 && wish->tail < count ? count - wish->tail : 0;
    count -= skip;
    memmove(v, v + skip, count * 4);
    memmove(times, times + skip, count * 4);
    return wish->limit > 0 && wish->limit < count ? wish->limit : count;
}

static void compare(struct session *session, const struct wish *wish)
{
    static uint32_t v[DAYS * ROWS], times[DAYS * ROWS];
    unsigned count = fulfil(wish, v, times);
    size_t len;
    uint64_t rows = rows_of(session, wish->text);

    ck_assert_msg(rows == count, "%s: %llu rows, not %u", wish->text, (unsigned long long)rows,
                  count);
    char *bytes = session_body(session, &len);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(len, session->line.len + 8 * (size_t)count);
    ck_assert_msg(memcmp(bytes + session->line.len, v, count * 4) == 0 &&
                      memcmp(bytes + session->line.len + count * 4, times, count * 4) == 0,
                  "%s: other rows", wish->text);
    free(bytes);
    session_done(session);
}

static void play(uint64_t seed, bool small)
{
    struct dice dice = dice_new(seed);
    struct helper *helper = helper_new(2, &(struct cpu_list){ .count = 0 });
    struct wish wish;

    memset(fakes, 0, sizeof(fakes));
    begin_both(files_config(), small, helper);
    if (small)
        a.config->max_mapped = b.config->max_mapped = 5;
    for (unsigned d = 0; d < DAYS; d++)
        replace_day(&dice, d);
    for (unsigned round = 0; round < 120; round++) {
        change(&dice);
        later(1000 + dice_roll(&dice, 2) * dice_roll(&dice, 40000));
        for (unsigned i = 0; i < 6; i++) {
            make_wish(&dice, &wish);
            compare(dice_roll(&dice, 2) ? &a : &b, &wish);
            if (dice_roll(&dice, 3) == 0)
                session_later(dice_roll(&dice, 2) ? &a : &b, 0);
        }
        later(dice_roll(&dice, 1500));
    }
    end_both();
    helper_free(helper);
}

START_TEST(facts_of_random_days)
{
    quiet();
    for (uint64_t seed = 1; seed <= 6; seed++)
        play(seed, false);
}
END_TEST

START_TEST(facts_of_random_days_with_little_room)
{
    quiet();
    for (uint64_t seed = 11; seed <= 16; seed++)
        play(seed, true);
}
END_TEST

UNIT("facts", facts_are_adopted, facts_of_fences_are_adopted,
     facts_of_another_file_are_not_adopted, facts_of_a_file_that_grew_are_extended,
     facts_of_a_file_that_shrank_are_not_adopted, facts_of_a_series_are_adopted,
     facts_are_trusted_for_so_long, facts_of_absence, facts_of_another_root_are_not_adopted,
     facts_of_disorder_have_no_fences, facts_of_a_day_that_is_cut_off,
     facts_without_room_for_names, facts_of_many_columns, facts_of_random_days,
     facts_of_random_days_with_little_room)
