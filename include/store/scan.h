#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Looking at many seconds (u32) at once: in vectors, as wide as the machine has them. Pure
 * functions of memory. None reads outside the rows it is given; should they change meanwhile,
 * the answer is of no use, but within its range: counts are at most ${rows}, places below it.
 *
 * How it is done is chosen once, before main().
 */

/* One way to do it. */
struct scan_variant {
    const char *name;
    size_t (*below)(const uint32_t *times, size_t rows, uint32_t second);
    uint64_t (*between)(const uint32_t *times, uint64_t rows, uint32_t start, uint32_t end,
                        uint64_t *first, uint64_t *last);
    bool (*order)(const uint32_t *times, size_t rows, uint32_t *min, uint32_t *max);
};

/* The chosen one; only who measures them all chooses again. */
extern const struct scan_variant *scan_chosen;

/**
 * scan_variants(count):
 * Those that this machine can run, ${count} of them, from the slowest to the chosen one.
 */
const struct scan_variant *const *scan_variants(size_t *count);

/**
 * scan_below(times, rows, second):
 * How many of ${rows} seconds, fewer than 2^32, are smaller than ${second}, in whatever order
 * they are.
 */
static inline size_t scan_below(const uint32_t *times, size_t rows, uint64_t second)
{
    return second > UINT32_MAX ? rows : scan_chosen->below(times, rows, (uint32_t)second);
}

/**
 * scan_between(times, rows, start, end, first, last):
 * How many of ${rows} seconds are from ${start} to ${end}, which is not smaller; and the places
 * of the ${first} and the ${last} of them, which are left alone where there is none.
 */
static inline uint64_t scan_between(const uint32_t *times, uint64_t rows, uint32_t start,
                                    uint32_t end, uint64_t *first, uint64_t *last)
{
    return scan_chosen->between(times, rows, start, end, first, last);
}

/**
 * scan_order(times, rows, min, max):
 * Put the smallest and the largest of ${rows} seconds, one or more, into ${min} and ${max}.
 * Returns whether one of them is smaller than the one before it.
 */
static inline bool scan_order(const uint32_t *times, size_t rows, uint32_t *min, uint32_t *max)
{
    return scan_chosen->order(times, rows, min, max);
}

/* The variants of other files. */
#if defined(__x86_64__)
extern const struct scan_variant scan_avx2, scan_avx512;
#elif defined(__aarch64__)
extern const struct scan_variant scan_neon;
#endif

#endif
