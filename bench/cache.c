/*
 * What the table that processes share (store/cache.h) costs: nanoseconds for a look-up that
 * finds its value (8 words, and no less than all of it), for one that finds nothing, for
 * reading two words by a hint, and for a put, alone; then for look-ups by two processes on two
 * cores, on the same keys, and how many more of them two get done than one. Medians of several
 * rounds, and the spread of the rounds beside them.
 *
 *     bench/cache            all of that
 *     bench/cache find       look-ups that hit, 10,000,000 of them, and nothing else: for
 *                            perf stat -e instructions:u, or valgrind --tool=callgrind
 *                            --toggle-collect=cache_find (a build with -fno-lto)
 *
 * Instructions are counted here, too, where the machine and kernel.perf_event_paranoid let us.
 */
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "store/cache.h"
#include "system/shared.h"

#define WORDS 8
#define ENTRIES 4096
#define KEYS 3000 /* put, and looked up if there was room: some 12 in every set */
#define ROUNDS 9
#define ROUND_STEPS 2000000
#define PLAYERS 2

static struct {
    struct cache cache;
    struct cpu_list cores;
    struct cache_key keys[KEYS];
    struct cache_hint hints[KEYS];
    unsigned keys_count;
    uint64_t sink; /* results go here, so that nothing is left out as useless */
    struct shared {
        uint64_t ready[PLAYERS], go, unused[5];
        uint64_t ns[PLAYERS];
    } * shared;
} bench;

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void *shared_memory(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

/* As the store makes them: names and a day. */
static struct cache_key key_of(uint64_t number)
{
    return (struct cache_key){ { number % 7 << 32 | number % 3, number / 21 << 32 | 20089 } };
}

/* --- The steps: each does ROUND_STEPS of them. */

static void find(void)
{
    uint64_t value[WORDS];
    struct cache_hint hint;

    for (unsigned i = 0; i < ROUND_STEPS; i++) {
        if (cache_find(&bench.cache, bench.keys[i % bench.keys_count], 1000, value, &hint))
            bench.sink += value[i % WORDS];
    }
}

static void miss(void)
{
    uint64_t value[WORDS];
    struct cache_hint hint;

    for (unsigned i = 0; i < ROUND_STEPS; i++)
        bench.sink += cache_find(&bench.cache, key_of(1u << 20 | i % KEYS), 1000, value, &hint);
}

static void read_by_hint(void)
{
    static const unsigned places[] = { 1, 6 };
    uint64_t words[2];

    for (unsigned i = 0; i < ROUND_STEPS; i++) {
        if (cache_read(&bench.cache, &bench.hints[i % bench.keys_count], 1000, places, 2,
                       words))
            bench.sink += words[1];
    }
}

static void put(void)
{
    uint64_t value[WORDS] = { 0 };
    struct cache_hint hint;

    for (unsigned i = 0; i < ROUND_STEPS; i++) {
        value[0] = i;
        bench.sink +=
            cache_put(&bench.cache, bench.keys[i % bench.keys_count], 1000, value, &hint);
    }
}

/* More keys than there is room for: every put has another entry go. */
static void put_new(void)
{
    uint64_t value[WORDS] = { 0 };
    struct cache_hint hint;

    for (unsigned i = 0; i < ROUND_STEPS; i++)
        bench.sink += cache_put(&bench.cache, key_of(i), 1000, value, &hint);
}

/* --- Measuring */

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double *rounds)
{
    qsort(rounds, ROUNDS, sizeof(*rounds), compare);
    return rounds[ROUNDS / 2];
}

static int open_counter(void)
{
    struct perf_event_attr attr = { .type = PERF_TYPE_HARDWARE,
                                    .size = sizeof(attr),
                                    .config = PERF_COUNT_HW_INSTRUCTIONS,
                                    .exclude_kernel = 1,
                                    .exclude_hv = 1 };

    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* Instructions of one step; 0 where nobody counts them. */
static double instructions(void (*step)(void))
{
    uint64_t before = 0, after = 0;
    int fd = open_counter();

    if (fd < 0)
        return 0;
    bool fine = read(fd, &before, sizeof(before)) == sizeof(before);
    step();
    fine = fine && read(fd, &after, sizeof(after)) == sizeof(after);
    close(fd);
    return fine ? (double)(after - before) / ROUND_STEPS : 0;
}

static double time_alone(const char *what, void (*step)(void))
{
    double rounds[ROUNDS];

    step();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = clock_ns();

        step();
        rounds[i] = (double)(clock_ns() - begin) / ROUND_STEPS;
    }
    double middle = median(rounds), count = instructions(step);
    printf("%-28s %7.1f ns  (%.1f to %.1f)", what, middle, rounds[0], rounds[ROUNDS - 1]);
    if (count > 0)
        printf("  %.0f instructions", count);
    printf("\n");
    return middle;
}

static void play(unsigned player, void (*step)(void))
{
    struct shared *shared = bench.shared;

    cpu_pin(bench.cores.cpus[player]);
    bench.cache.owner = player + 2;
    step();
    shared_store(&shared->ready[player], 1);
    while (shared_load(&shared->go) == 0)
        ;
    uint64_t begin = clock_ns();
    step();
    shared->ns[player] = clock_ns() - begin;
    _exit(0);
}

/* The nanoseconds of a step of each of two, who begin together. */
static double time_two(const char *what, void (*const steps[PLAYERS])(void))
{
    double rounds[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        memset(bench.shared, 0, sizeof(*bench.shared));
        for (unsigned player = 0; player < PLAYERS; player++) {
            pid_t pid = fork();

            if (pid < 0)
                die("fork");
            if (pid == 0)
                play(player, steps[player]);
        }
        while (shared_load(&bench.shared->ready[0]) + shared_load(&bench.shared->ready[1]) < 2)
            usleep(1000);
        shared_store(&bench.shared->go, 1);
        for (unsigned player = 0; player < PLAYERS; player++)
            wait(NULL);
        rounds[i] = (double)bench.shared->ns[0] / ROUND_STEPS;
    }
    double middle = median(rounds);
    printf("%-28s %7.1f ns  (%.1f to %.1f)\n", what, middle, rounds[0], rounds[ROUNDS - 1]);
    return middle;
}

static void fill_table(void)
{
    size_t bytes = cache_bytes(ENTRIES, WORDS);
    uint64_t value[WORDS] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    cache_attach(&bench.cache, shared_memory(bytes), bytes, WORDS, 1);
    for (unsigned i = 0; i < KEYS; i++) {
        if (!cache_put(&bench.cache, key_of(i), 1000, value, &bench.hints[i]))
            die("cache_put");
    }
    for (unsigned i = 0; i < KEYS; i++) {
        struct cache_hint *hint = &bench.hints[bench.keys_count];

        if (cache_find(&bench.cache, key_of(i), 1000, value, hint))
            bench.keys[bench.keys_count++] = key_of(i);
    }
}

int main(int argc, char **argv)
{
    bench.shared = shared_memory(sizeof(*bench.shared));
    if (cpu_allowed(&bench.cores))
        die("cores");
    cpu_pin(bench.cores.cpus[0]);
    fill_table();
    if (argc > 1 && strcmp(argv[1], "find") == 0) {
        for (int i = 0; i < 5; i++)
            find();
        return EXIT_SUCCESS;
    }
    if (argc > 1) {
        fprintf(stderr, "usage: cache [find]\n");
        return 2;
    }
    double one = time_alone("find", find);
    time_alone("find nothing", miss);
    time_alone("read 2 words by a hint", read_by_hint);
    if (bench.cores.count >= PLAYERS) {
        double two = time_two("find, two at once", (void (*const[])(void)){ find, find });
        printf("%-28s %7.2f times one\n", "look-ups per second of two", 2 * one / two);
        time_two("find, while another puts", (void (*const[])(void)){ find, put });
    }
    time_alone("put", put);
    time_alone("put, another goes", put_new);
    return bench.sink == 1; /* never so */
}
