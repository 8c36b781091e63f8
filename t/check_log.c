#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "files.h"

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
    files_fresh();
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

/* All of a small file; read by its path, which may be another file by now. */
static const char *content(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    size_t len = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);

    ck_assert_ptr_nonnull(file);
    fclose(file);
    text[len] = '\0';
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t found = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        found++;
    return found;
}

START_TEST(log_goes_to_a_file_and_moves_with_it)
{
    char path[4096], moved[4096];
    struct stat file;

    begin();
    snprintf(path, sizeof(path), "%s/error", files_root());
    snprintf(moved, sizeof(moved), "%s/error.1", files_root());
    ck_assert_int_eq(log_reopen(), 0); /* nothing to reopen */
    ck_assert_int_eq(log_to_file("/nowhere/at/all"), -1);
    ck_assert_int_eq(errno, ENOENT);
    log_error("still here");
    ck_assert_str_eq(captured(), "tickd: still here\n");

    umask(0);
    files_write("error", "before\n", 7);
    ck_assert_int_eq(log_to_file(path), 0);
    log_error("one");
    ck_assert_str_eq(captured(), "");
    ck_assert_ptr_eq(strstr(content(path), "before\n"), content(path));
    ck_assert_ptr_nonnull(strstr(content(path), "] error: one\n"));

    files_rename("error", "error.1");
    log_error("two");
    ck_assert_uint_eq(count(content(moved), "error: "), 2);
    ck_assert_int_eq(log_reopen(), 0);
    log_error("three");
    ck_assert_uint_eq(count(content(moved), "error: "), 2);
    ck_assert_uint_eq(count(content(path), "error: three\n"), 1);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 07777, 0640);
    ck_assert_ptr_null(strstr(content(path), "two"));

    /* To another place, and back to standard error. */
    ck_assert_int_eq(log_to_file(moved), 0);
    log_error("four");
    ck_assert_ptr_nonnull(strstr(content(moved), "error: four\n"));
    log_to_stderr("again");
    log_error("five");
    ck_assert_str_eq(captured(), "again: five\n");
}
END_TEST

START_TEST(log_keeps_the_old_file_if_there_is_no_new_one)
{
    char path[4096], moved[4096];

    begin();
    files_folder("logs");
    snprintf(path, sizeof(path), "%s/logs/error", files_root());
    snprintf(moved, sizeof(moved), "%s/gone/error", files_root());
    ck_assert_int_eq(log_to_file(path), 0);
    files_rename("logs", "gone");
    errno = EPERM;
    ck_assert_int_eq(log_reopen(), -1);
    log_error("on");
    ck_assert_ptr_nonnull(strstr(content(moved), "cannot open the error log "));
    ck_assert_ptr_nonnull(strstr(content(moved), "No such file or directory\n"));
    ck_assert_ptr_nonnull(strstr(content(moved), "error: on\n"));
    ck_assert_str_eq(captured(), "");
}
END_TEST

START_TEST(log_takes_standard_error_along)
{
    char path[4096], moved[4096];

    begin();
    snprintf(path, sizeof(path), "%s/error", files_root());
    snprintf(moved, sizeof(moved), "%s/error.1", files_root());
    log_take_stderr(); /* there is no file to take it to */
    log_error("x");
    ck_assert_str_eq(captured(), "tickd: x\n");
    ck_assert_int_eq(log_to_file(path), 0);
    log_take_stderr();
    ck_assert_int_eq(write(STDERR_FILENO, "raw 1\n", 6), 6);
    files_rename("error", "error.1");
    ck_assert_int_eq(log_reopen(), 0);
    ck_assert_int_eq(write(STDERR_FILENO, "raw 2\n", 6), 6);
    ck_assert_str_eq(content(moved), "raw 1\n");
    ck_assert_str_eq(content(path), "raw 2\n");
    ck_assert_str_eq(captured(), "");
}
END_TEST

/* Lines of several processes do not mix. */
START_TEST(log_lines_are_whole)
{
    enum { PROCESSES = 4, LINES = 500 };
    char path[4096], line[16], text[101];
    size_t lines = 0;

    begin();
    snprintf(path, sizeof(path), "%s/error", files_root());
    ck_assert_int_eq(log_to_file(path), 0);
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            memset(text, 'a' + i, sizeof(text) - 1);
            text[sizeof(text) - 1] = '\0';
            for (int j = 0; j < LINES; j++)
                log_error("%s", text);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        wait(NULL);
    FILE *file = fopen(path, "r");
    char whole[4096];
    while (fgets(whole, sizeof(whole), file) != NULL) {
        const char *at = strstr(whole, "error: ");
        ck_assert_ptr_nonnull(at);
        snprintf(line, sizeof(line), "%c", at[7]);
        ck_assert_uint_eq(strspn(at + 7, line), sizeof(text) - 1);
        ck_assert_str_eq(at + 7 + sizeof(text) - 1, "\n");
        lines++;
    }
    fclose(file);
    ck_assert_uint_eq(lines, PROCESSES * LINES);
}
END_TEST

UNIT("log", log_speaks_as_a_command, log_keeps_to_its_level, log_dates_a_daemons_lines,
     log_tames_control_bytes, log_cuts_long_lines, log_leaves_errno, log_goes_to_syslog_alone,
     log_goes_to_a_file_and_moves_with_it, log_keeps_the_old_file_if_there_is_no_new_one,
     log_takes_standard_error_along, log_lines_are_whole)
