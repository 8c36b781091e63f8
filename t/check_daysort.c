#include "unit.h"

#include "tools/daysort.h"

static uint64_t state = 88172645463325252u;

static uint64_t random_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void check(uint64_t count, uint64_t from, uint64_t width)
{
    struct daysort_key *keys = calloc(count + 1, sizeof(*keys));
    struct daysort_key *scratch = calloc(count + 1, sizeof(*keys));
    unsigned char *seen = calloc(count + 1, 1);

    for (uint64_t i = 0; i < count; i++)
        keys[i] = (struct daysort_key){ from + random_bits() % width, i };
    const struct daysort_key *sorted = daysort_keys(keys, scratch, count);
    for (uint64_t i = 0; i < count; i++) {
        bool falls = i > 0 && sorted[i - 1].ns > sorted[i].ns;
        bool swaps =
            i > 0 && sorted[i - 1].ns == sorted[i].ns && sorted[i - 1].row > sorted[i].row;

        if (seen[sorted[i].row]++ || falls || swaps)
            ck_abort_msg("%llu of %llu", (unsigned long long)i, (unsigned long long)count);
    }
    free(keys);
    free(scratch);
    free(seen);
}

START_TEST(daysort_sorts_stably)
{
    static const uint64_t counts[] = { 0, 1, 2, 3, 100, 100000 };
    static const uint64_t widths[] = { 1, 2, 10, 5000, 86400000000000, UINT64_MAX / 2 };

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        for (size_t k = 0; k < COUNT_OF(widths); k++)
            check(counts[i], k % 2 ? 1723161600000000000 : 0, widths[k]);
    }
}
END_TEST

UNIT("daysort", daysort_sorts_stably)
