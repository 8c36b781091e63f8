/* tickstat: what a running tickd counts. See tickstat(1). */

#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/sig.h"
#include "tools/statfind.h"
#include "tools/statjson.h"
#include "tools/stattext.h"
#include "tools/statview.h"

#define INTERVAL_LEAST 100
#define INTERVAL_MOST 3600000

static const char *proc = "/proc";
static uint64_t interval = 1000; /* ms */
static uint64_t pid;             /* 0: none was named */
static bool once, json;

static void print_help(void)
{
    printf("Usage: tickstat [-p PID | --pid-file FILE] [-1 | --json | -i TIME]\n"
           "Show what a running tickd counts, every second until it ends or Ctrl-C.\n\n"
           "  -p, --pid PID        the server that this process belongs to (the only one there "
           "is)\n"
           "      --pid-file FILE  likewise, of the process whose number is in FILE\n"
           "  -1, --once           print once and stop\n"
           "      --json           print once, as JSON\n"
           "  -i, --interval TIME  the pause between: seconds, or with a unit, ms s m h (1s)\n"
           "      --proc DIR       where proc(5) is mounted (/proc)\n"
           "  -h, --help           print this and stop\n"
           "  -V, --version        print the version and stop\n");
}

/* Tell what is wrong with the call and how to learn more; does not return. */
#define USAGE(...)                                                                             \
    do {                                                                                       \
        log_error(__VA_ARGS__);                                                                \
        log_error("try 'tickstat --help'");                                                    \
        exit(2);                                                                               \
    } while (0)

static void parse_pid(const char *text)
{
    if (num_parse(slice_of(text), &pid) || pid == 0 || pid > INT32_MAX)
        USAGE("--pid '%s': give the number of a process", text);
}

static void read_pid_file(const char *path)
{
    char line[32] = "";
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        log_error("%s: %m", path);
        exit(1);
    }
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    if (num_parse(slice_of(line), &pid) || pid == 0 || pid > INT32_MAX) {
        log_error("%s holds no process number", path);
        exit(1);
    }
}

static void parse_interval(const char *text)
{
    if (num_parse_duration(slice_of(text), &interval) || interval < INTERVAL_LEAST ||
        interval > INTERVAL_MOST)
        USAGE("--interval '%s': give a time from 100ms to 1h", text);
}

enum { OPTION_PID_FILE = 256, OPTION_JSON, OPTION_PROC };

static const struct option options[] = {
    { "pid", required_argument, NULL, 'p' },
    { "pid-file", required_argument, NULL, OPTION_PID_FILE },
    { "once", no_argument, NULL, '1' },
    { "json", no_argument, NULL, OPTION_JSON },
    { "interval", required_argument, NULL, 'i' },
    { "proc", required_argument, NULL, OPTION_PROC },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static void parse_option(int option)
{
    switch (option) {
    case 'p':
        parse_pid(optarg);
        break;
    case OPTION_PID_FILE:
        read_pid_file(optarg);
        break;
    case '1':
        once = true;
        break;
    case OPTION_JSON:
        json = true;
        break;
    case 'i':
        parse_interval(optarg);
        break;
    case OPTION_PROC:
        proc = optarg;
        break;
    case 'h':
        print_help();
        exit(0);
    case 'V':
        printf("tickstat %s\n", PACKAGE_VERSION);
        exit(0);
    default:
        log_error("try 'tickstat --help'");
        exit(2);
    }
}

static void parse_options(int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "p:1i:hV", options, NULL)) != -1)
        parse_option(option);
    if (optind < argc)
        USAGE("'%s' is one word too many", argv[optind]);
}

/* Write ${text} from the top left of the terminal, as much as it has room for. */
static void paint(const char *text)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
    fputs("\033[H", stdout);
    for (int row = 0; row < size.ws_row && *text != '\0'; row++) {
        int len = (int)strcspn(text, "\n");

        /* No newline after the last line: it would scroll. */
        printf("%s%.*s\033[K", row > 0 ? "\r\n" : "", len < size.ws_col ? len : size.ws_col,
               text);
        text += len + (text[len] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

/* On a terminal, in the place of what was there; else one block after another. */
static int show(bool screen, const struct statview *view, const struct statview *before)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return -1;
    stattext_print(out, view, before);
    if (fclose(out)) {
        free(text);
        return -1;
    }
    if (screen)
        paint(text);
    else
        printf("%s%s", before == NULL ? "" : "\n", text);
    free(text);
    return fflush(stdout) ? -1 : 0;
}

/* Until the server or the user ends it. Returns whether the server is gone, or -1. */
static int watch(const struct statfind *found, bool screen, struct statview *view,
                 struct statview *before)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, 0 };
    struct pollfd polled = { .fd = sig_catch(signals), .events = POLLIN };
    struct statview *last = NULL;

    if (polled.fd < 0)
        return -1;
    while (statfind_alive(found)) {
        struct statview *next = last == view ? before : view;

        statview_look(next);
        if (show(screen, next, last))
            return -1;
        last = next;
        if (poll(&polled, 1, (int)interval) > 0)
            return 0;
    }
    return 1;
}

static int refresh(const struct statfind *found, struct statview *view)
{
    struct statview *other = statview_new(found->segment);
    bool screen = isatty(STDOUT_FILENO);
    int ended = -1;

    if (screen)
        fputs("\033[?1049h\033[?25l", stdout); /* another page, without a cursor */
    if (other != NULL)
        ended = watch(found, screen, view, other);
    int error = errno;
    if (screen) {
        fputs("\033[?25h\033[?1049l", stdout);
        fflush(stdout);
    }
    statview_free(other);
    errno = error;
    if (ended < 0)
        log_error("cannot go on: %m");
    else if (ended > 0)
        log_error("the server (process %d) is gone", found->pid);
    return ended == 0 ? 0 : 1;
}

static int print_once(struct statview *view)
{
    int failed = 0;

    statview_look(view);
    if (json)
        failed = statjson_print(stdout, view);
    else
        stattext_print(stdout, view, NULL);
    if (failed || fflush(stdout)) {
        log_error("cannot print: %m");
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static char name[] = "tickstat";
    struct statfind found;
    int code = 1;

    log_to_stderr("tickstat");
    if (argc > 0)
        argv[0] = name; /* as getopt's messages begin */
    parse_options(argc, argv);

    if (pid != 0 ? statfind_pid(&found, proc, (int)pid) : statfind_only(&found, proc))
        return 1;
    struct statview *view = statview_new(found.segment);
    if (view == NULL)
        log_error("out of memory");
    else
        code = once || json ? print_once(view) : refresh(&found, view);
    statview_free(view);
    statfind_free(&found);
    return code;
}
