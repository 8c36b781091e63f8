/* Scans for 64-bit ARM, whose vectors hold four seconds. */
#include "store/scan.h"

#if defined(__aarch64__)

#include <arm_neon.h>

static size_t neon_below(const uint32_t *times, size_t rows, uint32_t second)
{
    const uint32x4_t limit = vdupq_n_u32(second);
    uint32x4_t a = vdupq_n_u32(0), b = a;
    size_t i = 0;

    for (; i + 8 <= rows; i += 8) {
        a = vsubq_u32(a, vcltq_u32(vld1q_u32(times + i), limit));
        b = vsubq_u32(b, vcltq_u32(vld1q_u32(times + i + 4), limit));
    }
    size_t count = vaddvq_u32(vaddq_u32(a, b));
    for (; i < rows; i++)
        count += times[i] < second;
    return count;
}

/* All ones for each of four seconds that is in the range. */
static inline uint32x4_t between4(const uint32_t *times, uint32x4_t start, uint32x4_t width)
{
    return vcleq_u32(vsubq_u32(vld1q_u32(times), start), width);
}

/* Four bits for each of sixteen seconds that is in the range. */
static inline uint64_t between16(const uint32_t *times, uint32x4_t start, uint32x4_t width)
{
    uint16x8_t low = vcombine_u16(vmovn_u32(between4(times, start, width)),
                                  vmovn_u32(between4(times + 4, start, width)));
    uint16x8_t high = vcombine_u16(vmovn_u32(between4(times + 8, start, width)),
                                   vmovn_u32(between4(times + 12, start, width)));
    uint8x16_t all = vcombine_u8(vmovn_u16(low), vmovn_u16(high));

    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(all), 4)), 0);
}

static uint64_t neon_between(const uint32_t *times, uint64_t rows, uint32_t from, uint32_t to,
                             uint64_t *first, uint64_t *last)
{
    const uint32x4_t start = vdupq_n_u32(from), width = vdupq_n_u32(to - from);
    uint64_t count = 0;

    for (uint64_t i = 0, step; i < rows; i += step) {
        uint64_t bits;

        step = rows - i < 16 ? 1 : 16;
        bits = step == 16 ? between16(times + i, start, width) : times[i] - from <= to - from;
        if (bits == 0)
            continue;
        if (count == 0)
            *first = i + (uint64_t)__builtin_ctzll(bits) / 4;
        *last = i + 15 - (uint64_t)__builtin_clzll(bits) / 4;
        count += step == 1 ? 1 : (uint64_t)__builtin_popcountll(bits) / 4;
    }
    return count;
}

static bool neon_order(const uint32_t *times, size_t rows, uint32_t *min, uint32_t *max)
{
    uint32x4_t least = vdupq_n_u32(times[0]), most = least, down = vdupq_n_u32(0);
    size_t i = 1;

    for (; i + 4 <= rows; i += 4) {
        uint32x4_t here = vld1q_u32(times + i), before = vld1q_u32(times + i - 1);

        least = vminq_u32(least, here);
        most = vmaxq_u32(most, here);
        down = vorrq_u32(down, vcltq_u32(here, before));
    }
    *min = vminvq_u32(least);
    *max = vmaxvq_u32(most);
    bool back = vmaxvq_u32(down) != 0;
    for (; i < rows; i++) {
        *min = times[i] < *min ? times[i] : *min;
        *max = times[i] > *max ? times[i] : *max;
        back |= times[i] < times[i - 1];
    }
    return back;
}

const struct scan_variant scan_neon = { "NEON", neon_below, neon_between, neon_order };

#endif
