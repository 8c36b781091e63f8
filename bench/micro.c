/*
 * What the steps of a request cost one by one: parsing, looking up, searching, formatting. Each
 * step runs often enough to be timed, several rounds of it; the median is shown, and the spread
 * of the rounds beside it, which says how far to trust it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/num.h"
#include "http/http1.h"
#include "query/gather.h"
#include "query/plan.h"
#include "query/query.h"
#include "query/raw.h"
#include "store/store.h"
#include "store/timeindex.h"

#define ROUNDS 9
#define ROUND_NS UINT64_C(40000000)
#define DAY 20089 /* 2025-01-01 */
#define ROWS 2000000
#define EVICT_MIB 64 /* more than the caches hold */

#define HEAD                                                                                   \
    "GET /api/data?exchange=coinbase&symbol=BTC-USD&type=MD&start=1735732800&end=1735732808"   \
    "&columns=time,best_bid HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
#define QUERY                                                                                  \
    "exchange=coinbase&symbol=BTC-USD&type=MD&start=1735732800&end=1735732808"                 \
    "&columns=time,best_bid"

static struct {
    char folder[64];
    struct config *config;
    struct store *store;
    struct arena arena;
    struct query query;
    struct gather gather; /* of that query */
    struct plan plan;
    uint32_t *times;
    char *evict;
    uint64_t random;
    uint64_t sink; /* results go here, so that nothing is left out as useless */
} bench;

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* xorshift64 (George Marsaglia, 2003). */
static uint64_t next_random(void)
{
    bench.random ^= bench.random << 13;
    bench.random ^= bench.random >> 7;
    return bench.random ^= bench.random << 17;
}

static void write_file(const char *column, const void *bytes, size_t len)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/coinbase/BTC-USD/MD/%s.01.01.25.bin", bench.folder,
             column);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || close(fd))
        die(path);
    /* An old day: a live one is looked at anew by every query. */
    struct timespec old[2] = { { 1735800000, 0 }, { 1735800000, 0 } };
    if (utimensat(AT_FDCWD, path, old, 0))
        die(path);
}

static void make_data(void)
{
    static const char *const folders[] = { "", "/coinbase", "/coinbase/BTC-USD",
                                           "/coinbase/BTC-USD/MD" };
    char path[128];

    snprintf(bench.folder, sizeof(bench.folder), "/tmp/tickd-micro-XXXXXX");
    if (mkdtemp(bench.folder) == NULL)
        die("mkdtemp");
    for (size_t i = 1; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", bench.folder, folders[i]);
        if (mkdir(path, 0700))
            die(path);
    }
    bench.times = malloc(ROWS * sizeof(uint32_t));
    if (bench.times == NULL)
        die("malloc");
    for (uint32_t i = 0; i < ROWS; i++)
        bench.times[i] =
            (uint32_t)((uint64_t)DAY * DATE_SECONDS + (uint64_t)i * DATE_SECONDS / ROWS);
    write_file("time", bench.times, ROWS * sizeof(uint32_t));
    write_file("best_bid", bench.times, ROWS * sizeof(uint32_t));
}

static void remove_data(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -rf %s", bench.folder);
    if (system(command) != 0)
        fprintf(stderr, "micro: %s is left behind\n", bench.folder);
}

/* --- The steps */

static void parse_head(void)
{
    static const char head[] = HEAD;
    struct http1_scan scan = { 0 };
    struct request request;
    struct failure failure;
    size_t consumed = 0;

    http1_head(head, sizeof(head) - 1, &scan, bench.config, &request, &consumed, &failure);
    bench.sink += consumed;
}

static void parse_query(void)
{
    struct query query;
    struct failure failure;

    arena_reset(&bench.arena);
    query_parse(&query, SLICE(QUERY), bench.config, &bench.arena, &failure);
    bench.sink += query.column_count;
}

/* Series, days, files and rows of a small query, all of them known. */
static void gather_small(void)
{
    static struct arena arena;
    struct gather gather;
    struct failure failure;

    if (arena.first == 0)
        arena_init(&arena, 16384);
    arena_reset(&arena);
    store_begin(bench.store, 1, 1800000000); /* no time passes: nothing is looked at again */
    if (gather_begin(&gather, bench.store, &bench.query, &arena, &failure) ||
        gather_step(&gather, &arena, &failure) != GATHER_DONE)
        die(failure.reason);
    bench.sink += gather.rows;
    gather_end(&gather);
}

static void search_warm(void)
{
    uint64_t second = (uint64_t)DAY * DATE_SECONDS + next_random() % DATE_SECONDS;

    bench.sink += timeindex_find(bench.times, ROWS, second);
}

/* The same with nothing of the column in the caches; what emptying them takes is not counted.
 */
static uint64_t search_cold_ns(void)
{
    for (size_t i = 0; i < (size_t)EVICT_MIB << 20; i += 64)
        bench.sink += (uint64_t)bench.evict[i]++;
    uint64_t start = clock_ns();
    search_warm();
    return clock_ns() - start;
}

static void index_day(void)
{
    struct timeindex index = { 0 };

    timeindex_extend(&index, bench.times, ROWS);
    bench.sink += index.max;
}

static void format_line(void)
{
    struct slice line = { NULL, 0 };
    uint64_t bytes;

    arena_reset(&bench.arena);
    raw_line(&bench.gather, &bench.plan, &bench.arena, &line, &bytes);
    bench.sink += line.len;
}

static void format_number(void)
{
    char text[NUM_TEXT];

    bench.sink += num_decimal(next_random() >> (next_random() & 63), text);
}

/* --- Timing */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(const char *name, double *rounds, const char *per, double divisor)
{
    qsort(rounds, ROUNDS, sizeof(*rounds), by_size);
    printf("%-44s %10.1f ns %s   (%.1f to %.1f)\n", name, rounds[ROUNDS / 2] / divisor, per,
           rounds[0] / divisor, rounds[ROUNDS - 1] / divisor);
}

static void measure(const char *name, void (*step)(void), const char *per, double divisor)
{
    double rounds[ROUNDS];

    step();
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_ns(), now = start, count = 0;

        while (now - start < ROUND_NS) {
            for (int i = 0; i < 16; i++)
                step();
            count += 16;
            now = clock_ns();
        }
        rounds[round] = (double)(now - start) / (double)count;
    }
    report(name, rounds, per, divisor);
}

static void measure_cold(void)
{
    double rounds[ROUNDS];

    for (int round = 0; round < ROUNDS; round++)
        rounds[round] = (double)search_cold_ns();
    report("binary search in 2 M rows, caches empty", rounds, "each", 1);
}

int main(void)
{
    struct failure failure = { 0 };
    char problem[256];

    log_set_level(LOG_LEVEL_WARN);
    make_data();
    bench.random = 88172645463325252;
    bench.evict = calloc(1, (size_t)EVICT_MIB << 20);
    bench.config = config_new();
    arena_init(&bench.arena, 16384);
    struct arena kept;
    arena_init(&kept, 16384);
    if (bench.evict == NULL || bench.config == NULL ||
        config_set(bench.config, "data", bench.folder, problem, sizeof(problem)) ||
        (bench.store = store_new(bench.config)) == NULL)
        die("micro");
    store_begin(bench.store, 1, 1800000000);
    if (query_parse(&bench.query, SLICE(QUERY), bench.config, &kept, &failure) ||
        gather_begin(&bench.gather, bench.store, &bench.query, &kept, &failure) ||
        gather_step(&bench.gather, &kept, &failure) != GATHER_DONE ||
        plan_make(&bench.plan, &bench.query, bench.gather.days, bench.gather.day_count, &kept))
        die(failure.reason);

    measure("parse the head of a request", parse_head, "each", 1);
    measure("parse a query", parse_query, "each", 1);
    measure("look up a small query, all known", gather_small, "each", 1);
    measure("binary search in 2 M rows, warm", search_warm, "each", 1);
    measure_cold();
    measure("index a day of 2 M rows", index_day, "a row", ROWS);
    measure("write the line of JSON", format_line, "each", 1);
    measure("write a number", format_number, "each", 1);

    gather_end(&bench.gather);
    store_free(bench.store);
    config_free(bench.config);
    arena_free(&bench.arena);
    arena_free(&kept);
    free(bench.evict);
    free(bench.times);
    remove_data();
    return bench.sink == 0; /* never, but the compiler cannot know */
}
