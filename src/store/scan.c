#include "store/scan.h"

/* Loops that any compiler can make vectors of, as far as every machine of its kind has them. */

static size_t scalar_below(const uint32_t *times, size_t rows, uint32_t second)
{
    size_t count = 0;

    for (size_t i = 0; i < rows; i++)
        count += times[i] < second;
    return count;
}

static uint64_t scalar_between(const uint32_t *times, uint64_t rows, uint32_t start,
                               uint32_t end, uint64_t *first, uint64_t *last)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < rows; i++) {
        if (times[i] - start > end - start)
            continue;
        if (count++ == 0)
            *first = i;
        *last = i;
    }
    return count;
}

static bool scalar_order(const uint32_t *times, size_t rows, uint32_t *min, uint32_t *max)
{
    uint32_t least = times[0], most = times[0];
    bool back = false;

    for (size_t i = 0; i < rows; i++) {
        least = times[i] < least ? times[i] : least;
        most = times[i] > most ? times[i] : most;
    }
    for (size_t i = 1; i < rows; i++)
        back |= times[i] < times[i - 1];
    *min = least;
    *max = most;
    return back;
}

static const struct scan_variant scalar = { "scalar", scalar_below, scalar_between,
                                            scalar_order };

static const struct scan_variant *runnable[3] = { &scalar };
static size_t runnable_count = 1;
const struct scan_variant *scan_chosen = &scalar;

static void add(const struct scan_variant *variant)
{
    runnable[runnable_count++] = scan_chosen = variant;
}

__attribute__((constructor)) static void choose(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt"))
        add(&scan_avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("popcnt"))
        add(&scan_avx512);
#elif defined(__aarch64__)
    add(&scan_neon); /* every processor of this kind has it */
#else
    (void)add;
#endif
}

const struct scan_variant *const *scan_variants(size_t *count)
{
    *count = runnable_count;
    return runnable;
}
