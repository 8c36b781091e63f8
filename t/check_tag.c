#include "unit.h"

#include <string.h>

#include "base/date.h"
#include "query/raw.h"
#include "query/tag.h"
#include "session.h"

/* Three days of rows, one a second from midnight on, and what their answers' tags are. */

#define ROWS 3000
#define DAY 20089 /* 2025-01-01 */

static struct session session;
static uint32_t bytes[3][2][ROWS + 10]; /* time, price */
static const char *const names[] = { "time", "price" };

static void write_days(void)
{
    for (int d = 0; d < 3; d++) {
        for (int c = 0; c < 2; c++)
            files_write(files_column(FILES_SERIES, names[c], DAY + d), bytes[d][c], ROWS * 4);
    }
}

static void begin(void)
{
    struct config *config = files_config();

    files_set(config, "default_exchange", "ex");
    for (uint32_t d = 0; d < 3; d++) {
        for (uint32_t i = 0; i < ROWS + 10; i++) {
            bytes[d][0][i] = (DAY + d) * DATE_SECONDS + i;
            bytes[d][1][i] = d * 1000003 + i * 7;
        }
    }
    write_days();
    session_begin(&session, config);
}

/* The tag of a query. */
static struct tag ask(const char *more)
{
    char text[200];
    struct tag tag;

    snprintf(text, sizeof(text), "symbol=SYM&type=MD&columns=price&%s", more);
    if (session_query(&session, text))
        ck_abort_msg("%s: %s", text, session.failure.reason);
    tag_begin(&tag, &session.gather, &session.plan, session.line, (struct waker){ NULL, NULL });
    ck_assert_int_eq(tag_step(&tag), TAG_DONE);
    tag_end(&tag);
    session_done(&session);
    session_later(&session, 2000);
    return tag;
}

static uint64_t hash_of(const char *more)
{
    return ask(more).hash;
}

#define ALL "start=2025-01-01&end=2025-01-03"

START_TEST(tag_is_written)
{
    struct tag tag = { .hash = UINT64_C(0x0123456789abcdef) };
    char text[TAG_BYTES + 1] = "";

    tag_write(&tag, text);
    ck_assert_str_eq(text, "\"0123456789abcdef\"");
    tag.hash = UINT64_C(0xfa0);
    tag_write(&tag, text);
    ck_assert_str_eq(text, "\"0000000000000fa0\"");
}
END_TEST

START_TEST(tag_of_closed_days)
{
    static const char *const others[] = {
        "start=2025-01-01&end=2025-01-02",
        "start=2025-01-02&end=2025-01-03",
        ALL "&limit=5",
        ALL "&tail=5",
        ALL "&max_points=100",
        ALL "&limit=6",
    };
    struct tag tag;

    begin();
    tag = ask(ALL);
    ck_assert_int_eq(tag.modified, FILES_WALL - 3600);
    ck_assert(tag.closed);
    ck_assert(hash_of(ALL) == tag.hash);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert_msg(hash_of(others[i]) != tag.hash, "%s", others[i]);

    /* Other files of the same kind are the same; another time is another tag. */
    write_days();
    ck_assert(hash_of(ALL) == tag.hash);
    files_touch(files_column(FILES_SERIES, "price", DAY + 1), FILES_WALL - 1800);
    ck_assert(hash_of(ALL) != tag.hash);
    ck_assert_int_eq(ask(ALL).modified, FILES_WALL - 1800);
    ck_assert(hash_of("start=2025-01-01&end=2025-01-01") ==
              hash_of("start=2025-01-01&end=2025-01-01"));

    /* No files: a tag all the same. */
    tag = ask("start=2020-01-01&end=2020-01-02");
    ck_assert_int_eq(tag.modified, -1);
    ck_assert(!tag.closed);
    session_end(&session);
}
END_TEST

/* ... and nothing later than now. */
START_TEST(tag_of_files_from_the_future)
{
    begin();
    files_touch(files_column(FILES_SERIES, "price", DAY + 1), FILES_WALL + 100000);
    struct tag tag = ask(ALL);
    ck_assert_int_eq(tag.modified, FILES_WALL);
    ck_assert(!tag.closed); /* a day that changes after now is live */
    session_end(&session);
}
END_TEST

static void append_row(int32_t d, uint32_t time, uint32_t price)
{
    files_append(files_column(FILES_SERIES, "price", DAY + d), &price, 4);
    files_append(files_column(FILES_SERIES, "time", DAY + d), &time, 4);
}

START_TEST(tag_of_a_live_day)
{
    static const char *const queries[] = {
        ALL,
        ALL "&tail=10",
        ALL "&max_points=700",
        "start=2025-01-03T00:10:00Z&end=2025-01-03T00:20:00Z",
    };
    uint64_t before[4];
    const uint32_t midnight = (DAY + 2) * DATE_SECONDS;
    const char *path;

    begin();
    uint64_t closed = hash_of(queries[3]);
    append_row(2, midnight + DATE_SECONDS, 1); /* outside of the ranges */
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        before[i] = hash_of(queries[i]);
    ck_assert(before[3] != closed); /* it is known by other facts now */
    ck_assert(!ask(ALL).closed);
    append_row(2, midnight + DATE_SECONDS + 1, 2);
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        ck_assert_msg(hash_of(queries[i]) == before[i], "%s", queries[i]);

    /* Other bytes at the end of what is sent. */
    path = files_column(FILES_SERIES, "price", DAY + 2);
    bytes[2][1][1200]++;
    bytes[2][1][ROWS] = 1;
    bytes[2][1][ROWS + 1] = 2;
    files_write(path, bytes[2][1], (ROWS + 2) * 4);
    files_touch(path, FILES_WALL);
    ck_assert(hash_of(queries[3]) != before[3]);
    bytes[2][1][1200]--;
    files_write(path, bytes[2][1], (ROWS + 2) * 4);
    files_touch(path, FILES_WALL);
    ck_assert(hash_of(queries[3]) == before[3]);

    /* Rows that are picked. */
    append_row(2, midnight + 700, 9);
    uint64_t picked = hash_of(queries[3]);
    ck_assert(picked != before[3]);
    append_row(2, midnight + 5000, 9);
    ck_assert(hash_of(queries[3]) == picked);
    session_end(&session);
}
END_TEST

/* What is not held is opened once more, and says the same. */
START_TEST(tag_of_many_files)
{
    uint64_t hashes[2][2];

    for (int again = 0; again < 2; again++) {
        begin();
        for (int32_t d = 3; d < 80; d++) {
            uint32_t time = (uint32_t)(DAY + d) * DATE_SECONDS;

            files_write(files_column(FILES_SERIES, "price", DAY + d), &time, 4);
            files_write(files_column(FILES_SERIES, "time", DAY + d), &time, 4);
        }
        hashes[again][0] = hash_of("start=2025-01-01&end=2025-05-01");
        append_row(79, (DAY + 79) * DATE_SECONDS + 10, 3);
        append_row(78, (DAY + 78) * DATE_SECONDS + 10, 3);
        hashes[again][1] = hash_of("start=2025-01-01&end=2025-05-01");
        ck_assert(hashes[again][0] != hashes[again][1]);
        session_end(&session);
    }
    ck_assert(hashes[0][0] == hashes[1][0] && hashes[0][1] == hashes[1][1]);
}
END_TEST

/* A file cut off under it. */
START_TEST(tag_of_a_file_cut_off)
{
    struct tag tag;

    begin();
    append_row(2, (DAY + 2) * DATE_SECONDS + ROWS, 1);
    ck_assert_int_eq(session_query(&session, "symbol=SYM&type=MD&columns=price&" ALL), 0);
    files_truncate(files_column(FILES_SERIES, "price", DAY + 2), 0);
    tag_begin(&tag, &session.gather, &session.plan, session.line, (struct waker){ NULL, NULL });
    ck_assert_int_eq(tag_step(&tag), TAG_FAILED);
    tag_end(&tag);
    session_end(&session);
}
END_TEST

UNIT("tag", tag_is_written, tag_of_closed_days, tag_of_files_from_the_future, tag_of_a_live_day,
     tag_of_many_files, tag_of_a_file_cut_off)
