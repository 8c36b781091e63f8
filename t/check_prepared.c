#include "unit.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/route.h"
#include "base/date.h"
#include "base/guard.h"
#include "base/log.h"
#include "dice.h"
#include "session.h"
#include "system/helper.h"

/*
 * Queries that are asked again, beside the same ones asked of the same store as if they were
 * new: both must be answered alike, whatever happens to the files.
 */

#define DAY 20089 /* 2025-01-01 */
#define DAYS 8
#define ROWS 400

static struct session session;
static struct api kept, plain; /* on the same store; one keeps nothing */
static struct answer answer;

static const struct {
    const char *name;
    size_t size;
} columns[] = { { "price", 4 }, { "flag", 1 }, { "id", 8 }, { "nanos", 4 }, { "time", 4 } };

#define TIME 4 /* its place in them: written last */

static char bytes[COUNT_OF(columns)][ROWS * 8];

/* A day of ${rows} rows from its 1000th second on, two a second, of noise from ${seed}. Days
 * that are odd step back, and each has a row of the day behind it. */
static void write_day(int32_t day, unsigned rows, uint64_t seed)
{
    struct dice dice = { seed };
    uint32_t second = (uint32_t)day * DATE_SECONDS + 1000;

    for (unsigned i = 0; i < rows; i++) {
        uint32_t time = second + i / 2 - (day % 2 != 0 && i % 50 == 49 ? 20 : 0);
        uint32_t nanos = (i & 1) * 500000000 + dice_roll(&dice, 500000000);

        if (i + 1 == rows)
            time = second - 1000 + DATE_SECONDS + 5;
        memcpy(bytes[TIME] + (size_t)i * 4, &time, 4);
        memcpy(bytes[3] + (size_t)i * 4, &nanos, 4);
    }
    for (unsigned c = 0; c < 3; c++)
        dice_fill(&dice, bytes[c], rows * columns[c].size);
    for (unsigned c = 0; c < COUNT_OF(columns); c++)
        files_write(files_column(FILES_SERIES, columns[c].name, day), bytes[c],
                    rows * columns[c].size);
}

static void begin_with(const char *revalidate, const char *answer_cache, const char *name,
                       const char *value)
{
    struct config *config = files_config();

    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    files_set(config, "default_exchange", "ex");
    files_set(config, "type", "*/*/flag:u8");
    files_set(config, "revalidate", revalidate);
    files_set(config, "answer_cache", answer_cache);
    if (name != NULL)
        files_set(config, name, value);
    for (int32_t day = DAY; day < DAY + DAYS; day++)
        write_day(day, ROWS, (uint64_t)day);
    session_begin(&session, config);
    kept = plain = (struct api){ .config = config, .store = session.store };
    kept.prepared = prepared_new(session.store, config->answer_cache);
    plain.prepared = prepared_new(session.store, 0);
    ck_assert(kept.prepared != NULL && plain.prepared != NULL);
    answer_init(&answer, 4096);
}

static void begin(const char *revalidate)
{
    begin_with(revalidate, "4m", NULL, NULL);
}

static void end(void)
{
    answer_free(&answer);
    prepared_free(kept.prepared);
    prepared_free(plain.prepared);
    session_end(&session);
}

/* --- Asking */

static void forget_wake(void *arg)
{
    (void)arg;
}

static void open_answer(struct api *api, struct answer *to, const char *text)
{
    struct request request = { .path = SLICE("/api/data"), .query = slice_of(text) };

    to->waker = (struct waker){ forget_wake, NULL };
    enum answer_state state = route_begin(api, &request, to);
    while (state != ANSWER_READY) {
        if (state == ANSWER_WAIT)
            MUST(helper_wait(session.store->helper));
        state = route_more(api, to);
    }
    body_wakes(&to->body, to->waker);
}

struct copy {
    char *to;
    struct piece piece;
};

static void copy_piece(void *arg)
{
    struct copy *copy = arg;

    memcpy(copy->to, copy->piece.at, copy->piece.len);
}

/* Up to ${most} pieces more of a body, to ${to}; the bytes that came. BODY_END, or _BROKEN. */
static enum body_state read_more(struct body *body, char *to, size_t *len, int most)
{
    struct piece pieces[8];
    enum body_state state;
    int count;

    for (; most > 0; most--) {
        while ((state = body_next(body, pieces, 8, 5000, &count)) == BODY_WAIT)
            MUST(helper_wait(session.store->helper));
        if (state != BODY_PIECES)
            return state;
        for (int i = 0; i < count; i++) {
            struct copy copy = { to + *len, pieces[i] };
            if (guard_run(copy_piece, &copy))
                return BODY_BROKEN;
            *len += pieces[i].len;
        }
        bool whole = body_whole(body);
        body_sent(body);
        if (!whole)
            return BODY_BROKEN;
    }
    return BODY_PIECES;
}

/* All that is to be seen of an answer. */
struct seen {
    int status;
    bool reused, chunked, closed, broken;
    uint64_t hash, rows;
    int64_t modified;
    char *bytes;
    size_t len;
};

static struct seen take(struct answer *from)
{
    struct seen seen = { .status = from->status, .reused = from->prepared != NULL };

    seen.bytes = malloc(from->body.length + 1);
    if (seen.status == 200) {
        seen.chunked = from->chunked;
        seen.closed = from->tag.closed;
        seen.hash = from->tag.hash;
        seen.modified = from->tag.modified;
        seen.rows = from->plan.rows;
    }
    uint64_t length = from->body.length;
    seen.broken = read_more(&from->body, seen.bytes, &seen.len, INT32_MAX) == BODY_BROKEN;
    MUST(seen.broken || seen.len == length);
    return seen;
}

static struct seen ask(struct api *api, const char *text)
{
    answer_clear(&answer);
    open_answer(api, &answer, text);
    struct seen seen = take(&answer);
    answer_clear(&answer);
    return seen;
}

static bool is_same(const struct seen *a, const struct seen *b)
{
    return a->status == b->status && a->chunked == b->chunked && a->closed == b->closed &&
           a->hash == b->hash && a->modified == b->modified && a->rows == b->rows &&
           a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Ask the one that keeps answers and the one that does not; returns whether the answer was one
 * that was kept. */
static bool compare(const char *text)
{
    struct seen a = ask(&kept, text), b = ask(&plain, text);

    if (a.broken || b.broken)
        ck_abort_msg("%s: %s breaks off", text, a.broken ? "the one asked again" : "the other");
    if (b.reused || !is_same(&a, &b))
        ck_abort_msg("%s: %s%d %.300s\nbut anew %d %.300s", text, a.reused ? "again " : "",
                     a.status, a.bytes, b.status, b.bytes);
    free(a.bytes);
    free(b.bytes);
    return a.reused;
}

/* Ask until an answer has to be one that was kept. */
static void settle(const char *text)
{
    for (int i = 0; i < 2; i++)
        MUST(!compare(text));
    if (!compare(text))
        ck_abort_msg("%s: is not kept", text);
}

/* The same where it may have been kept before. */
static void settle_again(const char *text)
{
    for (int i = 0; i < 2; i++)
        compare(text);
    if (!compare(text))
        ck_abort_msg("%s: is not kept", text);
}

/* ... or never may be. */
static void never(const char *text)
{
    compare(text);
    /* By itself: the other one would look at what is live. */
    for (int i = 0; i < 4; i++) {
        struct seen seen = ask(&kept, text);

        if (seen.reused)
            ck_abort_msg("%s: is kept", text);
        free(seen.bytes);
    }
    if (compare(text))
        ck_abort_msg("%s: is kept", text);
}

#define BASE "symbol=SYM&type=MD&"

/* --- What is kept */

static const char *const texts[] = {
    BASE "columns=time,price&start=2025-01-01&end=2025-01-01",
    BASE "columns=time,price&start=2025-01-01&end=2025-01-01&framing=length",
    BASE "columns=flag,id,price,time,nanos&start=2025-01-01&end=2025-01-08",
    BASE "columns=price&start=2025-01-01&end=2025-01-08&limit=700",
    BASE "columns=price&end=2025-01-08&tail=1100",
    BASE "columns=price,id,flag&start=2025-01-01&end=2025-01-08&max_points=300",
    BASE "columns=price,id,flag&start=2025-01-02&end=2025-01-02&max_points=100&missing=prefix",
    BASE "columns=id&start=2025-01-02T00:17:00.25Z&end=2025-01-04T00:17:30.75Z",
    BASE "columns=id&start=2025-01-02T00:17:00.25Z&end=2025-01-04T00:17:30.75Z&max_points=9",
    BASE "columns=flag&start=2025-01-03T00:00:05Z&end=2025-01-03T00:00:05Z",
    BASE "c%6flumns=price&start=2025-01-03&end=2025-01-03&_=1",
};

START_TEST(prepared_answers_alike)
{
    begin("1h");
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        settle(texts[i]);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ck_assert(compare(texts[i]));
    end();
}
END_TEST

/* Whatever may change without a look at the disk that a query rests on. */
START_TEST(prepared_keeps_no_live_days)
{
    uint32_t today = (uint32_t)FILES_TODAY * DATE_SECONDS;
    uint32_t later = today + 20 * DATE_SECONDS;

    begin("1h");
    never(BASE "columns=price&start=2024-01-01&end=2024-12-30"); /* no rows */
    never(BASE "columns=none&start=2025-01-01&end=2025-01-01");
    never(BASE "columns=price&start=2025-01-02&end=2025-01-01");
    never("");
    files_touch(files_column(FILES_SERIES, "price", DAY + 2), FILES_WALL - 30);
    files_touch(files_column(FILES_SERIES, "time", DAY + 6), FILES_WALL - 30);
    files_write(files_column(FILES_SERIES, "price", FILES_TODAY), &today, 4);
    files_write(files_column(FILES_SERIES, "time", FILES_TODAY), &today, 4);
    files_write(files_column(FILES_SERIES, "price", FILES_TODAY + 20), &later, 4);
    files_write(files_column(FILES_SERIES, "time", FILES_TODAY + 20), &later, 4);
    session_later(&session, 3600000);
    session.wall = FILES_WALL;
    store_begin(session.store, session.now, session.wall);
    never(BASE "columns=price&start=2025-01-03&end=2025-01-03");
    settle(BASE "columns=id&start=2025-01-03&end=2025-01-03");   /* the other column's day */
    never(BASE "columns=price&start=2025-01-06&end=2025-01-06"); /* beside one that is live */
    never(BASE "columns=price&start=2025-06-15&end=2025-06-15");
    never(BASE "columns=price&start=2025-06-14&end=2025-06-14");
    never(BASE "columns=price&start=2025-07-05&end=2025-07-05"); /* which is to come */
    settle(BASE "columns=price&start=2025-01-01&end=2025-01-01");
    end();
}
END_TEST

START_TEST(prepared_keeps_no_damage)
{
    begin("1h");
    files_write(files_column(FILES_SERIES, "price", DAY + 2), bytes[0], 100);
    files_remove(files_column(FILES_SERIES, "flag", DAY + 2));
    never(BASE "columns=price&start=2025-01-03&end=2025-01-03");
    never(BASE "columns=flag&start=2025-01-03&end=2025-01-05&missing=skip");
    settle(BASE "columns=price&start=2025-01-03&end=2025-01-05&missing=prefix");
    settle(BASE "columns=price&start=2025-01-01&end=2025-01-02&missing=skip");
    end();
}
END_TEST

START_TEST(prepared_keeps_nothing_where_it_may_not)
{
    static const char *const refusing[][2] = { { "0", "4m" }, { "1h", "0" }, { "1h", "1k" } };

    for (size_t i = 0; i < COUNT_OF(refusing); i++) {
        begin_with(refusing[i][0], refusing[i][1], NULL, NULL);
        never(texts[0]);
        never(texts[5]);
        end();
    }
}
END_TEST

/* Too much of anything: days, text, picked rows. */
START_TEST(prepared_keeps_nothing_large)
{
    char text[1200];

    begin("1h");
    for (int32_t day = DAY + DAYS; day < DAY + 31; day++)
        write_day(day, 10, 1);
    settle(BASE "columns=price&start=2025-01-01&end=2025-01-31");
    write_day(DAY + 31, 10, 1);
    write_day(DAY + 32, 10, 1);
    session_later(&session, 3600000);
    never(BASE "columns=price&start=2025-01-01&end=2025-02-01"); /* 33 with the one beside it */
    snprintf(text, sizeof(text), "%s&_=%0*d", texts[0], 1024 - 3 - (int)strlen(texts[0]), 7);
    settle(text);
    strcat(text, "7");
    never(text);
    end();
}
END_TEST

/* --- How long */

/* Until "revalidate" has passed since the oldest look, or something is looked at again. */
START_TEST(prepared_grows_stale)
{
    begin("10s");
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        settle(texts[i]);
    write_day(DAY + 2, 300, 7);
    session_later(&session, 9999);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ck_assert(compare(texts[i])); /* nobody knows better */
    session_later(&session, 1);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ck_assert(!compare(texts[i]));
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ck_assert(compare(texts[i]));
    struct seen seen = ask(&kept, BASE "columns=flag&start=2025-01-03&end=2025-01-03");
    ck_assert_uint_eq(seen.rows, 300);
    free(seen.bytes);
    end();
}
END_TEST

/* A day evicted and read again, with rows of the range or without. */
START_TEST(prepared_follows_days)
{
    static const char *const text = BASE "columns=id&start=2025-01-03&end=2025-01-03";

    begin("1h");
    settle(text);
    write_day(DAY + 1, 200, 7);
    ck_assert(compare(text));
    lru_clear(&session.store->days);
    ck_assert(!compare(text));
    ck_assert(compare(text));

    /* The day after it has no rows in the range, until it has. */
    uint32_t early = (DAY + 3) * DATE_SECONDS - 1;
    struct seen before = ask(&kept, text), after;
    for (unsigned c = 0; c < COUNT_OF(columns); c++)
        files_write(files_column(FILES_SERIES, columns[c].name, DAY + 3),
                    c == TIME ? (const char *)&early : "12345678", columns[c].size);
    ck_assert(compare(text));
    lru_evict(&session.store->days); /* it is not held by those who use the answer */
    struct day_mark mark;
    struct series *series = NULL;
    struct lru_entry *entry = session.store->series.ends.newer;
    series = (struct series *)((char *)entry - offsetof(struct series, entry));
    ck_assert(!day_mark(session.store, series, DAY + 3, &mark));
    ck_assert(!compare(text));
    after = ask(&kept, text);
    ck_assert_uint_eq(after.rows, before.rows + 1);
    free(before.bytes);
    free(after.bytes);
    end();
}
END_TEST

/* A day that is not there is looked for each time, also soon after the machine was started. */
START_TEST(prepared_rests_on_no_absent_day)
{
    static const char *const text = BASE "columns=id&start=2025-01-02&end=2025-01-04";

    begin("1h");
    session.now = 1000;
    store_begin(session.store, session.now, FILES_WALL);
    ck_assert(!compare(BASE "columns=id&start=2025-01-08&end=2025-01-08"));
    files_rename(files_column(FILES_SERIES, "time", DAY + 2), "away");
    never(text);
    files_rename("away", files_column(FILES_SERIES, "time", DAY + 2));
    settle_again(text);
    end();
}
END_TEST

/* Looked at within one tick of the clock, because another query took it for damaged. */
START_TEST(prepared_sees_what_others_saw)
{
    static const char *const text = BASE "columns=id&start=2025-01-03&end=2025-01-03";
    const char *price;
    uint64_t id = 9;
    uint32_t time = (DAY + 3) * DATE_SECONDS - 3;

    begin("1h");
    settle(text);
    price = files_column(FILES_SERIES, "price", DAY + 2);
    files_append(price, &id, 4);
    files_touch(price, FILES_WALL - 3600);
    files_append(files_column(FILES_SERIES, "id", DAY + 2), &id, 8);
    files_append(files_column(FILES_SERIES, "time", DAY + 2), &time, 4);
    ck_assert(compare(text));
    free(ask(&plain, BASE "columns=price&start=2025-01-03&end=2025-01-03").bytes);
    ck_assert(!compare(text)); /* it is known to be live now */
    never(text);
    end();
}
END_TEST

/* The wall clock makes days live and closed, and answers closed ones. */
START_TEST(prepared_heeds_the_calendar)
{
    static const char *const text = BASE "columns=price&start=2025-01-01&end=2025-01-08";
    static const struct {
        int64_t wall;
        bool reused, closed;
    } steps[] = {
        { (DAY + 9) * DATE_SECONDS + 899, true, false }, /* the day behind it is live yet */
        { (DAY + 9) * DATE_SECONDS + 900, false, true },
        { (DAY + 10) * DATE_SECONDS + 899, true, true },
        { (DAY + 10) * DATE_SECONDS + 950, false, true },
        { (DAY + 11) * DATE_SECONDS, true, true },
        { (DAY + 10) * DATE_SECONDS + 949, false, true }, /* back */
        { (DAY + 8) * DATE_SECONDS, false, false },       /* its last day is live again */
        { (DAY + 8) * DATE_SECONDS + 1, false, false },
        { (DAY + 12) * DATE_SECONDS, false, true },
    };

    begin("1h");
    for (int32_t day = DAY; day < DAY + DAYS; day++) {
        for (unsigned c = 0; c < COUNT_OF(columns); c++)
            files_touch(files_column(FILES_SERIES, columns[c].name, day), 1700000000);
    }
    store_begin(session.store, session.now, (DAY + 9) * DATE_SECONDS);
    settle(text);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        store_begin(session.store, session.now, steps[i].wall);
        ck_assert_msg(compare(text) == steps[i].reused, "step %zu", i);
        struct seen seen = ask(&kept, text);
        ck_assert_msg(seen.closed == steps[i].closed, "step %zu", i);
        free(seen.bytes);
    }
    end();
}
END_TEST

START_TEST(prepared_goes_with_its_folder)
{
    char root[100], away[120];
    struct seen seen;

    begin("10s");
    session_later(&session, 10000); /* the root is looked at when the days are */
    settle(texts[0]);
    files_rename("ex", "away");
    session_later(&session, 9999);
    ck_assert(compare(texts[0]));
    session_later(&session, 1);
    ck_assert(!compare(texts[0]));
    seen = ask(&kept, texts[0]);
    ck_assert_int_eq(seen.status, 404);
    free(seen.bytes);
    files_rename("away", "ex");

    /* The root as a whole, looked at before its days. */
    session_later(&session, 10000);
    session_later(&session, 1);
    settle_again(texts[2]);
    snprintf(root, sizeof(root), "%s", files_root());
    snprintf(away, sizeof(away), "%s.away", root);
    ck_assert_int_eq(rename(root, away), 0);
    ck_assert_int_eq(mkdir(root, 0755), 0);
    session_later(&session, 9999);
    seen = ask(&kept, texts[2]); /* its days are trusted, their root is not */
    ck_assert_int_eq(seen.status, 503);
    free(seen.bytes);
    ck_assert_int_eq(rmdir(root), 0);
    ck_assert_int_eq(rename(away, root), 0);
    session_later(&session, 10000);
    settle_again(texts[2]);
    end();
}
END_TEST

/* --- In use while they go */

#define READERS 40

/* Slow readers of answers that become old, are asked anew and evicted meanwhile. */
START_TEST(prepared_in_use_stays)
{
    static struct answer readers[READERS];
    static struct seen was[READERS], is[READERS];
    char text[300];

    begin_with("10s", "24k", "max_mapped", "64");
    for (size_t i = 0; i < READERS; i++) {
        const char *query = texts[i % COUNT_OF(texts)];

        answer_init(&readers[i], 4096);
        compare(query);
        compare(query);
        was[i] = ask(&plain, query);
        open_answer(&kept, &readers[i], query);
        is[i].bytes = malloc(readers[i].body.length);
        is[i].reused = readers[i].prepared != NULL;
        read_more(&readers[i].body, is[i].bytes, &is[i].len, (int)(i % 3));
    }
    ck_assert(is[0].reused && is[1].reused);
    for (int32_t day = DAY; day < DAY + DAYS; day++)
        write_day(day, ROWS, 99);
    session_later(&session, 10000);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        compare(texts[i]);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%s&_=%u", texts[i % COUNT_OF(texts)], i);
        compare(text);
        compare(text);
    }
    lru_clear(&session.store->days);
    lru_clear(&session.store->series);
    for (size_t i = 0; i < READERS; i++) {
        if (i % 4 != 3) { /* some go before their time */
            ck_assert_int_eq(read_more(&readers[i].body, is[i].bytes, &is[i].len, INT32_MAX),
                             BODY_END);
            ck_assert_uint_eq(is[i].len, was[i].len);
            ck_assert_mem_eq(is[i].bytes, was[i].bytes, was[i].len);
        }
        answer_free(&readers[i]);
        free(was[i].bytes);
        free(is[i].bytes);
    }
    settle_again(BASE "columns=price&start=2025-01-01&end=2025-01-01&_=last");
    end();
}
END_TEST

/* Room is for those used last, and none of it is ever lost. */
START_TEST(prepared_is_bounded)
{
    struct answer held;
    char text[300];

    begin_with("1h", "10k", NULL, NULL);
    settle(texts[0]);
    answer_init(&held, 4096);
    open_answer(&kept, &held, texts[0]);
    ck_assert_ptr_nonnull(held.prepared);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(text, sizeof(text), "%s%s&_=%u", texts[0], i % 3 == 0 ? "&max_points=50" : "",
                 i);
        for (int again = 0; again < 2; again++)
            free(ask(&kept, text).bytes);
        if (i % 100 == 0) { /* the one in use is not evicted, another is */
            ck_assert(compare(texts[0]));
            lru_clear(&session.store->days);
            MUST(!compare(texts[0])); /* that takes room until nobody uses it */
            answer_clear(&held);
            settle_again(BASE "columns=price&start=2025-01-04&end=2025-01-04");
            settle_again(texts[0]);
            open_answer(&kept, &held, texts[0]);
            ck_assert_ptr_nonnull(held.prepared);
        }
    }
    answer_free(&held);
    end();
}
END_TEST

/* Rows that are not in memory when they are to be picked, beside some that are. */
START_TEST(prepared_of_cold_files)
{
    static const char *const text =
        BASE "columns=price,flag&start=2025-01-02&end=2025-01-04&max_points=40";
    struct cpu_list anywhere = { 0 };

    begin("1h");
    session.store->helper = helper_new(2, &anywhere);
    ck_assert_ptr_nonnull(session.store->helper);
    for (int round = 0; round < 5; round++) {
        lru_clear(&session.store->days);
        free(ask(&kept, BASE "columns=flag&start=2025-01-02&end=2025-01-04").bytes);
        for (int32_t day = DAY; day < DAY + DAYS; day++)
            files_chill(files_column(FILES_SERIES, "price", day));
        /* As HEAD does: nothing is read but what is to be kept. */
        for (int i = 0; i < 3; i++) {
            answer_clear(&answer);
            open_answer(&kept, &answer, text);
            ck_assert_int_eq(answer.status, 200);
        }
        while (session.store->warming > 0)
            ck_assert(helper_wait(session.store->helper));
        compare(text);
        compare(text);
        ck_assert(compare(text));
        session_later(&session, 3600000);
    }
    while (helper_wait(session.store->helper))
        ;
    helper_free(session.store->helper);
    session.store->helper = NULL;
    end();
}
END_TEST

/* --- At random */

static void remove_if_there(const char *path)
{
    char full[300];

    snprintf(full, sizeof(full), "%s/%s", files_root(), path);
    remove(full);
}

static void change(struct dice *dice)
{
    int32_t day = DAY + (int32_t)dice_roll(dice, DAYS);
    unsigned c = dice_roll(dice, COUNT_OF(columns));
    const char *path = files_column(FILES_SERIES, columns[c].name, day);
    uint32_t time = (uint32_t)day * DATE_SECONDS + dice_roll(dice, DATE_SECONDS);
    uint64_t number = dice_bits(dice);

    switch (dice_roll(dice, 8)) {
    case 0:
    case 1:
        write_day(day, 2 + dice_roll(dice, ROWS - 2), dice_bits(dice));
        break;
    case 2:
        remove_if_there(path);
        break;
    case 3: /* one row more, of one column or of all */
        files_append(path, c == TIME ? (void *)&time : &number, columns[c].size);
        break;
    case 4:
        for (c = 0; c < COUNT_OF(columns); c++)
            files_append(files_column(FILES_SERIES, columns[c].name, day),
                         c == TIME ? (void *)&time : &number, columns[c].size);
        break;
    case 5: /* ... as if it were old */
        files_append(path, c == TIME ? (void *)&time : &number, columns[c].size);
        files_touch(path, FILES_WALL - 3600);
        break;
    case 6:
        lru_evict(&session.store->days);
        break;
    default: /* the series goes, where only one may be known */
        free(ask(&plain, "symbol=OTHER&type=MD&columns=time&start=0&end=5").bytes);
    }
}

/* Whatever is done to the files and the clocks, and whoever looked at what before. */
static void wander(uint64_t seed, const char *answer_cache)
{
    struct dice dice = dice_new(seed);
    unsigned reused = 0, anew = 0;
    uint32_t second = 0;

    begin_with("10s", answer_cache, "max_series", "1");
    files_write(files_column("ex/OTHER/MD", "time", DAY), &second, 4);
    for (int i = 0; i < 3000; i++) {
        const char *text = texts[dice_roll(&dice, COUNT_OF(texts))];

        if (dice_roll(&dice, 25) == 0)
            change(&dice);
        if (dice_roll(&dice, 6) == 0)
            session_later(&session, dice_roll(&dice, dice_roll(&dice, 10) == 0 ? 9000 : 300));
        if (dice_roll(&dice, 200) == 0)
            store_begin(session.store, session.now, session.wall - dice_roll(&dice, 7000));
        if (dice_roll(&dice, 3) == 0)
            free(ask(&plain, texts[dice_roll(&dice, COUNT_OF(texts))]).bytes);
        struct seen a = ask(&kept, text), b = ask(&plain, text);
        if (!is_same(&a, &b) || a.broken)
            ck_abort_msg("seed %d, step %d, %s: %s%d %.300s\nbut anew %d %.300s", (int)seed, i,
                         text, a.reused ? "again " : "", a.status, a.bytes, b.status, b.bytes);
        reused += a.reused;
        anew += a.status == 200 && !a.reused;
        free(a.bytes);
        free(b.bytes);
        /* Nothing stays broken. */
        if (a.status != 200 && dice_roll(&dice, 20) == 0) {
            for (int32_t day = DAY; day < DAY + DAYS; day++)
                write_day(day, ROWS, dice_bits(&dice));
        }
    }
    MUST(reused > 200 && anew > 200);
    end();
}

START_TEST(prepared_at_random)
{
    for (uint64_t seed = 0; seed < 4; seed++)
        wander(seed, seed % 2 == 0 ? "4m" : "8k");
}
END_TEST

UNIT("prepared", prepared_answers_alike, prepared_keeps_no_live_days, prepared_keeps_no_damage,
     prepared_keeps_nothing_where_it_may_not, prepared_keeps_nothing_large,
     prepared_grows_stale, prepared_follows_days, prepared_rests_on_no_absent_day,
     prepared_sees_what_others_saw, prepared_heeds_the_calendar, prepared_goes_with_its_folder,
     prepared_in_use_stays, prepared_is_bounded, prepared_of_cold_files, prepared_at_random)
