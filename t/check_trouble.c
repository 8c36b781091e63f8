#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "files.h"
#include "store/trouble.h"

static struct troubles troubles;
static int written; /* what was logged, to be read */

static void begin(void)
{
    static char path[300];

    files_fresh();
    snprintf(path, sizeof(path), "%s/log", files_root());
    ck_assert_int_eq(log_to_file(path), 0);
    written = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(written, 0);
    troubles = (struct troubles){ 0 };
}

/* The lines since the last time, without what stands before their levels. */
static const char *logged(void)
{
    static char text[65536];
    static char lines[65536];
    ssize_t len = read(written, text, sizeof(text) - 1);

    text[len > 0 ? len : 0] = '\0';
    lines[0] = '\0';
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        strcat(lines, strstr(line, "] ") + 2);
        strcat(lines, "\n");
    }
    return lines;
}

START_TEST(trouble_is_told_once)
{
    begin();
    ck_assert(!trouble_known(&troubles));
    for (uint64_t now = 5; now < 3600000; now += 600000)
        trouble_tell(&troubles, now, TROUBLE_READING, "a", "a is odd");
    ck_assert(trouble_known(&troubles));
    ck_assert_str_eq(logged(), "error: a is odd\n");
    trouble_tell(&troubles, 6, TROUBLE_READING, "b", "b is odd");
    trouble_tell(&troubles, 7, TROUBLE_DAMAGE, "a", "a is short");
    ck_assert_str_eq(logged(), "error: b is odd\nerror: damaged day: a is short\n");
    trouble_tell(&troubles, 8, TROUBLE_READING, "a", "a is very odd");
    trouble_tell(&troubles, 9, TROUBLE_READING, "a", "a is very odd");
    ck_assert_str_eq(logged(), "error: a is very odd\n");
}
END_TEST

START_TEST(trouble_that_lasts_is_told_again)
{
    begin();
    for (uint64_t now = 0; now <= 7200000; now += 1000)
        trouble_tell(&troubles, now, TROUBLE_READING, "a", "a is odd");
    ck_assert_str_eq(logged(), "error: a is odd\nerror: a is odd\nerror: a is odd\n");
}
END_TEST

START_TEST(trouble_is_over_once)
{
    begin();
    trouble_over(&troubles, TROUBLE_READING, "a");
    trouble_tell(&troubles, 1, TROUBLE_READING, "a", "a is odd");
    trouble_tell(&troubles, 1, TROUBLE_DAMAGE, "a", "a is short");
    trouble_tell(&troubles, 1, TROUBLE_READING, "b", "b is odd");
    logged();
    trouble_over(&troubles, TROUBLE_READING, "a");
    trouble_over(&troubles, TROUBLE_READING, "a");
    ck_assert_str_eq(logged(), "notice: a: no trouble with it any more\n");
    trouble_tell(&troubles, 1, TROUBLE_DAMAGE, "a", "a is short");
    trouble_tell(&troubles, 1, TROUBLE_READING, "b", "b is odd");
    ck_assert_str_eq(logged(), "");
    trouble_tell(&troubles, 1, TROUBLE_READING, "a", "a is odd");
    ck_assert_str_eq(logged(), "error: a is odd\n");
    trouble_over(&troubles, TROUBLE_READING, "a");
    trouble_over(&troubles, TROUBLE_READING, "b");
    trouble_over(&troubles, TROUBLE_DAMAGE, "a");
    ck_assert(!trouble_known(&troubles));
}
END_TEST

START_TEST(trouble_is_bounded)
{
    char path[16];

    begin();
    for (unsigned i = 0; i < 3 * TROUBLES_MAX; i++) {
        snprintf(path, sizeof(path), "%u", i);
        trouble_tell(&troubles, i, TROUBLE_READING, path, "odd");
        ck_assert_uint_le(troubles.count, TROUBLES_MAX);
    }
    logged();
    /* The newest are known; of the others, one is told again in the oldest one's place. */
    for (unsigned i = 2 * TROUBLES_MAX; i < 3 * TROUBLES_MAX; i++) {
        snprintf(path, sizeof(path), "%u", i);
        trouble_tell(&troubles, 1000, TROUBLE_READING, path, "odd");
    }
    ck_assert_str_eq(logged(), "");
    trouble_tell(&troubles, 1001, TROUBLE_READING, "0", "odd");
    snprintf(path, sizeof(path), "%u", 2 * TROUBLES_MAX);
    trouble_over(&troubles, TROUBLE_READING, path);
    trouble_over(&troubles, TROUBLE_READING, "0");
    ck_assert_str_eq(logged(), "error: odd\nnotice: 0: no trouble with it any more\n");
}
END_TEST

UNIT("trouble", trouble_is_told_once, trouble_that_lasts_is_told_again, trouble_is_over_once,
     trouble_is_bounded)
