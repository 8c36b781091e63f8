#include "store/days.h"

void days_add(struct days *days, int32_t day)
{
    unsigned bit = (unsigned)(day - DATE_FIRST);

    days->words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

int32_t days_next(const struct days *days, int32_t first, int32_t last)
{
    first = first < DATE_FIRST ? DATE_FIRST : first;
    last = last > DATE_LAST ? DATE_LAST : last;
    if (first > last)
        return INT32_MAX;

    unsigned bit = (unsigned)(first - DATE_FIRST), end = (unsigned)(last - DATE_FIRST) / 64;
    unsigned word = bit / 64;
    uint64_t left = days->words[word] >> (bit % 64) << (bit % 64);
    while (left == 0) {
        if (++word > end)
            return INT32_MAX;
        left = days->words[word];
    }
    int32_t next = (int32_t)(DATE_FIRST + word * 64 + (unsigned)__builtin_ctzll(left));
    return next <= last ? next : INT32_MAX;
}

/* The days of a word that stand from bit ${from} to bit ${to}. */
static unsigned count_bits(uint64_t word, unsigned from, unsigned to)
{
    return (unsigned)__builtin_popcountll(word >> from << from << (63 - to));
}

unsigned days_count(const struct days *days, int32_t first, int32_t last)
{
    first = first < DATE_FIRST ? DATE_FIRST : first;
    last = last > DATE_LAST ? DATE_LAST : last;
    if (first > last)
        return 0;

    unsigned from = (unsigned)(first - DATE_FIRST), to = (unsigned)(last - DATE_FIRST);
    unsigned count = 0;
    for (unsigned word = from / 64; word <= to / 64; word++) {
        if (days->words[word] != 0)
            count += count_bits(days->words[word], word == from / 64 ? from % 64 : 0,
                                word == to / 64 ? to % 64 : 63);
    }
    return count;
}
