#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "system/accesslog.h"
#include "system/stats.h"

static struct helper *helper;
static struct accesslog *logs;
static char path[512], agent[2048];
static struct stats_row before;

/* At ${path}. */
static void open_log(void)
{
    const struct cpu_list any = { 0 };

    helper = helper_new(1, &any);
    ck_assert_ptr_nonnull(helper);
    logs = accesslog_new(path, 0, helper);
    ck_assert_ptr_nonnull(logs);
    memset(agent, 'a', sizeof(agent));
    before = *stats_mine;
}

static void begin(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", files_root(), name);
    open_log();
}

static void end(void)
{
    accesslog_free(logs);
    helper_free(helper);
}

/* A line of about ${len} bytes with the number ${rows}. */
static void add(uint64_t rows, size_t len)
{
    struct accessline line = { .status = 200, .rows = rows, .agent = { agent, len } };

    accesslog_add(logs, &line);
}

/* Since it was opened: other tests may have counted in the same process. */
static uint64_t count(enum stats_counter counter)
{
    return shared_load(&stats_mine->counters[counter]) - before.counters[counter];
}

/* Every line of the file is a whole one, or an empty one; returns how many, and in ${sum} what
 * their numbers add up to. */
static unsigned lines_of(const char *name, uint64_t *sum)
{
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t room = 0;
    unsigned lines = 0;

    ck_assert_ptr_nonnull(file);
    *sum = 0;
    while (getline(&line, &room, file) > 0) {
        unsigned long long rows;
        char word[8] = "";

        if (line[strspn(line, " ")] == '\n')
            continue;
        const char *tail = strrchr(line, '"');
        ck_assert_ptr_nonnull(tail);
        ck_assert_int_eq(sscanf(tail, "\" 0 %llu 0 - - %7s", &rows, word), 2);
        ck_assert_str_eq(word, "whole");
        ck_assert(strncmp(line, "- - - [", 7) == 0);
        lines++;
        *sum += rows;
    }
    free(line);
    fclose(file);
    return lines;
}

START_TEST(accesslog_writes_each_second)
{
    struct pollfd due;
    uint64_t sum;

    begin("second");
    add(7, 0);
    ck_assert_uint_eq(lines_of(path, &sum), 0);
    due = (struct pollfd){ .fd = accesslog_fd(logs), .events = POLLIN };
    ck_assert_int_eq(poll(&due, 1, 10000), 1);
    accesslog_due(logs);
    ck_assert(helper_wait(helper));
    ck_assert_uint_eq(lines_of(path, &sum), 1);
    ck_assert_uint_eq(sum, 7);
    ck_assert_uint_eq(count(STATS_log_lines), 1);
    ck_assert_int_eq(poll(&due, 1, 0), 0);
    end();
}
END_TEST

START_TEST(accesslog_loses_nothing_that_has_room)
{
    uint64_t sum;

    begin("room");
    for (unsigned i = 1; i <= 5000; i++) {
        add(i, i % 200);
        if (i % 500 == 0)
            helper_wait(helper);
    }
    end();
    ck_assert_uint_eq(lines_of(path, &sum), 5000);
    ck_assert_uint_eq(sum, 5000 * 5001 / 2);
    ck_assert_uint_eq(count(STATS_log_lines), 5000);
    ck_assert_uint_eq(count(STATS_log_lines_dropped), 0);
}
END_TEST

/* Nobody takes the job back: memory is bounded, and what does not fit is counted. */
START_TEST(accesslog_drops_what_has_no_room)
{
    uint64_t sum;

    begin("slow");
    for (unsigned i = 0; i < 2000; i++)
        add(1, 1000);
    uint64_t dropped = count(STATS_log_lines_dropped);
    ck_assert(dropped > 1000 && dropped < 2000);
    end();
    ck_assert_uint_eq(lines_of(path, &sum), 2000 - dropped);
    ck_assert_uint_eq(count(STATS_log_lines), 2000 - dropped);
}
END_TEST

START_TEST(accesslog_opens_again)
{
    char old[600];
    uint64_t sum, old_sum;
    unsigned lines;

    begin("again");
    snprintf(old, sizeof(old), "%s.1", path);
    for (unsigned i = 1; i <= 1000; i++)
        add(1, 100);
    ck_assert_int_eq(rename(path, old), 0);
    accesslog_reopen(logs);
    for (unsigned i = 1; i <= 100; i++)
        add(1, 100);
    while (helper_wait(helper))
        ;
    ck_assert_int_eq(access(path, F_OK), 0);
    lines = lines_of(old, &old_sum);
    add(1, 100);
    end();
    ck_assert_uint_eq(lines_of(old, &old_sum), lines);
    ck_assert_uint_eq(lines + lines_of(path, &sum), 1101);

    /* It cannot: the old one goes on. */
    begin("nowhere");
    snprintf(old, sizeof(old), "%s.1", path);
    ck_assert_int_eq(rename(path, old), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    accesslog_reopen(logs);
    add(1, 100);
    end();
    ck_assert_uint_eq(lines_of(old, &sum), 1);
}
END_TEST

START_TEST(accesslog_of_many_does_not_mix)
{
    uint64_t sum;

    snprintf(path, sizeof(path), "%s/many", files_root());
    for (int child = 0; child < 4; child++) {
        if (fork() == 0) {
            open_log();
            for (unsigned i = 1; i <= 2000; i++) {
                add(1, i % 300);
                if (i % 100 == 0)
                    helper_wait(helper);
            }
            end();
            _exit(0);
        }
    }
    for (int child = 0; child < 4; child++) {
        int status;

        ck_assert(wait(&status) > 0 && status == 0);
    }
    ck_assert_uint_eq(lines_of(path, &sum), 8000);
}
END_TEST

/* A file system of 64 KB, where that may be mounted. */
START_TEST(accesslog_survives_a_full_disk)
{
    char disk[512];
    uint64_t sum, dropped;

    snprintf(disk, sizeof(disk), "%s/disk", files_root());
    ck_assert_int_eq(mkdir(disk, 0700), 0);
    if (mount("none", disk, "tmpfs", 0, "size=64k")) {
        printf("accesslog: no tmpfs may be mounted: a full disk is not tried\n");
        return;
    }
    begin("disk/log");
    for (unsigned i = 0; i < 1000; i++) {
        add(1, 150);
        if (i % 100 == 0)
            helper_wait(helper);
    }
    while (helper_wait(helper))
        ;
    dropped = count(STATS_log_lines_dropped);
    ck_assert_uint_gt(dropped, 0);
    unsigned lines = lines_of(path, &sum);
    ck_assert_uint_gt(lines, 100);

    /* Room again: so do the lines. */
    ck_assert_int_eq(mount("none", disk, "tmpfs", MS_REMOUNT, "size=1m"), 0);
    for (unsigned i = 0; i < 100; i++)
        add(1, 150);
    end();
    lines = lines_of(path, &sum);
    ck_assert_uint_eq(lines, count(STATS_log_lines));
    ck_assert_uint_eq(lines + count(STATS_log_lines_dropped), 1100);
    umount(disk);
}
END_TEST

START_TEST(accesslog_says_what_it_cannot_open)
{
    const struct cpu_list any = { 0 };

    ck_assert_int_eq(accesslog_try("/nowhere/log"), -1);
    ck_assert_int_eq(errno, ENOENT);
    helper = helper_new(1, &any);
    ck_assert_ptr_null(accesslog_new("/nowhere/log", 0, helper));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(accesslog_new("/", 0, helper));
    helper_free(helper);
    accesslog_free(NULL);
}
END_TEST

UNIT("accesslog", accesslog_writes_each_second, accesslog_loses_nothing_that_has_room,
     accesslog_drops_what_has_no_room, accesslog_opens_again, accesslog_of_many_does_not_mix,
     accesslog_survives_a_full_disk, accesslog_says_what_it_cannot_open)
