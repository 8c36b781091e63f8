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
#include "store/scan.h"
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
    struct timeindex index; /* of these */
    struct timefences fences;
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

/* A second request of a connection: only its target has to be looked at. */
static void parse_head_again(void)
{
    static const char head[] = HEAD;
    static struct http1_scan scan;
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
    gather_begin(&gather, bench.store, &bench.query, (struct waker){ NULL, NULL }, &failure);
    if (gather_step(&gather, &arena) != GATHER_DONE)
        die(failure.reason);
    bench.sink += gather.rows;
    gather_end(&gather);
}

/* A range of eight seconds somewhere in the day. */
static struct timerange next_range(void)
{
    uint32_t start = (uint32_t)(DAY * DATE_SECONDS + next_random() % (DATE_SECONDS - 8));

    return (struct timerange){ .start = start, .end = start + 8 };
}

/* As a textbook has it: what the searches below are to beat. */
static uint64_t halve(const uint32_t *times, uint64_t rows, uint64_t second)
{
    const uint32_t *base = times;

    while (rows > 1) {
        uint64_t half = rows / 2;

        base = base[half - 1] < second ? base + half : base;
        rows -= half;
    }
    return (uint64_t)(base - times) + (*base < second);
}

static void search_halves(void)
{
    struct timerange range = next_range();

    bench.sink += halve(bench.times, ROWS, range.start);
    bench.sink += halve(bench.times, ROWS, (uint64_t)range.end + 1);
}

static void select_within(struct timerange range, struct timebounds bounds)
{
    bench.sink += timeindex_select(&bench.index, bench.times, NULL, ROWS, range, bounds).count;
}

static void search_day(void)
{
    select_within(next_range(), timeindex_bounds_all(ROWS));
}

static void search_fences(void)
{
    struct timerange range = next_range();

    select_within(range, timeindex_bounds(&bench.fences, ROWS, DAY, ROWS, range));
}

/* ${step} with nothing of the column in the caches; what emptying them takes is not counted. */
static uint64_t cold_ns(void (*step)(void))
{
    for (size_t i = 0; i < (size_t)EVICT_MIB << 20; i += 64)
        bench.sink += (uint64_t)bench.evict[i]++;
    uint64_t start = clock_ns();
    step();
    return clock_ns() - start;
}

static void index_day(void)
{
    struct timeindex index = { 0 };

    timeindex_extend(&index, bench.times, ROWS);
    bench.sink += index.max;
}

static void build_fences(void)
{
    timeindex_fences(&bench.index, bench.times, DAY, &bench.fences, 0);
    bench.sink += bench.fences.rows[1];
}

/* All of a day out of order. */
static void scan_day(void)
{
    uint64_t first = 0, last = 0;

    bench.sink += scan_between(bench.times, ROWS, DAY * DATE_SECONDS + 30000,
                               DAY * DATE_SECONDS + 60000, &first, &last);
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

static void measure_cold(const char *name, void (*step)(void))
{
    double rounds[ROUNDS];

    for (int round = 0; round < ROUNDS; round++)
        rounds[round] = (double)cold_ns(step);
    report(name, rounds, "each", 1);
}

/* Searches in a day; both ends of a range each. */
static void measure_searches(void)
{
    timeindex_extend(&bench.index, bench.times, ROWS);
    measure("put up the fences of 2 M rows", build_fences, "a day", 1);
    measure("range in 2 M rows by halves", search_halves, "each", 1);
    measure("range in 2 M rows", search_day, "each", 1);
    measure("range in 2 M rows between fences", search_fences, "each", 1);
    measure_cold("range by halves, caches empty", search_halves);
    measure_cold("range, caches empty", search_day);
    measure_cold("range between fences, caches empty", search_fences);
}

/* The same with all variants, of which the chosen one comes last. */
static void measure_scans(void)
{
    size_t count;
    const struct scan_variant *const *variants = scan_variants(&count);
    char name[64];

    for (size_t v = 0; v < count; v++) {
        scan_chosen = variants[v];
        snprintf(name, sizeof(name), "index a day of 2 M rows, %s", scan_chosen->name);
        measure(name, index_day, "a row", ROWS);
        snprintf(name, sizeof(name), "select in 2 M rows out of order, %s", scan_chosen->name);
        measure(name, scan_day, "a row", ROWS);
        snprintf(name, sizeof(name), "range between fences, %s", scan_chosen->name);
        measure(name, search_fences, "each", 1);
    }
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
        (bench.store = store_new(bench.config, NULL, NULL)) == NULL)
        die("micro");
    store_begin(bench.store, 1, 1800000000);
    if (query_parse(&bench.query, SLICE(QUERY), bench.config, &kept, &failure))
        die(failure.reason);
    gather_begin(&bench.gather, bench.store, &bench.query, (struct waker){ NULL, NULL },
                 &failure);
    if (gather_step(&bench.gather, &kept) != GATHER_DONE ||
        plan_make(&bench.plan, &bench.query, bench.gather.days, bench.gather.day_count, &kept))
        die(failure.reason);

    measure("parse the head of a request", parse_head, "each", 1);
    measure("parse a head like the last one", parse_head_again, "each", 1);
    measure("parse a query", parse_query, "each", 1);
    measure("look up a small query, all known", gather_small, "each", 1);
    measure_searches();
    measure_scans();
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
