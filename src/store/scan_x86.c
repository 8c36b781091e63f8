/* Scans for x86-64. Each function is compiled for the instructions it needs; scan.c calls none
 * that the machine does not have. */
#include "store/scan.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* --- AVX2: eight seconds at once. It compares signed numbers only, and has no masks: rows that
 * are no eight any more are loaded by a vector that says which. */

#define AVX2 __attribute__((target("avx2,popcnt")))

static inline AVX2 __m256i load8(const uint32_t *times)
{
    return _mm256_loadu_si256((const __m256i *)times);
}

/* All ones in the first ${rows} places of eight. */
static inline AVX2 __m256i first_of_8(size_t rows)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)rows),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Order among signed numbers is that of unsigned ones whose highest bit is turned. */
static inline AVX2 __m256i turned(__m256i seconds)
{
    return _mm256_xor_si256(seconds, _mm256_set1_epi32(INT32_MIN));
}

static inline AVX2 __m256i below8(__m256i seconds, __m256i turned_second)
{
    return _mm256_cmpgt_epi32(turned_second, turned(seconds));
}

static AVX2 size_t avx2_below(const uint32_t *times, size_t rows, uint32_t second)
{
    const __m256i limit = turned(_mm256_set1_epi32((int)second));
    __m256i a = _mm256_setzero_si256(), b = a;
    size_t i = 0;

    for (; i + 16 <= rows; i += 16) {
        a = _mm256_sub_epi32(a, below8(load8(times + i), limit));
        b = _mm256_sub_epi32(b, below8(load8(times + i + 8), limit));
    }
    if (i + 8 <= rows) {
        a = _mm256_sub_epi32(a, below8(load8(times + i), limit));
        i += 8;
    }
    if (i < rows) {
        __m256i some = first_of_8(rows - i);
        __m256i last = _mm256_maskload_epi32((const int *)(times + i), some);

        b = _mm256_sub_epi32(b, _mm256_and_si256(some, below8(last, limit)));
    }
    a = _mm256_add_epi32(a, b);
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(sum);
}

/* One bit for each of eight seconds that is in the range. */
static inline AVX2 uint32_t between8(__m256i seconds, __m256i start, __m256i width)
{
    __m256i after = _mm256_sub_epi32(seconds, start);
    __m256i in = _mm256_cmpeq_epi32(_mm256_min_epu32(after, width), after);

    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(in));
}

/* The same of 32. */
static inline AVX2 uint32_t between32(const uint32_t *times, __m256i start, __m256i width)
{
    return between8(load8(times), start, width) |
           between8(load8(times + 8), start, width) << 8 |
           between8(load8(times + 16), start, width) << 16 |
           between8(load8(times + 24), start, width) << 24;
}

static AVX2 uint64_t avx2_between(const uint32_t *times, uint64_t rows, uint32_t from,
                                  uint32_t to, uint64_t *first, uint64_t *last)
{
    const __m256i start = _mm256_set1_epi32((int)from);
    const __m256i width = _mm256_set1_epi32((int)(to - from));
    uint64_t count = 0;

    for (uint64_t i = 0, step; i < rows; i += step) {
        uint32_t bits;

        step = 32;
        if (i + 32 <= rows) {
            bits = between32(times + i, start, width);
        } else {
            step = rows - i < 8 ? rows - i : 8;
            __m256i some = first_of_8(step);
            __m256i loaded = _mm256_maskload_epi32((const int *)(times + i), some);

            bits = between8(loaded, start, width) & ((1U << step) - 1);
        }
        if (bits == 0)
            continue;
        if (count == 0)
            *first = i + (uint64_t)__builtin_ctz(bits);
        *last = i + 31 - (uint64_t)__builtin_clz(bits);
        count += (uint64_t)__builtin_popcount(bits);
    }
    return count;
}

static inline AVX2 uint32_t least_of_8(__m256i seconds)
{
    __m128i least =
        _mm_min_epu32(_mm256_castsi256_si128(seconds), _mm256_extracti128_si256(seconds, 1));

    least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0x4e));
    least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(least);
}

static AVX2 bool avx2_order(const uint32_t *times, size_t rows, uint32_t *min, uint32_t *max)
{
    const __m256i ones = _mm256_set1_epi32(-1);
    __m256i least = _mm256_set1_epi32((int)times[0]), most = least, up = ones;
    size_t i = 1;

    for (; i + 8 <= rows; i += 8) {
        __m256i here = load8(times + i), before = load8(times + i - 1);

        least = _mm256_min_epu32(least, here);
        most = _mm256_max_epu32(most, here);
        up = _mm256_and_si256(up, _mm256_cmpeq_epi32(_mm256_max_epu32(before, here), here));
    }
    *min = least_of_8(least);
    *max = ~least_of_8(_mm256_xor_si256(most, ones));
    bool back = _mm256_movemask_epi8(up) != -1;
    for (; i < rows; i++) {
        *min = times[i] < *min ? times[i] : *min;
        *max = times[i] > *max ? times[i] : *max;
        back |= times[i] < times[i - 1];
    }
    return back;
}

const struct scan_variant scan_avx2 = { "AVX2", avx2_below, avx2_between, avx2_order };

/* --- AVX-512: sixteen at once, and masks; rows that are left out are not read. */

#define AVX512 __attribute__((target("avx512f,popcnt")))

/* Of the rows from ${i} on, as many as a vector holds. */
static inline AVX512 __mmask16 some_of_16(uint64_t i, uint64_t rows)
{
    return (__mmask16)(rows - i < 16 ? (1U << (rows - i)) - 1 : 0xffff);
}

static AVX512 size_t avx512_below(const uint32_t *times, size_t rows, uint32_t second)
{
    const __m512i limit = _mm512_set1_epi32((int)second);
    size_t count = 0;

    for (size_t i = 0; i < rows; i += 16) {
        __mmask16 some = some_of_16(i, rows);
        __m512i here = _mm512_maskz_loadu_epi32(some, times + i);

        count += (size_t)__builtin_popcount(_mm512_mask_cmplt_epu32_mask(some, here, limit));
    }
    return count;
}

static AVX512 uint64_t avx512_between(const uint32_t *times, uint64_t rows, uint32_t from,
                                      uint32_t to, uint64_t *first, uint64_t *last)
{
    const __m512i start = _mm512_set1_epi32((int)from);
    const __m512i width = _mm512_set1_epi32((int)(to - from));
    uint64_t count = 0;

    for (uint64_t i = 0; i < rows; i += 16) {
        __mmask16 some = some_of_16(i, rows);
        __m512i after = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(some, times + i), start);
        uint32_t bits = _mm512_mask_cmple_epu32_mask(some, after, width);

        if (bits == 0)
            continue;
        if (count == 0)
            *first = i + (uint64_t)__builtin_ctz(bits);
        *last = i + 31 - (uint64_t)__builtin_clz(bits);
        count += (uint64_t)__builtin_popcount(bits);
    }
    return count;
}

static AVX512 bool avx512_order(const uint32_t *times, size_t rows, uint32_t *min,
                                uint32_t *max)
{
    __m512i least = _mm512_set1_epi32((int)times[0]), most = least;
    uint32_t back = 0;

    for (size_t i = 1; i < rows; i += 16) {
        __mmask16 some = some_of_16(i, rows);
        __m512i here = _mm512_maskz_loadu_epi32(some, times + i);
        __m512i before = _mm512_maskz_loadu_epi32(some, times + i - 1);

        least = _mm512_mask_min_epu32(least, some, least, here);
        most = _mm512_mask_max_epu32(most, some, most, here);
        back |= _mm512_mask_cmplt_epu32_mask(some, here, before);
    }
    *min = _mm512_reduce_min_epu32(least);
    *max = _mm512_reduce_max_epu32(most);
    return back != 0;
}

const struct scan_variant scan_avx512 = { "AVX-512", avx512_below, avx512_between,
                                          avx512_order };

#endif
