#include "store/days.h"

void days_add(struct days *days, int32_t day)
{
    unsigned bit = (unsigned)(day - DATE_FIRST);

    days->words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

int32_t days_next(const struct days *days, int32_t day)
{
    if (day > DATE_LAST)
        return INT32_MAX;
    unsigned bit = day < DATE_FIRST ? 0 : (unsigned)(day - DATE_FIRST);
    unsigned word = bit / 64;
    uint64_t left = days->words[word] >> (bit % 64) << (bit % 64);

    while (left == 0) {
        if (++word == DAYS_WORDS)
            return INT32_MAX;
        left = days->words[word];
    }
    return (int32_t)(DATE_FIRST + word * 64 + (unsigned)__builtin_ctzll(left));
}

/* The days of the set before ${day}. */
static unsigned count_before(const struct days *days, int32_t day)
{
    unsigned count = 0, bit;

    if (day <= DATE_FIRST)
        return 0;
    bit = (unsigned)((day > DATE_LAST ? DATE_LAST + 1 : day) - DATE_FIRST);
    for (unsigned word = 0; word < bit / 64; word++)
        count += (unsigned)__builtin_popcountll(days->words[word]);
    if (bit % 64 != 0)
        count += (unsigned)__builtin_popcountll(days->words[bit / 64] << (64 - bit % 64));
    return count;
}

unsigned days_count(const struct days *days, int32_t first, int32_t last)
{
    return first > last ? 0 : count_before(days, last + 1) - count_before(days, first);
}
