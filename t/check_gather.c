#include "unit.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/date.h"
#include "base/log.h"
#include "session.h"

/* What a query finds where days are missing, damaged, live, or change. */

#define DAY 20089 /* 2025-01-01 */
#define WHOLE "&start=0&end=4294967295"

static struct session session;

/* ${rows} rows of one column: seconds of the day's noon, or numbers. */
static void write_column(const char *column, int32_t day, unsigned rows)
{
    static uint32_t values[1000];

    for (unsigned i = 0; i < rows; i++)
        values[i] = strcmp(column, "time") == 0 ? (uint32_t)day * DATE_SECONDS + 43200 + i : i;
    files_write(files_column(FILES_SERIES, column, day), values, rows * 4);
}

static void write_day(int32_t day, unsigned rows)
{
    write_column("bid", day, rows);
    write_column("ask", day, rows);
    write_column("time", day, rows);
}

static void begin(void)
{
    struct config *config = files_config();

    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    files_set(config, "default_exchange", "ex");
    for (int32_t day = DAY; day < DAY + 5; day++)
        write_day(day, 100);
    session_begin(&session, config);
}

/* The rows that a query gives, and its days. */
static uint64_t ask(const char *parameters, unsigned days)
{
    char text[512];

    session_done(&session);
    snprintf(text, sizeof(text), "symbol=SYM&type=MD&%s", parameters);
    ck_assert_msg(session_query(&session, text) == 0, "%s: %s", text, session.failure.reason);
    ck_assert_uint_eq(session.plan.rows_in_range, session.gather.rows);
    ck_assert_uint_eq(session.gather.day_count, days);

    /* All of it can be had. */
    size_t len;
    uint64_t rows = session.plan.rows;
    char *bytes = session_body(&session, &len);
    ck_assert_ptr_nonnull(bytes);
    free(bytes);
    return rows;
}

static void refuse(const char *parameters, int status, const char *parameter,
                   const char *reason)
{
    char text[512];

    session_done(&session);
    snprintf(text, sizeof(text), "symbol=SYM&type=MD&%s", parameters);
    ck_assert_msg(session_query(&session, text) == -1, "%s", text);
    ck_assert_int_eq(session.failure.status, status);
    ck_assert_str_eq(session.failure.parameter, parameter);
    ck_assert_msg(strstr(session.failure.reason, reason) != NULL, "%s", session.failure.reason);
    ck_assert_ptr_null(strstr(session.failure.reason, files_root()));
}

START_TEST(gather_names_what_is_not_there)
{
    begin();
    refuse("columns=none" WHOLE, 404, "columns", "'none' does not exist in ex/SYM/MD");
    refuse("columns=bid&exchange=no" WHOLE, 404, "exchange", "'no'");
    session_done(&session);
    ck_assert_int_eq(session_query(&session, "symbol=NO&type=MD&columns=bid" WHOLE), -1);
    ck_assert_int_eq(session.failure.status, 404);
    ck_assert_str_eq(session.failure.parameter, "symbol");
    session_done(&session);
    ck_assert_int_eq(session_query(&session, "symbol=SYM&type=NO&columns=bid" WHOLE), -1);
    ck_assert_int_eq(session.failure.status, 404);
    ck_assert_str_eq(session.failure.parameter, "type");

    /* Nothing there at all is another matter: a disk that is not mounted. */
    session_done(&session);
    files_rename("ex", "../gone.tickd-check");
    session_later(&session, 5000);
    refuse("columns=bid" WHOLE, 503, "", "data directory");
    files_rename("../gone.tickd-check", "ex");
    session_later(&session, 5000);
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 5), 500);
    session_end(&session);
}
END_TEST

START_TEST(gather_looks_at_days_that_exist)
{
    char text[128];

    begin();
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 5), 500);
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-02&end=2025-01-03", 2), 200);
    ck_assert_uint_eq(ask("columns=bid&start=2024-01-02&end=2024-12-31", 0), 0);
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-02T12:00:10Z&end=2025-01-02T12:00:19Z", 1),
                      10);
    snprintf(text, sizeof(text), "columns=bid&start=%d&end=%d", DAY * DATE_SECONDS + 43299,
             (DAY + 1) * DATE_SECONDS + 43200);
    ck_assert_uint_eq(ask(text, 2), 2);
    /* Seconds of the day before and after, in this day's file. */
    uint32_t late[2] = { (DAY + 7) * DATE_SECONDS - 1, (DAY + 8) * DATE_SECONDS };
    files_write(files_column(FILES_SERIES, "bid", DAY + 7), late, 8);
    files_write(files_column(FILES_SERIES, "time", DAY + 7), late, 8);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-07&end=2025-01-07", 1), 1);
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-08&end=2025-01-08", 0), 0);
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-09&end=2025-01-09", 1), 1);

    /* Only days with files count against the limit. */
    files_set(session.config, "max_days", "2");
    refuse("columns=bid" WHOLE, 400, "start", "2 days");
    ck_assert_uint_eq(ask("columns=bid&start=0&end=2025-01-02", 2), 200);
    session_end(&session);
}
END_TEST

/* A closed day that lacks a column, or has columns of unequal length. */
START_TEST(gather_handles_damage)
{
    begin();
    files_remove(files_column(FILES_SERIES, "ask", DAY + 1));
    write_column("ask", DAY + 3, 60);
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 5), 500); /* not asked for: no matter */
    ck_assert_uint_eq(ask("columns=ask&start=2025-01-03&end=2025-01-03", 1), 100);
    refuse("columns=bid,ask&start=2025-01-02&end=2025-01-02", 500, "",
           "ex/SYM/MD/ask.02.01.25.bin");
    refuse("columns=bid,ask&start=2025-01-04&end=2025-01-04", 500, "",
           "ex/SYM/MD/ask.04.01.25.bin");
    refuse("columns=bid,ask" WHOLE, 500, "", "ask.02.01.25.bin");

    ck_assert_uint_eq(ask("columns=bid,ask&missing=skip" WHOLE, 3), 300);
    ck_assert_uint_eq(session.gather.skipped_count, 2);
    ck_assert(memmem(session.line.at, session.line.len,
                     "\"skipped_days\":[\"2025-01-02\",\"2025-01-04\"]", 42) != NULL);
    ck_assert_uint_eq(ask("columns=bid,ask&missing=prefix" WHOLE, 4), 360);
    ck_assert_uint_eq(session.gather.skipped_count, 0);
    /* Without a row in the range nobody notices. */
    ck_assert_uint_eq(ask("columns=ask&start=2025-01-02T00:00:00Z&end=2025-01-02T01:00:00Z", 0),
                      0);

    /* A partial record at the end is none. */
    files_write(files_column(FILES_SERIES, "ask", DAY + 1), "12", 2);
    files_append(files_column(FILES_SERIES, "bid", DAY + 4), "x", 1);
    files_touch(files_column(FILES_SERIES, "bid", DAY + 4), FILES_WALL - 3600);
    session_later(&session, 5000);
    refuse("columns=ask&start=2025-01-02&end=2025-01-02", 500, "", "0 rows");
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-05&end=2025-01-05", 1), 100);

    /* The default is the configuration's. */
    files_set(session.config, "missing", "skip");
    ck_assert_uint_eq(ask("columns=bid,ask" WHOLE, 3), 300);
    session_end(&session);
}
END_TEST

/* Today: what all columns have so far. */
START_TEST(gather_of_a_live_day)
{
    char text[128];

    begin();
    write_column("time", FILES_TODAY, 50);
    snprintf(text, sizeof(text), "columns=time,bid&start=%lld&end=4294967295",
             (long long)FILES_TODAY * DATE_SECONDS);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask(text, 0), 0); /* a column that is not there yet */
    write_column("bid", FILES_TODAY, 30);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask(text, 1), 30);
    ck_assert(session.gather.days[0].live);

    /* Rows arrive at once, without a look at the paths: half a record, then the rest. */
    const uint32_t more[3] = { 1, 2, 3 };
    files_append(files_column(FILES_SERIES, "bid", FILES_TODAY), more, 10);
    ck_assert_uint_eq(ask(text, 1), 32);
    files_append(files_column(FILES_SERIES, "bid", FILES_TODAY), (const char *)more + 10, 2);
    ck_assert_uint_eq(ask(text, 1), 33);
    uint32_t times[2] = { FILES_TODAY * DATE_SECONDS + 43250,
                          FILES_TODAY * DATE_SECONDS + 43251 };
    files_append(files_column(FILES_SERIES, "time", FILES_TODAY), times, 8);
    ck_assert_uint_eq(ask(text, 1), 33);
    static const uint32_t many[100];
    files_append(files_column(FILES_SERIES, "bid", FILES_TODAY), many, sizeof(many));
    ck_assert_uint_eq(ask(text, 1), 52);
    session_end(&session);
}
END_TEST

/* Yesterday, in its grace; and any day whose files have just changed. */
START_TEST(gather_knows_what_is_live)
{
    char text[128];

    begin();
    write_column("bid", FILES_TODAY - 1, 30);
    write_column("time", FILES_TODAY - 1, 40);
    snprintf(text, sizeof(text), "columns=bid&start=%lld&end=4294967295",
             (long long)(FILES_TODAY - 1) * DATE_SECONDS);
    session_later(&session, 5000);
    refuse(text, 500, "", "30 rows"); /* at noon it is closed */
    session.wall = FILES_TODAY * (int64_t)DATE_SECONDS + 899;
    session.now += 5000;
    store_begin(session.store, session.now, session.wall);
    files_touch(files_column(FILES_SERIES, "bid", FILES_TODAY - 1), FILES_WALL - 90000);
    files_touch(files_column(FILES_SERIES, "time", FILES_TODAY - 1), FILES_WALL - 90000);
    ck_assert_uint_eq(ask(text, 1), 30);
    session.wall++;
    session.now += 5000;
    store_begin(session.store, session.now, session.wall);
    refuse(text, 500, "", "30 rows");

    /* Changed within a minute. */
    files_touch(files_column(FILES_SERIES, "bid", FILES_TODAY - 1), session.wall - 30);
    session.now += 5000;
    store_begin(session.store, session.now, session.wall);
    ck_assert_uint_eq(ask(text, 1), 30);
    session_end(&session);
}
END_TEST

/* Days come, go, and are replaced: at the latest when what is known was trusted long enough. */
START_TEST(gather_follows_the_disk)
{
    begin();
    ck_assert_uint_eq(ask("columns=bid,ask" WHOLE, 5), 500);
    write_day(DAY + 5, 100);
    session_later(&session, 1000);
    ck_assert_uint_eq(ask("columns=bid,ask" WHOLE, 6), 600);
    files_remove(files_column(FILES_SERIES, "time", DAY));
    session_later(&session, 1000);
    ck_assert_uint_eq(ask("columns=bid,ask" WHOLE, 5), 500);

    /* As tickload replaces a day: time goes first, and comes last. */
    files_remove(files_column(FILES_SERIES, "time", DAY + 2));
    write_column("bid", DAY + 2, 7);
    session_later(&session, 1000);
    ck_assert_uint_eq(ask("columns=bid,ask" WHOLE, 4), 400);
    write_column("ask", DAY + 2, 7);
    write_column("time", DAY + 2, 7);
    session_later(&session, 1000);
    ck_assert_uint_eq(ask("columns=bid,ask" WHOLE, 5), 407);

    /* A new column, and another directory in the series' place. */
    for (int32_t day = DAY + 1; day < DAY + 6; day++)
        write_column("new", day, day == DAY + 2 ? 7 : 100);
    session_later(&session, 1000);
    ck_assert_uint_eq(ask("columns=new" WHOLE, 5), 407);
    files_rename("ex/SYM/MD", "ex/SYM/OLD");
    session_later(&session, 1000);
    refuse("columns=bid" WHOLE, 404, "type", "'MD'");
    write_day(DAY + 9, 11);
    session_later(&session, 1000);
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 1), 11);
    refuse("columns=new" WHOLE, 404, "columns", "'new'");
    session_end(&session);
}
END_TEST

/* A directory whose modification time is set back when something was put into it, as by rsync.
 */
START_TEST(gather_of_a_directory_set_back)
{
    begin();
    files_touch(FILES_SERIES, FILES_WALL - 5000);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 5), 500);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 5), 500);
    ck_assert(!session.gather.series->dirty);
    write_day(DAY + 5, 100);
    files_touch(FILES_SERIES, FILES_WALL - 5000);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 6), 600);
    session_end(&session);
}
END_TEST

START_TEST(gather_of_odd_files)
{
    begin();
    /* Names that are none of ours are passed over. */
    files_write(FILES_SERIES "/bid.32.01.25.bin", "1234", 4);
    files_write(FILES_SERIES "/README", "1234", 4);
    files_write(FILES_SERIES "/.hid.01.01.25.bin", "1234", 4);
    files_write(FILES_SERIES "/alone.01.02.25.bin", "1234", 4);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask("columns=bid" WHOLE, 5), 500);

    files_folder(files_column(FILES_SERIES, "time", DAY + 20));
    files_link("/etc/passwd", files_column(FILES_SERIES, "time", DAY + 30));
    files_write(files_column(FILES_SERIES, "time", DAY + 40), "", 0);
    files_write(files_column(FILES_SERIES, "time", DAY + 41), "123", 3);
    session_later(&session, 5000);
    refuse("columns=bid&start=2025-01-21&end=2025-01-21", 500, "", "time.21.01.25.bin is not");
    refuse("columns=bid&start=2025-01-31&end=2025-01-31", 500, "",
           "time.31.01.25.bin is a link");
    ck_assert_uint_eq(ask("columns=bid&start=2025-02-09&end=2025-03-01", 0), 0);
    session_end(&session);
}
END_TEST

START_TEST(gather_may_refuse_disorder)
{
    uint32_t times[3] = { DAY * DATE_SECONDS + 5, DAY * DATE_SECONDS + 4,
                          DAY * DATE_SECONDS + 6 };

    begin();
    files_write(files_column(FILES_SERIES, "bid", DAY), times, 12);
    files_write(files_column(FILES_SERIES, "time", DAY), times, 12);
    session_later(&session, 5000);
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-01&end=2025-01-01", 1), 3);
    files_set(session.config, "unsorted", "error");
    refuse("columns=bid&start=2025-01-01&end=2025-01-01", 500, "", "row 1");
    ck_assert_uint_eq(ask("columns=bid&start=2025-01-02&end=2025-01-02", 1), 100);
    session_end(&session);
}
END_TEST

/* Which other days of the series once had it makes no difference. */
START_TEST(gather_misses_a_column_that_is_gone)
{
    begin();
    ask("columns=ask" WHOLE, 5);
    for (int d = 0; d < 5; d++)
        files_remove(files_column(FILES_SERIES, "ask", DAY + d));
    session_later(&session, 5000);
    refuse("columns=ask" WHOLE, 404, "columns", "does not exist");
    session_end(&session);
}
END_TEST

/* What is kept is bounded. */
START_TEST(gather_keeps_few_series)
{
    char text[128];

    begin();
    session_done(&session);
    for (int i = 0; i < 40; i++) {
        char series[64];
        uint32_t second = DAY * DATE_SECONDS;

        snprintf(series, sizeof(series), "ex/S%d/MD", i);
        files_write(files_column(series, "time", DAY), &second, 4);
    }
    session.config->max_series = 10;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++) {
            snprintf(text, sizeof(text), "symbol=S%d&type=MD&columns=time" WHOLE, i);
            ck_assert_int_eq(session_query(&session, text), 0);
            ck_assert_uint_eq(session.plan.rows, 1);
            session_done(&session);
            ck_assert_uint_le(session.store->series.count, 11);
        }
    }
    session_end(&session);
}
END_TEST

/* Answers of clients that read slowly, over more files than may be open: others have theirs all
 * the same. */
START_TEST(gather_leaves_files_to_others)
{
    static struct session sessions[100];
    uint32_t second = DAY * DATE_SECONDS;
    char text[128], series[64];

    begin();
    session_done(&session);
    session.config->max_mapped = 512;
    for (int i = 0; i < 100; i++) {
        snprintf(series, sizeof(series), "ex/S%d/MD", i);
        for (int32_t day = DAY; day < DAY + 25; day++) {
            files_write(files_column(series, "time", day), &second, 4);
            files_write(files_column(series, "a", day), &second, 4);
        }
        sessions[i] = session;
        arena_init(&sessions[i].arena, 4096);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "symbol=S%d&type=MD&columns=time,a" WHOLE, i);
        ck_assert_int_eq(session_query(&sessions[i], text), 0);
        ck_assert_uint_eq(sessions[i].plan.rows, 25);
        ck_assert_uint_le(session.store->files_open, 512 + 64);
    }
    for (int i = 0; i < 100; i++) {
        session_done(&sessions[i]);
        arena_free(&sessions[i].arena);
    }
    session_end(&session);
}
END_TEST

/* Whether a query over more days than one step looks at goes on after its first step. */
static bool is_begun(void)
{
    session_done(&session);
    session.failure = (struct failure){ 0 };
    ck_assert_int_eq(query_parse(&session.query, SLICE("symbol=SYM&type=MD&columns=bid" WHOLE),
                                 session.config, &session.arena, &session.failure),
                     0);
    gather_begin(&session.gather, session.store, &session.query, (struct waker){ NULL, NULL },
                 &session.failure);
    return gather_step(&session.gather, &session.arena) == GATHER_MORE;
}

static enum gather_state rest(void)
{
    enum gather_state state;

    do {
        state = gather_step(&session.gather, &session.arena);
    } while (state == GATHER_MORE);
    return state;
}

/* A disk that is gone in the middle is not one without days, and days of two disks are no
 * answer. */
START_TEST(gather_keeps_to_one_root)
{
    char away[256], other[256];

    begin();
    for (int32_t day = DAY; day < DAY + 100; day++)
        write_day(day, 2);
    session_later(&session, 5000);
    snprintf(away, sizeof(away), "%s.away", files_root());
    snprintf(other, sizeof(other), "%s.other", files_root());

    ck_assert(is_begun());
    ck_assert_int_eq(rename(files_root(), away), 0);
    session_later(&session, 5000);
    ck_assert_int_eq(rest(), GATHER_FAILED);
    ck_assert_int_eq(session.failure.status, 503);
    ck_assert_ptr_nonnull(strstr(session.failure.reason, "data directory"));

    ck_assert_int_eq(mkdir(files_root(), 0755), 0);
    for (int32_t day = DAY; day < DAY + 100; day++)
        write_day(day, 3);
    session_later(&session, 5000);
    ck_assert(is_begun());
    ck_assert_int_eq(rename(files_root(), other), 0);
    ck_assert_int_eq(rename(away, files_root()), 0);
    session_later(&session, 5000);
    ck_assert_int_eq(rest(), GATHER_DONE);
    ck_assert_uint_eq(session.gather.day_count, 100);
    ck_assert_uint_eq(session.gather.rows, 200);
    ck_assert_int_eq(session.failure.status, 0);
    session_end(&session);
    snprintf(away, sizeof(away), "%s/other", files_root());
    ck_assert_int_eq(rename(other, away), 0); /* to be removed with it */
}
END_TEST

UNIT("gather", gather_names_what_is_not_there, gather_looks_at_days_that_exist,
     gather_handles_damage, gather_of_a_live_day, gather_knows_what_is_live,
     gather_follows_the_disk, gather_of_a_directory_set_back, gather_of_odd_files,
     gather_may_refuse_disorder, gather_misses_a_column_that_is_gone, gather_keeps_few_series,
     gather_leaves_files_to_others, gather_keeps_to_one_root)
