#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int reader;

/* Standard error goes into a pipe from now on. */
static void capture(void)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    fcntl(reader, F_SETFL, O_NONBLOCK);
}

/* As a process starts, whatever tests came before. */
static void begin(void)
{
    capture();
    log_to_stderr("tickd");
    log_set_level(LOG_LEVEL_NOTICE);
}

/* What was written since the last time. */
static const char *captured(void)
{
    static char text[65536];
    ssize_t len = read(reader, text, sizeof(text) - 1);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

START_TEST(log_speaks_as_a_command)
{
    capture();
    log_error("cannot read %s: %d", "x", 7);
    ck_assert_str_eq(captured(), "tickd: cannot read x: 7\n");
    log_to_stderr("tickload");
    log_warn("odd");
    log_notice("begun");
    ck_assert_str_eq(captured(), "tickload: warning: odd\ntickload: begun\n");
}
END_TEST

START_TEST(log_keeps_to_its_level)
{
    static const char *const lines[] = {
        "tickd: e\n",
        "tickd: e\ntickd: warning: w\n",
        "tickd: e\ntickd: warning: w\ntickd: n\n",
        "tickd: e\ntickd: warning: w\ntickd: n\ntickd: i\n",
        "tickd: e\ntickd: warning: w\ntickd: n\ntickd: i\ntickd: d\n",
    };

    begin();
    for (int level = -1; level <= LOG_LEVEL_DEBUG; level++) {
        if (level >= 0)
            log_set_level((enum log_level)level);
        log_error("e");
        log_warn("w");
        log_notice("n");
        log_info("i");
        log_debug("d");
        ck_assert_str_eq(captured(), lines[level < 0 ? LOG_LEVEL_NOTICE : level]);
    }
}
END_TEST

START_TEST(log_dates_a_daemons_lines)
{
    int year, month, day, hour, minute, second, ms, pid, end = 0;
    static const char *const names[] = { "error", "warning", "notice", "info", "debug" };

    begin();
    log_to_stderr_dated();
    log_set_level(LOG_LEVEL_DEBUG);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        void (*const functions[])(const char *format, ...) = { log_error, log_warn, log_notice,
                                                               log_info, log_debug };
        char expected[64];

        functions[i]("it is %s", "so");
        const char *line = captured();
        ck_assert_int_eq(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ [%d] %n", &year, &month,
                                &day, &hour, &minute, &second, &ms, &pid, &end),
                         8);
        ck_assert_int_eq(pid, getpid());
        snprintf(expected, sizeof(expected), "%s: it is so\n", names[i]);
        ck_assert_str_eq(line + end, expected);
    }
    log_to_stderr("again"); /* back to plain */
    log_error("x");
    ck_assert_str_eq(captured(), "again: x\n");
}
END_TEST

/* No message makes a second line, moves a cursor or hides its end. */
START_TEST(log_tames_control_bytes)
{
    const char *line;

    begin();
    log_error("a\nb\rc\td\033[2Je\177f\001g%cz", '\0');
    line = captured();
    ck_assert_str_eq(line, "tickd: a?b?c?d?[2Je?f?g?z\n");
    log_error("\xc3\xa9");
    ck_assert_str_eq(captured(), "tickd: \xc3\xa9\n");
}
END_TEST

START_TEST(log_cuts_long_lines)
{
    static char text[10000];

    begin();
    memset(text, 'x', sizeof(text) - 1);
    for (size_t len = 1990; len < 2100; len++) {
        char put[2200];

        snprintf(put, sizeof(put), "%.*s", (int)len, text);
        log_error("%s", put);
        const char *line = captured();
        size_t got = strlen(line);
        ck_assert_uint_le(got, 2048);
        ck_assert(line[got - 1] == '\n' && line[got - 2] == 'x');
        ck_assert_ptr_eq(strchr(line, '\n'), line + got - 1);
        ck_assert_uint_ge(got, len + 8 < 2040 ? len + 8 : 2040);
    }
    log_error("%s", text);
    ck_assert_uint_le(strlen(captured()), 2048);
    log_to_stderr_dated();
    log_error("%s", text);
    ck_assert_uint_le(strlen(captured()), 2048);
}
END_TEST

START_TEST(log_leaves_errno)
{
    begin();
    errno = ENOENT;
    log_error("%m");
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_str_eq(captured(), "tickd: No such file or directory\n");
    log_debug("not shown");
    ck_assert_int_eq(errno, ENOENT);
    log_to_stderr_dated();
    log_error("%m");
    ck_assert_ptr_nonnull(strstr(captured(), "error: No such file or directory\n"));

    /* Nobody hears, and nothing comes of it. */
    int kept = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = EPERM;
    log_error("lost");
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
}
END_TEST

START_TEST(log_goes_to_syslog_alone)
{
    begin();
    log_to_syslog("tickd-check");
    log_debug("a test of tickd's log");
    ck_assert_str_eq(captured(), "");
}
END_TEST

UNIT("log", log_speaks_as_a_command, log_keeps_to_its_level, log_dates_a_daemons_lines,
     log_tames_control_bytes, log_cuts_long_lines, log_leaves_errno, log_goes_to_syslog_alone)
