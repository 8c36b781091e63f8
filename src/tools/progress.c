#include "tools/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR 24
#define REDRAW 0.2

static struct {
    bool on, drawn;
    uint64_t total;
    double start, last;
} self;

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void progress_start(uint64_t total, bool quiet)
{
    self.on = !quiet && isatty(STDERR_FILENO);
    self.drawn = false;
    self.total = total;
    self.start = self.last = now();
}

double progress_seconds(void)
{
    return now() - self.start;
}

static void draw(uint64_t bytes, uint64_t rows, double seconds)
{
    char bar[BAR + 1] = "";
    double part = self.total == 0 ? 0 : (double)bytes / (double)self.total;
    double rate = (double)rows / seconds / 1e6;

    part = part > 1 ? 1 : part;
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)(part * BAR));
    if (self.total == 0)
        fprintf(stderr, "\r%.1f M rows, %.2f M rows/s\033[K", (double)rows / 1e6, rate);
    else
        fprintf(stderr, "\r[%s] %3.0f %%, %.1f M rows, %.2f M rows/s, %.0f s left\033[K", bar,
                part * 100, (double)rows / 1e6, rate, part > 0 ? seconds / part - seconds : 0);
    fflush(stderr);
}

void progress_show(uint64_t bytes, uint64_t rows)
{
    double time = self.on ? now() : 0;

    if (!self.on || time - self.last < REDRAW)
        return;
    self.last = time;
    self.drawn = true;
    draw(bytes, rows, time - self.start);
}

void progress_clear(void)
{
    if (self.drawn)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    self.drawn = false;
}
