#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "process/roster.h"
#include "system/stats.h"

#define WORKERS 2

static struct config *config;
static struct roster *roster;

static void set_up(void)
{
    config = config_new();
    ck_assert_ptr_nonnull(config);
    roster = roster_new(config, WORKERS);
    ck_assert_ptr_nonnull(roster);
}

static void tear_down(void)
{
    roster_free(roster);
    config_free(config);
}

START_TEST(roster_numbers_are_nobody_elses)
{
    pid_t pid = 1000;
    unsigned id;

    set_up();
    while ((id = roster_free_id(roster)) != 0) {
        ck_assert_uint_eq(roster_free_id(roster), id); /* until it is taken */
        roster_enter(roster, id, pid++);
    }
    ck_assert_int_ge(pid, 1000 + 2 * WORKERS);
    roster_leave(roster, 999); /* not one of ours */
    ck_assert_uint_eq(roster_free_id(roster), 0);
    roster_leave(roster, 1002);
    id = roster_free_id(roster);
    ck_assert_uint_gt(id, 0);
    roster_enter(roster, id, 2000);
    ck_assert_uint_eq(roster_free_id(roster), 0);
    tear_down();
}
END_TEST

/* A worker that dies while it adds a name, as store/names.c has it: 8 bits of state (1:
 * claimed), 8 of length, 16 of owner. */
START_TEST(roster_sweeps_before_it_gives_a_number_again)
{
    set_up();
    struct segment *segment = roster_segment(roster);
    uint64_t *word = segment_at(segment, SEGMENT_NAMES);
    struct stats_row rows[64];
    unsigned id = roster_free_id(roster), count = stats_rows(segment);
    pid_t pid = fork();

    if (pid == 0) {
        stats_attach(segment, id, 0);
        stats_add(STATS_requests, 3);
        *word = (uint64_t)id << 16 | 5 << 8 | 1;
        _exit(0);
    }
    roster_enter(roster, id, pid);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_ne(*word, 0);
    ck_assert_uint_ne(roster_free_id(roster), id);
    roster_leave(roster, pid);
    ck_assert_uint_eq(*word, 0);
    ck_assert_uint_eq(roster_free_id(roster), id);
    ck_assert_uint_le(count, COUNT_OF(rows));
    ck_assert(stats_read(segment, rows));
    ck_assert_uint_eq(rows[0].counters[STATS_sweeps], 1);
    ck_assert_uint_eq(rows[id].kind, STATS_FREE);
    ck_assert_uint_eq(rows[count - 1].counters[STATS_requests], 3);
    tear_down();
}
END_TEST

/* While one set of workers drains and another serves. */
START_TEST(roster_is_there_until_nobody_has_it)
{
    set_up();
    size_t size = roster_size(roster);
    struct roster *other = roster_share(roster);

    ck_assert_uint_eq(roster_room(roster), size);
    roster_enter(roster, roster_free_id(roster), 1000);
    ck_assert_uint_eq(roster_room(other), size - 1);
    roster_free(roster);
    roster_leave(other, 1000);
    ck_assert_uint_eq(roster_room(other), size);
    stats_add(STATS_restarts, 1);
    roster = other;

    /* A second one, that is given up: the first is counted in again. */
    struct roster *second = roster_new(config, WORKERS);
    ck_assert_ptr_nonnull(second);
    ck_assert(stats_counts_in(roster_segment(second)));
    roster_count_here(roster);
    roster_free(second);
    ck_assert(stats_counts_in(roster_segment(roster)));
    stats_add(STATS_restarts, 1);
    struct stats_row rows[64];
    ck_assert(stats_read(roster_segment(roster), rows));
    ck_assert_uint_eq(rows[0].counters[STATS_restarts], 2);
    tear_down();
}
END_TEST

UNIT("roster", roster_numbers_are_nobody_elses, roster_sweeps_before_it_gives_a_number_again,
     roster_is_there_until_nobody_has_it)
