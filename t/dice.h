#ifndef T_DICE_H
#define T_DICE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* ck_assert for what is asked a million times: Check's own notes down every one in a file. */
#define MUST(claim)                                                                            \
    do {                                                                                       \
        if (!(claim))                                                                          \
            ck_abort_msg("%s", "not so: " #claim);                                             \
    } while (0)

/*
 * Random numbers that are the same in every run. TICKD_SEED in the environment, a number, makes
 * other ones.
 */

struct dice {
    uint64_t state;
};

static inline struct dice dice_new(uint64_t seed)
{
    const char *other = getenv("TICKD_SEED");

    return (struct dice){ seed + (other == NULL ? 0 : strtoull(other, NULL, 10) * 1000003) };
}

/* SplitMix64 (Sebastiano Vigna, public domain). */
static inline uint64_t dice_bits(struct dice *dice)
{
    uint64_t mixed = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* A number from 0 to ${sides} - 1. */
static inline unsigned dice_roll(struct dice *dice, unsigned sides)
{
    return (unsigned)(dice_bits(dice) % sides);
}

static inline void dice_fill(struct dice *dice, void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)dice_bits(dice);
}

#endif
