#include "system/accesslog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "system/config.h"
#include "system/stats.h"

/* Lines are gathered in one half while a helper writes the other: so many bytes may wait in
 * each, and so many are worth a write. */
#define HALF_BYTES (256 << 10)
#define ENOUGH (32 << 10)

struct half {
    size_t len;
    uint64_t lines;
    char bytes[HALF_BYTES];
};

struct accesslog {
    struct helper_job job; /* while busy, it has the file and the half that is not filled */
    char *path;
    int fd;
    void (*put)(struct text *text, const struct accessline *line);
    struct helper *helper;
    int timer;
    bool busy;
    bool armed;          /* the timer runs */
    bool moved;          /* the file is to be opened again */
    bool reopens;        /* ... by the job under way */
    bool failing;        /* the last write failed, which was logged */
    uint64_t dropped;    /* lines, by the job */
    struct half *filled; /* lines are added to it */
    struct half *written;
    struct half halves[2];
};

/* A pipe that nobody reads must not stop us. */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

int accesslog_try(const char *path)
{
    int fd = open_file(path);

    return fd < 0 ? -1 : close(fd);
}

/*
 * The last ${count} bytes that were written are the beginning of a line whose rest found no
 * room. Others append behind them, so they cannot be taken back: they become an empty line.
 */
static void blank(int fd, size_t count)
{
    static const char spaces[4096] = { [0 ... 4095] = ' ' };
    off_t end = lseek(fd, 0, SEEK_CUR), at = end - (off_t)count;
    int flags = fcntl(fd, F_GETFL);

    if (end < 0 || flags < 0 || fcntl(fd, F_SETFL, flags & ~O_APPEND))
        return;
    bool fine = pwrite(fd, "\n", 1, end - 1) == 1;
    while (fine && at < end - 1) {
        size_t len = (size_t)(end - 1 - at);
        ssize_t n = pwrite(fd, spaces, len < sizeof(spaces) ? len : sizeof(spaces), at);

        fine = n > 0;
        at += n;
    }
    fcntl(fd, F_SETFL, flags);
}

/* The bytes up to behind the last newline. */
static size_t whole_lines(const char *bytes, size_t len)
{
    const char *last = len > 0 ? memrchr(bytes, '\n', len) : NULL;

    return last == NULL ? 0 : (size_t)(last - bytes) + 1;
}

/* Write whole lines; returns how many bytes of them were, and sets errno if not all. */
static size_t write_lines(int fd, const char *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, bytes + done, len - done);
        size_t whole;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        whole = whole_lines(bytes + done, (size_t)n);
        if (whole < (size_t)n)
            blank(fd, (size_t)n - whole);
        done += whole;
        if (whole == 0) {
            errno = ENOSPC;
            break;
        }
    }
    return done;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += bytes[i] == '\n';
    return count;
}

static void reopen(struct accesslog *log)
{
    int fd = open_file(log->path);

    if (fd < 0) {
        log_error("cannot open the access log %s again, going on with the old file: %m",
                  log->path);
        return;
    }
    close(log->fd);
    log->fd = fd;
}

/* On a helper. */
static void run(struct helper_job *job)
{
    struct accesslog *log = (struct accesslog *)job;
    const struct half *half = log->written;

    if (log->reopens)
        reopen(log);
    size_t done = write_lines(log->fd, half->bytes, half->len);
    log->dropped = count_lines(half->bytes + done, half->len - done);
    if (done < half->len && !log->failing)
        log_error("cannot write to the access log %s: lines are dropped until it can be: %m",
                  log->path);
    else if (done == half->len && done > 0 && log->failing)
        log_notice("the access log %s is written to again", log->path);
    if (half->len > 0)
        log->failing = done < half->len;
}

static void arm(struct accesslog *log)
{
    const struct itimerspec second = { .it_value.tv_sec = 1 };

    if (!log->armed)
        log->armed = timerfd_settime(log->timer, 0, &second, NULL) == 0;
}

static void hand_over(struct accesslog *log)
{
    struct half *half = log->filled;

    log->filled = log->written;
    log->written = half;
    log->reopens = log->moved;
    log->moved = false;
}

static void take_back(struct accesslog *log)
{
    struct half *half = log->written;

    stats_add(STATS_log_lines, half->lines - log->dropped);
    stats_add(STATS_log_lines_dropped, log->dropped);
    half->len = half->lines = 0;
}

/* Have written what there is, unless that is being done: then it will be later. */
static void flush(struct accesslog *log)
{
    if (log->busy || (log->filled->len == 0 && !log->moved))
        return;
    hand_over(log);
    log->busy = helper_submit(log->helper, &log->job);
    if (log->busy)
        return;
    log->moved = log->reopens; /* as if nothing had been */
    log->written = log->filled;
    log->filled = log->written == &log->halves[0] ? &log->halves[1] : &log->halves[0];
    arm(log);
}

static void done(struct helper_job *job)
{
    struct accesslog *log = (struct accesslog *)job;

    log->busy = false;
    take_back(log);
    if (log->filled->len >= ENOUGH || log->moved)
        flush(log);
}

struct accesslog *accesslog_new(const char *path, unsigned format, struct helper *helper)
{
    struct accesslog *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return NULL;
    log->job = (struct helper_job){ .run = run, .done = done };
    log->put = format == CONFIG_ACCESS_LOG_FORMAT_JSON ? accessline_json : accessline_combined;
    log->helper = helper;
    log->filled = &log->halves[0];
    log->written = &log->halves[1];
    log->path = strdup(path);
    log->fd = open_file(path);
    log->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (log->path != NULL && log->fd >= 0 && log->timer >= 0)
        return log;

    int saved = errno;
    if (log->fd >= 0)
        close(log->fd);
    if (log->timer >= 0)
        close(log->timer);
    free(log->path);
    free(log);
    errno = saved;
    return NULL;
}

/* Returns whether there was room. */
static bool put_line(struct accesslog *log, const struct accessline *line)
{
    struct half *half = log->filled;
    struct text text = text_on(half->bytes + half->len, HALF_BYTES - half->len);

    log->put(&text, line);
    if (text.cut)
        return false;
    half->len += text.len;
    half->lines++;
    return true;
}

void accesslog_add(struct accesslog *log, const struct accessline *line)
{
    if (!put_line(log, line)) {
        stats_add(STATS_log_lines_dropped, 1);
        return;
    }
    if (log->filled->len >= ENOUGH)
        flush(log);
    else
        arm(log);
}

int accesslog_fd(const struct accesslog *log)
{
    return log->timer;
}

void accesslog_due(struct accesslog *log)
{
    uint64_t count;

    if (read(log->timer, &count, sizeof(count)) < 0)
        return;
    log->armed = false;
    flush(log);
    if (log->filled->len > 0)
        arm(log);
}

void accesslog_reopen(struct accesslog *log)
{
    log->moved = true;
    flush(log);
}

void accesslog_free(struct accesslog *log)
{
    if (log == NULL)
        return;
    while (log->busy)
        helper_wait(log->helper);
    hand_over(log);
    run(&log->job);
    take_back(log);
    close(log->fd);
    close(log->timer);
    free(log->path);
    free(log);
}
