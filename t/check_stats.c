#include "unit.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "dice.h"
#include "system/stats.h"

#define WORKERS 3
#define ROWS (WORKERS + 2)
#define PAST (ROWS - 1)

static struct segment *segment;
static struct stats_row rows[ROWS], total;

static void set_up(void)
{
    size_t bytes[SEGMENT_SECTIONS] = { [SEGMENT_STATS] = stats_bytes(WORKERS) };

    segment = segment_create(bytes);
    ck_assert_ptr_nonnull(segment);
    stats_create(segment);
}

static void tear_down(void)
{
    stats_detach();
    segment_free(segment);
}

static void look(void)
{
    MUST(stats_read(segment, rows));
    stats_sum(rows, ROWS, &total);
}

START_TEST(stats_bounds_are_what_is_promised)
{
    bool millisecond = false;

    ck_assert_uint_eq(stats_bounds[0], 10 * 1000);
    ck_assert_uint_eq(stats_bounds[STATS_BOUNDS - 1], UINT64_C(10000000000));
    for (int i = 0; i < STATS_BOUNDS; i++) {
        ck_assert(i == 0 || stats_bounds[i] > stats_bounds[i - 1]);
        millisecond |= stats_bounds[i] == 1000000;
    }
    ck_assert(millisecond);
}
END_TEST

START_TEST(stats_durations_find_their_buckets)
{
    uint64_t sum = 0;

    set_up();
    for (unsigned i = 0; i < STATS_BOUNDS; i++) {
        stats_time(STATS_answer_time, stats_bounds[i]);
        stats_time(STATS_answer_time, stats_bounds[i] + 1);
        sum += 2 * stats_bounds[i] + 1;
    }
    stats_time(STATS_answer_time, 0);
    look();
    const struct stats_durations *durations = &total.durations[STATS_answer_time];
    ck_assert_uint_eq(durations->sum, sum);
    for (unsigned i = 0; i < STATS_BUCKETS; i++)
        ck_assert_uint_eq(durations->buckets[i], i == STATS_BOUNDS ? 1 : 2);
    ck_assert_uint_eq(stats_count(durations), 2 * STATS_BOUNDS + 1);
    ck_assert_uint_eq(stats_count(&total.durations[STATS_turn_time]), 0);
    tear_down();
}
END_TEST

START_TEST(stats_quantiles_are_bounds)
{
    struct stats_durations durations = { 0 };

    ck_assert_int_eq(stats_quantile(&durations, 0.5), -1);
    durations.buckets[3] = 98;
    durations.buckets[7] = 1;
    durations.buckets[STATS_BOUNDS] = 1;
    ck_assert_int_eq(stats_quantile(&durations, 0), 0);
    ck_assert_int_eq(stats_quantile(&durations, 0.01), 3);
    ck_assert_int_eq(stats_quantile(&durations, 0.98), 3);
    ck_assert_int_eq(stats_quantile(&durations, 0.99), 7);
    ck_assert_int_eq(stats_quantile(&durations, 1), STATS_BOUNDS);
}
END_TEST

START_TEST(stats_answers_have_bounded_labels)
{
    static const int strange[] = { 0, -1, 99, 299, 418, 511, 512, 1 << 30 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(strange); i++)
        stats_answered(STATS_ENDPOINT_health, REQUEST_GET, strange[i]);
    stats_answered(STATS_ENDPOINT_health, REQUEST_GET, 200);
    stats_answered(STATS_ENDPOINT_other, REQUEST_OTHER, 505);
    look();
    ck_assert_uint_eq(total.answers[STATS_ENDPOINT_health][REQUEST_GET][STATS_CODE_other],
                      COUNT_OF(strange));
    ck_assert_uint_eq(total.answers[STATS_ENDPOINT_health][REQUEST_GET][STATS_CODE_200], 1);
    ck_assert_uint_eq(total.answers[STATS_ENDPOINT_other][REQUEST_OTHER][STATS_CODE_505], 1);
    ck_assert_str_eq(stats_codes[STATS_CODE_505], "505");
    ck_assert_str_eq(stats_codes[STATS_CODE_other], "other");
    ck_assert_str_eq(stats_methods[REQUEST_HEAD], "HEAD");
    ck_assert_str_eq(stats_endpoints[STATS_ENDPOINT_data], "data");
    tear_down();
}
END_TEST

/* A worker that counts what it is told, and ends. */
static pid_t work(unsigned id, unsigned slot, unsigned count)
{
    pid_t pid = fork();

    if (pid == 0) {
        stats_attach(segment, id, slot);
        for (unsigned i = 0; i < count; i++) {
            stats_add(STATS_requests, 1);
            stats_add(STATS_requests_active, 1);
            stats_time(STATS_answer_time, 15000);
            stats_answered(STATS_ENDPOINT_data, REQUEST_HEAD, i % 2 ? 200 : 404);
        }
        stats_set(STATS_connections, count);
        stats_subtract(STATS_requests_active, count / 2);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    return pid;
}

START_TEST(stats_rows_have_owners)
{
    int64_t now = clock_wall();

    set_up();
    ck_assert_uint_eq(stats_rows(segment), ROWS);
    ck_assert(stats_fits(segment));
    pid_t pid = work(2, 7, 10);
    stats_add(STATS_restarts, 1);
    look();
    ck_assert_uint_eq(rows[0].kind, STATS_MASTER);
    ck_assert_uint_eq(rows[0].pid, (uint64_t)getpid());
    ck_assert_uint_eq(rows[0].counters[STATS_restarts], 1);
    ck_assert_uint_eq(rows[1].kind, STATS_FREE);
    ck_assert_uint_eq(rows[2].kind, STATS_WORKER);
    ck_assert_uint_eq(rows[2].pid, (uint64_t)pid);
    ck_assert_uint_eq(rows[2].slot, 7);
    ck_assert(rows[2].born + 1 >= (uint64_t)now && rows[2].born <= (uint64_t)now + 60);
    ck_assert_uint_eq(rows[2].counters[STATS_requests], 10);
    ck_assert_uint_eq(rows[2].counters[STATS_requests_active], 5);
    ck_assert_uint_eq(rows[PAST].kind, STATS_PAST);

    stats_detach();
    stats_add(STATS_restarts, 1); /* where nobody sees it */
    look();
    ck_assert_uint_eq(total.counters[STATS_restarts], 1);
    tear_down();
}
END_TEST

START_TEST(stats_fold_keeps_what_was_counted)
{
    static const struct stats_row empty;

    set_up();
    for (unsigned round = 1; round <= 3; round++) {
        work(1, 0, 10);
        work(2, 1, 4);
        look();
        ck_assert_uint_eq(total.counters[STATS_requests], 14 * round);
        ck_assert_uint_eq(total.counters[STATS_connections], 14);
        stats_fold(segment, 1);
        look();
        ck_assert_mem_eq(&rows[1], &empty, sizeof(empty));
        ck_assert_uint_eq(total.counters[STATS_requests], 14 * round);
        ck_assert_uint_eq(total.counters[STATS_connections], 4);
        ck_assert_uint_eq(total.counters[STATS_requests_active], 2);
        ck_assert_uint_eq(stats_count(&total.durations[STATS_answer_time]), 14 * round);
        ck_assert_uint_eq(total.durations[STATS_answer_time].sum, 14 * 15000 * round);
        ck_assert_uint_eq(total.answers[STATS_ENDPOINT_data][REQUEST_HEAD][STATS_CODE_200],
                          7 * round);
        ck_assert_uint_eq(total.answers[STATS_ENDPOINT_data][REQUEST_HEAD][STATS_CODE_404],
                          7 * round);
        stats_fold(segment, 2);
        stats_fold(segment, 3); /* it never came to take its row */
        look();
        ck_assert_uint_eq(rows[PAST].counters[STATS_requests], 14 * round);
        ck_assert_uint_eq(total.counters[STATS_connections], 0);
    }
    tear_down();
}
END_TEST

/* Of a server whose workers come and go all the time, the totals never go backwards. */
START_TEST(stats_sums_never_go_back)
{
    uint64_t last = 0, folds = 0, sure = 0;

    set_up();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (true) {
            stats_attach(segment, 2, 0);
            stats_add(STATS_requests, 1000000);
            stats_add(STATS_bytes_sent, 1);
            stats_fold(segment, 2);
        }
    }
    uint64_t deadline = clock_ms() + 500;
    while (clock_ms() < deadline || folds < 100 || sure < 100) {
        MUST(clock_ms() < deadline + 60000);
        if (!stats_read(segment, rows))
            continue;
        sure++;
        stats_sum(rows, ROWS, &total);
        MUST(total.counters[STATS_requests] >= last);
        last = total.counters[STATS_requests];
        folds = rows[PAST].counters[STATS_bytes_sent];
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tear_down();
}
END_TEST

/* A master that was killed in the middle of a fold must not stop readers. */
START_TEST(stats_read_gives_up)
{
    set_up();
    stats_add(STATS_requests, 5);
    ((uint64_t *)segment_at(segment, SEGMENT_STATS))[1] |= 1; /* the sequence */
    ck_assert(!stats_read(segment, rows));
    stats_sum(rows, ROWS, &total);
    ck_assert_uint_eq(total.counters[STATS_requests], 5);
    tear_down();
}
END_TEST

START_TEST(stats_of_another_make_do_not_fit)
{
    set_up();
    ck_assert(stats_fits(segment));
    ((uint64_t *)segment_at(segment, SEGMENT_STATS))[0] ^= 1; /* the shape */
    ck_assert(!stats_fits(segment));
    tear_down();
}
END_TEST

UNIT("stats", stats_bounds_are_what_is_promised, stats_durations_find_their_buckets,
     stats_quantiles_are_bounds, stats_answers_have_bounded_labels, stats_rows_have_owners,
     stats_fold_keeps_what_was_counted, stats_sums_never_go_back, stats_read_gives_up,
     stats_of_another_make_do_not_fit)
