#include "unit.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/date.h"
#include "dice.h"
#include "http/send.h"
#include "session.h"

/* Take bytes off the batches, never more than ${most} at once; returns how many there were. */
static size_t pull(struct send *send, char *to, size_t room, struct dice *dice, unsigned most,
                   enum send_state *last)
{
    size_t at = 0;

    while ((*last = send_next(send, 512 << 10)) == SEND_MORE) {
        size_t taken = most == 0 ? room : 1 + dice_roll(dice, most), left = taken;

        MUST(send->count > 0 || send->file.len > 0);
        MUST(send->first + send->count <= LOOP_SEND_MAX);
        MUST(send->begun || at == 0);
        for (int i = send->first; i < send->first + send->count && left > 0; i++) {
            size_t len = send->iov[i].iov_len < left ? send->iov[i].iov_len : left;

            MUST(send->iov[i].iov_len > 0);
            MUST(at + len <= room);
            memcpy(to + at, send->iov[i].iov_base, len);
            at += len;
            left -= len;
        }
        size_t len = send->file.len < left ? send->file.len : left;
        MUST(at + len <= room);
        if (len > 0 && pread(send->file.fd, to + at, len, send->file.at) != (ssize_t)len)
            return at; /* where sendfile says that nothing is left */
        at += len;
        send_sent(send, taken - left + len);
    }
    return at;
}

static const struct {
    const char *head, *body, *tail;
} memory[] = {
    { "head", "body", "tail" }, { "head", "body", "" }, { "head", NULL, "" },
    { "head", NULL, "tail" },   { "head", "", "tail" }, { "h", "", "" },
};

START_TEST(send_of_memory)
{
    struct dice dice = dice_new(1);

    for (size_t i = 0; i < COUNT_OF(memory); i++) {
        for (unsigned most = 0; most < 14; most++) {
            char expected[64], got[64];
            const char *text = memory[i].body;
            struct body body;
            struct send send;
            enum send_state last;

            snprintf(expected, sizeof(expected), "%s%s%s", memory[i].head,
                     text == NULL ? "" : text, memory[i].tail);
            body_of(&body, slice_of(text == NULL ? "not to be sent" : text));
            send_begin(&send, slice_of(memory[i].head), text == NULL ? NULL : &body,
                       slice_of(memory[i].tail));
            size_t len = pull(&send, got, sizeof(got), &dice, most, &last);
            ck_assert_int_eq(last, SEND_DONE);
            ck_assert(slice_is((struct slice){ got, len }, expected));
            ck_assert_int_eq(send_next(&send, 512 << 10), SEND_DONE);
        }
    }
}
END_TEST

#define ROWS 9000
#define QUERY_OF(columns)                                                                      \
    "exchange=ex&symbol=SYM&type=MD&columns=" columns "&start=0&end=4294967295"
#define QUERY "exchange=ex&symbol=SYM&type=MD&columns=id,time,price&start=0&end=4294967295"

static void write_days(int days)
{
    static uint32_t times[ROWS];
    static uint64_t ids[ROWS];

    for (int d = 0; d < days; d++) {
        for (unsigned i = 0; i < ROWS; i++) {
            times[i] = (20089 + (uint32_t)d) * DATE_SECONDS + i;
            ids[i] = i * UINT64_C(1000003) + (unsigned)d;
        }
        files_write(files_column(FILES_SERIES, "time", 20089 + d), times, sizeof(times));
        files_write(files_column(FILES_SERIES, "price", 20089 + d), times, sizeof(times));
        files_write(files_column(FILES_SERIES, "id", 20089 + d), ids, sizeof(ids));
    }
}

/* However little a client takes at once, it gets the same bytes. */
START_TEST(send_in_any_portions)
{
    static const char *const queries[] = { QUERY, QUERY "&max_points=7000", QUERY "&limit=1",
                                           QUERY "&tail=8999" };
    struct dice dice = dice_new(2);
    struct session session;
    struct config *config = files_config();

    write_days(12);
    session_begin(&session, config);
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        size_t len;

        ck_assert_int_eq(session_query(&session, queries[i]), 0);
        char *bytes = session_body(&session, &len);
        char *got = malloc(len + 8);
        session_done(&session);
        for (unsigned round = 0; round < 12; round++) {
            static const unsigned portions[] = { 0, 1000000, 50000, 3000, 700, 100 };
            struct send send;
            enum send_state last;

            ck_assert_int_eq(session_query(&session, queries[i]), 0);
            send_begin(&send, SLICE("HEAD"), &session.body, SLICE("TAIL"));
            size_t all = pull(&send, got, len + 8, &dice, portions[round % 6], &last);
            ck_assert_int_eq(last, SEND_DONE);
            ck_assert_uint_eq(all, len + 8);
            ck_assert(memcmp(got, "HEAD", 4) == 0);
            ck_assert(memcmp(got + 4, bytes, len) == 0);
            ck_assert(memcmp(got + 4 + len, "TAIL", 4) == 0);
            session_done(&session);
        }
        free(bytes);
        free(got);
    }
    session_end(&session);
}
END_TEST

/* What cannot be had as promised is said before the first byte, or when it is found out. */
START_TEST(send_breaks_off)
{
    static char got[12 * ROWS * 16 + 4096];
    struct dice dice = dice_new(3);
    struct session session;
    struct config *config = files_config();
    struct send send;
    enum send_state last;

    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    write_days(12);
    session_begin(&session, config);
    ck_assert_int_eq(session_query(&session, QUERY), 0);
    send_begin(&send, SLICE("HEAD"), &session.body, SLICE("TAIL"));
    ck_assert_int_eq(send_next(&send, 512 << 10), SEND_MORE);
    send_sent(&send, 4);
    /* The very last rows go, whose bytes are still to come. */
    files_truncate(files_column(FILES_SERIES, "price", 20100), ROWS * 4 - 8);
    pull(&send, got, sizeof(got), &dice, 0, &last);
    ck_assert_int_eq(last, SEND_BROKEN);
    ck_assert(send.begun);
    session_done(&session);

    /* A stride is copied before anything is sent. */
    ck_assert_int_eq(session_query(&session, QUERY "&max_points=100"), -1);
    session_done(&session);
    session_later(&session, 5000);
    files_append(files_column(FILES_SERIES, "price", 20100), "12345678", 8);
    files_touch(files_column(FILES_SERIES, "price", 20100), FILES_WALL - 7200);
    ck_assert_int_eq(session_query(&session, QUERY "&max_points=100"), 0);
    files_truncate(files_column(FILES_SERIES, "id", 20089), 0);
    send_begin(&send, SLICE("HEAD"), &session.body, SLICE("TAIL"));
    ck_assert_int_eq(send_next(&send, 512 << 10), SEND_BROKEN);
    ck_assert(!send.begun);
    session_end(&session);
}
END_TEST

#define MANY (3 * ((512 << 10) / 4 + 1) + 100) /* the last batch is a small one */

/* What is large is sent from its file, with what comes before it in memory. */
START_TEST(send_from_files)
{
    static uint32_t rows[MANY];
    static char got[3 * sizeof(rows)];
    struct dice dice = dice_new(4);
    struct session session;
    struct config *config = files_config();
    const char *price = FILES_SERIES "/price.01.01.25.bin";
    struct send send;
    enum send_state last;

    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    for (unsigned i = 0; i < MANY; i++)
        rows[i] = 20089 * DATE_SECONDS + i / 5;
    files_write(files_column(FILES_SERIES, "time", 20089), rows, sizeof(rows));
    for (unsigned i = 0; i < MANY; i++)
        rows[i] = i * 2654435761U;
    files_write(price, rows, sizeof(rows));
    session_begin(&session, config);

    /* Replaced under us: the old bytes, in whatever portions. */
    for (unsigned most = 0; most < 300000; most += 100000) {
        files_write(price, rows, sizeof(rows));
        session_later(&session, 5000);
        ck_assert_int_eq(session_query(&session, QUERY_OF("price,time")), 0);
        send_begin(&send, SLICE("HEAD"), &session.body, SLICE("TAIL"));
        ck_assert_int_eq(send_next(&send, 512 << 10), SEND_MORE);
        ck_assert_int_eq(send.count, 2);
        ck_assert_uint_ge(send.file.len, 1);
        files_write(price, "other", 5);
        size_t len = pull(&send, got, sizeof(got), &dice, most, &last);
        ck_assert_int_eq(last, SEND_DONE);
        ck_assert_uint_eq(len, session.body.length + 8);
        ck_assert(memcmp(got + 4 + session.line.len, rows, sizeof(rows)) == 0);
        ck_assert(memcmp(got + len - 4, "TAIL", 4) == 0);
        session_done(&session);
    }

    /* Cut off under us: within what is under way, and in bytes that have left. */
    for (unsigned keep = 0; keep <= 12; keep += 6) {
        files_write(price, rows, sizeof(rows));
        session_later(&session, 5000);
        ck_assert_int_eq(session_query(&session, QUERY_OF("price")), 0);
        send_begin(&send, SLICE("HEAD"), &session.body, SLICE("TAIL"));
        ck_assert_int_eq(send_next(&send, 512 << 10), SEND_MORE);
        files_truncate(price, keep * 100000);
        pull(&send, got, sizeof(got), &dice, 0, &last);
        ck_assert_int_ne(last, SEND_DONE);
        session_done(&session);
    }
    session_end(&session);
}
END_TEST

UNIT("send", send_of_memory, send_in_any_portions, send_breaks_off, send_from_files)
