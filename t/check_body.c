#include "unit.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/date.h"
#include "base/log.h"
#include "dice.h"
#include "session.h"
#include "system/helper.h"

/*
 * The query path over real files, from the parameters to the last byte, against an oracle that
 * knows nothing but the rows it wrote itself.
 */

#define DAYS 60
#define ROWS 4000

static const struct {
    const char *name, *type;
    size_t size;
} columns[] = {
    { "time", "u32", 4 },   { "nanos", "u32", 4 },
    { "a", "u8", 1 },       { "b", "i16", 2 },
    { "price", "f32", 4 },  { "id", "u64", 8 },
    { "f", "f64", 8 },      { "maker_order_id", "bytes16", 16 },
    { "odd", "bytes7", 7 }, { "big", "bytes300", 300 },
};

#define COLUMNS (sizeof(columns) / sizeof(*columns))

static struct fake_day {
    bool exists;
    unsigned rows;
    uint32_t times[ROWS], nanos[ROWS];
} fakes[DAYS];

static int32_t first_day; /* of fakes */
static unsigned fake_count;

/* A record of any column but time and nanos. */
static void record(unsigned day, unsigned row, unsigned column, char *to)
{
    uint64_t mixed = (day * UINT64_C(100003) + row) * UINT64_C(0x9e3779b97f4a7c15) + column;

    if (column == 0) {
        memcpy(to, &fakes[day].times[row], 4);
    } else if (column == 1) {
        memcpy(to, &fakes[day].nanos[row], 4);
    } else {
        for (size_t i = 0; i < columns[column].size; i++) {
            mixed = mixed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            to[i] = (char)(mixed >> 56);
        }
    }
}

static void make_times(struct dice *dice, struct fake_day *fake, uint32_t midnight)
{
    bool unsorted = dice_roll(dice, 4) == 0;
    unsigned dense = 1 + dice_roll(dice, 5);
    uint32_t second = midnight + dice_roll(dice, 80000);

    for (unsigned i = 0; i < fake->rows; i++) {
        if (dice_roll(dice, dense) == 0 && second < midnight + DATE_SECONDS - 1)
            second++;
        fake->times[i] = second;
        fake->nanos[i] = i > 0 && fake->times[i - 1] == second && dice_roll(dice, 20)
                             ? fake->nanos[i - 1] + dice_roll(dice, 1000)
                             : dice_roll(dice, 100000);
        if (unsorted && dice_roll(dice, 30) == 0)
            fake->times[i] -= dice_roll(dice, 300);
    }
}

static void write_day(unsigned d)
{
    static char bytes[ROWS * 300 + 8];

    for (unsigned c = 0; c < COLUMNS; c++) {
        size_t size = columns[c].size, len = fakes[d].rows * size;

        for (unsigned row = 0; row < fakes[d].rows; row++)
            record(d, row, c, bytes + row * size);
        memset(bytes + len, 0x55, 8); /* sometimes a partial record */
        files_write(files_column(FILES_SERIES, columns[c].name, first_day + (int32_t)d), bytes,
                    len + (d % 5 == 0 && size > 1 ? size / 2 : 0));
    }
}

static void make_days(struct dice *dice, unsigned count, unsigned most)
{
    fake_count = count;
    first_day = 20089 + (int32_t)dice_roll(dice, 50);
    for (unsigned d = 0; d < count; d++) {
        struct fake_day *fake = &fakes[d];

        fake->exists = d == 0 || dice_roll(dice, 6) > 0;
        fake->rows = dice_roll(dice, 8) == 0 ? dice_roll(dice, 2) : dice_roll(dice, most);
        if (!fake->exists)
            fake->rows = 0;
        make_times(dice, fake, (uint32_t)(first_day + (int32_t)d) * DATE_SECONDS);
        if (fake->exists)
            write_day(d);
    }
}

static struct config *make_config(void)
{
    struct config *config = files_config();

    files_set(config, "default_exchange", "ex");
    files_set(config, "type", "*/*/a:u8");
    files_set(config, "type", "*/*/b:i16");
    files_set(config, "type", "*/*/f:f64");
    files_set(config, "type", "*/*/odd:bytes7");
    files_set(config, "type", "*/*/big:bytes300");
    return config;
}

/* What a test asks for, in words and in numbers. */
struct wish {
    char text[1024];
    uint64_t start, end; /* nanoseconds, inclusive */
    uint64_t limit, tail, max_points;
    unsigned count, picks[COLUMNS];
};

static uint64_t some_second(struct dice *dice)
{
    unsigned d = dice_roll(dice, fake_count);

    switch (dice_roll(dice, 12)) {
    case 0:
        return 0;
    case 1:
        return UINT32_MAX;
    case 2:
        return (uint64_t)(first_day + (int32_t)d) * DATE_SECONDS - dice_roll(dice, 2);
    }
    if (fakes[d].rows == 0)
        return (uint64_t)(first_day + (int32_t)d) * DATE_SECONDS + 5000;
    return fakes[d].times[dice_roll(dice, fakes[d].rows)] + dice_roll(dice, 3) - 1;
}

/* A bound with decimals or without. */
static int put_bound(struct dice *dice, char *to, size_t size, const char *name, bool is_end,
                     uint64_t second, uint64_t *moment)
{
    char iso[11];

    if (dice_roll(dice, 3)) {
        *moment = second * 1000000000 + (is_end ? 999999999 : 0);
        return snprintf(to, size, "&%s=%llu", name, (unsigned long long)second);
    }
    unsigned nano = dice_roll(dice, 110000), day = (unsigned)(second / DATE_SECONDS);
    unsigned rest = (unsigned)(second % DATE_SECONDS);
    *moment = second * 1000000000 + nano;
    return snprintf(to, size, "&%s=%sT%02u:%02u:%02u.%09uZ", name, date_iso((int32_t)day, iso),
                    rest / 3600, rest / 60 % 60, rest % 60, nano);
}

static void make_wish(struct dice *dice, struct wish *wish)
{
    size_t at;
    uint64_t bounds[2];

    *wish = (struct wish){ 0 };
    at = (size_t)snprintf(wish->text, sizeof(wish->text), "symbol=SYM&type=MD&columns=");
    unsigned used = 0, want = 1 + dice_roll(dice, COLUMNS);
    while (wish->count < want) {
        unsigned c = dice_roll(dice, COLUMNS);

        if (used & 1U << c)
            continue;
        used |= 1U << c;
        wish->picks[wish->count] = c;
        at += (size_t)snprintf(wish->text + at, sizeof(wish->text) - at, "%s%s",
                               wish->count > 0 ? "," : "", columns[c].name);
        wish->count++;
    }
    do {
        size_t from = at;

        bounds[0] = some_second(dice);
        bounds[1] = some_second(dice);
        from += (size_t)put_bound(dice, wish->text + from, sizeof(wish->text) - from, "start",
                                  false, bounds[0], &wish->start);
        from += (size_t)put_bound(dice, wish->text + from, sizeof(wish->text) - from, "end",
                                  true, bounds[1], &wish->end);
        used = (unsigned)from;
    } while (wish->start > wish->end);
    at = used;

    uint64_t amount = 1 + dice_roll(dice, dice_roll(dice, 2) ? 20 : 20000);
    const char *name = NULL;
    switch (dice_roll(dice, 5)) {
    case 0:
        wish->limit = amount;
        name = "limit";
        break;
    case 1:
        wish->tail = amount;
        name = "tail";
        break;
    case 2:
    case 3:
        wish->max_points = amount;
        name = "max_points";
        break;
    }
    if (name != NULL)
        snprintf(wish->text + at, sizeof(wish->text) - at, "&%s=%llu", name,
                 (unsigned long long)amount);
}

struct row {
    unsigned day, row;
};

static struct row rows[DAYS * ROWS];

static unsigned fulfil(const struct wish *wish, unsigned *in_range)
{
    unsigned all = 0, kept = 0;

    for (unsigned d = 0; d < fake_count; d++) {
        for (unsigned i = 0; i < fakes[d].rows; i++) {
            uint64_t at = (uint64_t)fakes[d].times[i] * 1000000000 + fakes[d].nanos[i];

            if (at >= wish->start && at <= wish->end)
                rows[all++] = (struct row){ d, i };
        }
    }
    *in_range = all;
    uint64_t stride =
        wish->max_points == 0 || all == 0 ? 1 : (all + wish->max_points - 1) / wish->max_points;
    for (unsigned i = 0; i < all; i++) {
        if ((wish->limit == 0 || i < wish->limit) &&
            (wish->tail == 0 || all - i <= wish->tail) && i % stride == 0)
            rows[kept++] = rows[i];
    }
    return kept;
}

/* The whole answer, from the rows; to be freed. */
static char *expected(const struct wish *wish, size_t *len)
{
    unsigned in_range, count = fulfil(wish, &in_range);
    size_t room = 8192, offset = 0, at;
    char *bytes;

    for (unsigned i = 0; i < wish->count; i++)
        room += count * columns[wish->picks[i]].size;
    bytes = malloc(room);
    at =
        (size_t)sprintf(bytes,
                        "{\"version\":1,\"exchange\":\"ex\",\"symbol\":\"SYM\",\"type\":\"MD\","
                        "\"rows_in_range\":%u,\"skipped_days\":[],\"columns\":[",
                        in_range);
    for (unsigned i = 0; i < wish->count; i++) {
        size_t size = columns[wish->picks[i]].size;

        at += (size_t)sprintf(bytes + at,
                              "%s{\"name\":\"%s\",\"type\":\"%s\",\"record_size\":%zu,"
                              "\"num_records\":%u,\"data_length\":%zu,\"offset\":%zu}",
                              i > 0 ? "," : "", columns[wish->picks[i]].name,
                              columns[wish->picks[i]].type, size, count, size * count, offset);
        offset += size * count;
    }
    at += (size_t)sprintf(bytes + at, "]}");
    while (at % 64 != 63)
        bytes[at++] = ' ';
    bytes[at++] = '\n';
    for (unsigned i = 0; i < wish->count; i++) {
        for (unsigned r = 0; r < count; r++) {
            record(rows[r].day, rows[r].row, wish->picks[i], bytes + at);
            at += columns[wish->picks[i]].size;
        }
    }
    *len = at;
    return bytes;
}

static void count_wake(void *arg)
{
    ++*(int *)arg;
}

/* Cut off bytes at both ends of the body: those from ${at} on and before ${len} are left. */
static void cut_body(struct session *session, struct dice *dice, size_t *at, size_t *len)
{
    size_t whole = *len, line = session->line.len;

    switch (dice_roll(dice, 4)) {
    case 0:
        *at = dice_roll(dice, (unsigned)whole);
        break;
    case 1:
        *at = whole - 1 - dice_roll(dice, whole < 400 ? (unsigned)whole : 400);
        break;
    case 2:
        *at = line < whole ? line : 0; /* just behind the line */
        break;
    }
    if (dice_roll(dice, 3))
        *len = *at + 1 + dice_roll(dice, (unsigned)(whole - *at));
    if (dice_roll(dice, 3) == 0 && *len - *at > 20)
        *len = *at + 1 + dice_roll(dice, 20);
    body_cut(&session->body, *at, *len);
    MUST(session->body.length == *len - *at);
}

/* What is said of the file that a piece is better sent from. */
static void check_file(const struct piece *piece)
{
    char *bytes = malloc(piece->len);

    if (piece->fd >= 0) {
        MUST(pread(piece->fd, bytes, piece->len, piece->offset) == (ssize_t)piece->len);
        MUST(memcmp(bytes, piece->at, piece->len) == 0);
    }
    free(bytes);
}

/* Take the body in batches of any shape, and compare. */
static void check_body(struct session *session, struct dice *dice, const struct wish *wish)
{
    size_t len, at = 0;
    char *bytes = expected(wish, &len);
    int count, woken = 0;

    if (session->body.length != len)
        ck_abort_msg("%s: %llu bytes, expected %zu", wish->text,
                     (unsigned long long)session->body.length, len);
    if (dice_roll(dice, 2))
        cut_body(session, dice, &at, &len);
    do {
        struct piece pieces[64];
        int most = 1 + (int)dice_roll(dice, dice_roll(dice, 2) ? 3 : 63);
        uint64_t quota = 1 + dice_roll(dice, dice_roll(dice, 2) ? 5000 : 600000);
        uint64_t batch = 0;

        enum body_state state;

        body_wakes(&session->body, (struct waker){ count_wake, &woken });
        while ((state = body_next(&session->body, pieces, most, quota, &count)) == BODY_WAIT)
            MUST(helper_wait(session->store->helper));
        MUST(state == (count > 0 ? BODY_PIECES : BODY_END) && count <= most);
        for (int i = 0; i < count; i++) {
            MUST(pieces[i].len > 0);
            MUST(pieces[i].len <= len - at);
            if (memcmp(pieces[i].at, bytes + at, pieces[i].len) != 0)
                ck_abort_msg("%s: other bytes from %zu on", wish->text, at);
            check_file(&pieces[i]);
            at += pieces[i].len;
            batch += pieces[i].len;
        }
        MUST(batch <= quota + 70000); /* "about" */
        MUST(body_whole(&session->body));
        body_sent(&session->body);
    } while (count > 0);
    MUST(at == len);
    free(bytes);
}

static void ask(struct session *session, struct dice *dice, unsigned rounds)
{
    struct wish wish;

    for (unsigned round = 0; round < rounds; round++) {
        make_wish(dice, &wish);
        if (session_query(session, wish.text))
            ck_abort_msg("%s: %s", wish.text, session->failure.reason);
        MUST(session->line.len % 64 == 0);
        check_body(session, dice, &wish);
        session_done(session);
        if (dice_roll(dice, 3) == 0)
            session_later(session, dice_roll(dice, 3000));
    }
}

START_TEST(body_is_what_was_written)
{
    struct dice dice = dice_new(1);
    struct session session;

    log_set_level(LOG_LEVEL_WARN);
    for (unsigned root = 0; root < 12; root++) {
        struct config *config = make_config();

        make_days(&dice, 1 + dice_roll(&dice, 7), root % 3 == 0 ? 20 : 400);
        session_begin(&session, config);
        ask(&session, &dice, 100);
        session_end(&session);
    }
}
END_TEST

/* Days of more rows than are copied or sent at once. */
START_TEST(body_of_long_days)
{
    struct dice dice = dice_new(2);
    struct session session;
    struct config *config = make_config();

    log_set_level(LOG_LEVEL_WARN);
    make_days(&dice, 4, ROWS);
    session_begin(&session, config);
    ask(&session, &dice, 60);
    session_end(&session);
}
END_TEST

/* More files than an answer holds: the others are opened again when their turn comes. */
START_TEST(body_of_many_files)
{
    struct dice dice = dice_new(3);
    struct session session;
    struct config *config = make_config();

    log_set_level(LOG_LEVEL_WARN);
    make_days(&dice, DAYS, 40);
    session_begin(&session, config);
    ask(&session, &dice, 150);
    session_end(&session);
}
END_TEST

/* Room for fewer files than the days have. */
START_TEST(body_with_few_files_open)
{
    struct dice dice = dice_new(4);
    struct session session;
    struct config *config = make_config();

    log_set_level(LOG_LEVEL_WARN);
    files_set(config, "max_mapped", "64");
    make_days(&dice, DAYS, 40);
    session_begin(&session, config);
    ask(&session, &dice, 100);
    /* No more than one answer needs for the days of a batch. */
    MUST(session.store->files_open <= 64 + 64 * 3);
    session_end(&session);
}
END_TEST

/* Room for less address space than the days take. */
START_TEST(body_with_few_bytes_mapped)
{
    struct dice dice = dice_new(5);
    struct session session;
    struct config *config = make_config();

    log_set_level(LOG_LEVEL_WARN);
    make_days(&dice, DAYS, 40);
    files_set(config, "max_mapped_bytes", "1m");
    files_set(config, "live_window", "1d"); /* so that each is mapped with room to grow */
    session_begin(&session, config);
    ask(&session, &dice, 100);
    MUST(session.store->bytes_mapped > 1 << 20 && session.store->days.count < DAYS / 2);
    session_end(&session);
}
END_TEST

/* Nothing in memory: the bytes are waited for, and are the same. */
START_TEST(body_of_cold_files)
{
    struct dice dice = dice_new(6);
    struct cpu_list anywhere = { 0 };
    struct session session;
    struct config *config = make_config();

    log_set_level(LOG_LEVEL_WARN);
    make_days(&dice, 12, ROWS);
    session_begin(&session, config);
    session.store->helper = helper_new(3, &anywhere);
    ck_assert_ptr_nonnull(session.store->helper);
    for (unsigned round = 0; round < 30; round++) {
        lru_clear(&session.store->days); /* what was seen is forgotten with them */
        for (unsigned d = 0; d < fake_count; d++) {
            for (unsigned c = 0; fakes[d].exists && c < COLUMNS; c++)
                files_chill(
                    files_column(FILES_SERIES, columns[c].name, first_day + (int32_t)d));
        }
        ask(&session, &dice, 1);
    }

    /* Who goes while he waits is not woken, and the job has its file until it has run. */
    lru_clear(&session.store->days);
    ck_assert_int_eq(
        session_query(&session, "symbol=SYM&type=MD&columns=big&start=0&end=4294967295"), 0);
    for (unsigned d = 0; d < fake_count; d++) {
        if (fakes[d].exists)
            files_chill(files_column(FILES_SERIES, "big", first_day + (int32_t)d));
    }
    int woken = 0, count;
    struct piece pieces[8];
    body_wakes(&session.body, (struct waker){ count_wake, &woken });
    ck_assert_int_eq(body_next(&session.body, pieces, 8, 100000, &count), BODY_WAIT);
    ck_assert_uint_gt(session.store->warming, 0);
    session_done(&session);
    lru_clear(&session.store->days);
    while (helper_wait(session.store->helper))
        ;
    ck_assert_int_eq(woken, 0);
    ck_assert_uint_eq(session.store->warming, 0);
    helper_free(session.store->helper);
    session.store->helper = NULL;
    session_end(&session);
}
END_TEST

/* Only memory, as errors are. */
START_TEST(body_of_memory)
{
    struct body body;
    struct piece pieces[2];
    int count;

    body_of(&body, SLICE("hello"));
    body_cut(&body, 1, 4);
    ck_assert_uint_eq(body.length, 3);
    ck_assert_int_eq(body_next(&body, pieces, 2, 1, &count), BODY_PIECES);
    ck_assert(slice_is((struct slice){ pieces[0].at, pieces[0].len }, "ell"));
    ck_assert_int_eq(body_next(&body, pieces, 2, 1, &count), BODY_END);

    /* The same, of a file. */
    body_of_file(&body, SLICE("hello"), 7, 100);
    body_cut(&body, 1, 4);
    ck_assert_int_eq(body_next(&body, pieces, 2, 1, &count), BODY_PIECES);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(pieces[0].fd, 7);
    ck_assert_int_eq(pieces[0].offset, 101);
    ck_assert_uint_eq(pieces[0].len, 3);
    ck_assert_int_eq(body_next(&body, pieces, 2, 1, &count), BODY_END);

    body_of(&body, SLICE("hello"));
    ck_assert_uint_eq(body.length, 5);
    ck_assert_int_eq(body_next(&body, pieces, 2, 1, &count), BODY_PIECES);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(pieces[0].fd, -1);
    ck_assert(slice_is((struct slice){ pieces[0].at, pieces[0].len }, "hello"));
    ck_assert(body_whole(&body));
    body_sent(&body);
    ck_assert_int_eq(body_next(&body, pieces, 2, 1, &count), BODY_END);
    body_end(&body);
    body_of(&body, (struct slice){ NULL, 0 });
    ck_assert_int_eq(body_next(&body, pieces, 2, 1, &count), BODY_END);
    body_end(&body);
    memset(&body, 0, sizeof(body));
    body_end(&body);
}
END_TEST

static const char everything[] = "symbol=SYM&type=MD&columns=id,time,a&start=0&end=4294967295";

/* Two queries over whole days: one that holds its files, one that has to open them again. */
static void begin_whole(struct session *session, unsigned days)
{
    struct dice dice = dice_new(5);
    struct config *config = make_config();

    log_set_level(LOG_LEVEL_ERROR);
    freopen("/dev/null", "w", stderr);
    fake_count = days;
    first_day = 20089;
    for (unsigned d = 0; d < days; d++) {
        fakes[d].exists = true;
        fakes[d].rows = 3000;
        make_times(&dice, &fakes[d], (uint32_t)(first_day + (int32_t)d) * DATE_SECONDS);
        write_day(d);
    }
    session_begin(session, config);
}

/* A file that was replaced: whoever holds the old one goes on with it; whoever does not, ends
 * short. Never a mixture. */
START_TEST(body_of_replaced_files)
{
    struct session session;
    size_t len;

    begin_whole(&session, 3);
    ck_assert_int_eq(session_query(&session, everything), 0);
    fakes[1].rows = 10;
    files_remove(files_column(FILES_SERIES, "time", first_day + 1));
    write_day(1);
    char *bytes = session_body(&session, &len);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(len, session.line.len + 9000 * 13);
    fakes[1].rows = 3000;
    for (unsigned i = 0; i < 9000; i++) {
        char own[8];

        record(i / 3000, i % 3000, 5, own);
        MUST(memcmp(bytes + session.line.len + i * 8, own, 8) == 0);
    }
    free(bytes);
    session_done(&session);
    session_end(&session);

    begin_whole(&session, 40);
    ck_assert_int_eq(session_query(&session, everything), 0);
    fakes[38].rows = 10;
    files_remove(files_column(FILES_SERIES, "time", first_day + 38));
    write_day(38);
    session_later(&session, 2000);
    ck_assert_ptr_null(session_body(&session, &len));
    session_done(&session);
    ck_assert_int_eq(session_query(&session, everything), 0); /* the next one is well */
    bytes = session_body(&session, &len);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(len, session.line.len + (39 * 3000 + 10) * 13);
    free(bytes);
    session_end(&session);
}
END_TEST

/* A file cut off in place: a short answer, no crash, and the next one tells what there is. */
START_TEST(body_of_files_cut_off)
{
    static const char *const ways[] = {
        "",                 /* handed out where it is mapped */
        "&max_points=1000", /* copied */
    };
    struct session session;
    size_t len;
    char text[200];

    for (unsigned days = 3; days <= 40; days += 37) {
        for (size_t way = 0; way < COUNT_OF(ways); way++) {
            for (size_t cut = 0; cut <= 2; cut++) {
                begin_whole(&session, days);
                snprintf(text, sizeof(text), "%s%s", everything, ways[way]);
                ck_assert_int_eq(session_query(&session, text), 0);
                /* By a page, by a row, to nothing. */
                files_truncate(files_column(FILES_SERIES, "id", first_day + (int32_t)days - 1),
                               cut == 0   ? 0
                               : cut == 1 ? 4096
                                          : 23992);
                ck_assert_ptr_null(session_body(&session, &len));
                session_done(&session);
                session_later(&session, 2000);
                ck_assert_int_eq(session_query(&session, text), -1);
                ck_assert_int_eq(session.failure.status, 500);
                ck_assert_ptr_nonnull(strstr(session.failure.reason, "/id."));
                session_end(&session);
            }
        }
    }
}
END_TEST

/* In the middle of a batch. */
START_TEST(body_ended_early)
{
    struct session session;
    struct piece pieces[8];
    int count;

    begin_whole(&session, 5);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(session_query(&session, everything), 0);
        for (int j = 0; j < i; j++)
            ck_assert_int_eq(body_next(&session.body, pieces, 8, 10000, &count), BODY_PIECES);
        session_done(&session);
    }
    session_end(&session);
}
END_TEST

UNIT("body", body_is_what_was_written, body_of_long_days, body_of_many_files,
     body_with_few_files_open, body_with_few_bytes_mapped, body_of_cold_files, body_of_memory,
     body_of_replaced_files, body_of_files_cut_off, body_ended_early)
