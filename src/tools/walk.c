#include "tools/walk.h"

#include <stdio.h>
#include <string.h>

#include "base/date.h"

#define DAY_NS (DATE_SECONDS * UINT64_C(1000000000))
#define SUBUNITS 256 /* the walk moves in this part of a price unit */

static const struct {
    const char *symbol;
    int64_t price; /* in units of 1/scale */
    double scale;
} known[] = {
    { "BTC-USD", 9500000, 100 }, { "ETH-USD", 330000, 100 },  { "SOL-USD", 19000, 100 },
    { "XRP-USD", 25000, 10000 }, { "ADA-USD", 9500, 10000 },  { "DOGE-USD", 32000, 100000 },
    { "LTC-USD", 11000, 100 },   { "LINK-USD", 20000, 1000 }, { "AVAX-USD", 35000, 1000 },
    { "DOT-USD", 6500, 1000 },
};
#define KNOWN (sizeof(known) / sizeof(*known))

char *walk_symbol(unsigned i, char *text, size_t size)
{
    if (i < KNOWN)
        snprintf(text, size, "%s", known[i].symbol);
    else
        snprintf(text, size, "SYM%u-USD", i + 1);
    return text;
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
 * Generators", 2014), which is also a good hash of a number. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(*state);
}

/* FNV-1a. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* Between -1000000 and 1000000: lines between random points, ${period} days apart. */
static int64_t noise(uint64_t key, int32_t day, int32_t period)
{
    int32_t cell = day / period, within = day % period;
    uint64_t k = key ^ ((uint64_t)period << 32);
    int64_t a = (int64_t)(mix(k + (uint64_t)cell) % 2000001) - 1000000;
    int64_t b = (int64_t)(mix(k + (uint64_t)cell + 1) % 2000001) - 1000000;

    return a + (b - a) * within / period;
}

/* The price at the first nanosecond of ${day}, in subunits. */
static int64_t level(uint64_t key, int32_t day, int64_t price)
{
    int64_t millionths = (160 * noise(key, day, 97) + 60 * noise(key, day, 17) +
                          30 * noise(key, day, 5) + 12 * noise(key, day, 1)) /
                         1000;

    return price * SUBUNITS * (1000000 + millionths) / 1000000;
}

static uint64_t square_root(uint64_t n)
{
    uint64_t root = 0;

    for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1) {
        if ((root | bit) * (root | bit) <= n)
            root |= bit;
    }
    return root;
}

/* Evenly from 0 to ${below} - 1, by the upper half of ${random}. */
static uint64_t scaled(uint64_t random, uint64_t below)
{
    return ((random >> 32) * below) >> 32;
}

static int64_t step(struct walk *walk)
{
    uint64_t width = 2 * (uint64_t)walk->step_max + 1;

    return (int64_t)scaled(next(&walk->steps), width) - walk->step_max;
}

void walk_start(struct walk *walk, uint64_t seed, const char *symbol, int32_t day,
                uint64_t rows)
{
    uint64_t key = mix(seed ^ hash_text(symbol));
    int64_t price = 1000 + (int64_t)(key % 100000);

    memset(walk, 0, sizeof(*walk));
    walk->scale = 100;
    for (size_t i = 0; i < KNOWN; i++) {
        if (strcmp(symbol, known[i].symbol) == 0) {
            price = known[i].price;
            walk->scale = known[i].scale;
        }
    }
    walk->rows = rows;
    walk->slot = (uint64_t)day * DAY_NS;
    walk->slot_len = DAY_NS / rows;
    walk->slot_rest = DAY_NS % rows;
    walk->from = level(key, day, price);
    walk->steps = mix(key + (uint64_t)day);
    walk->extra = mix(walk->steps);
    /* Even steps of at most 2.6 % / sqrt(rows) stray about 1.5 % in a day. */
    walk->step_max = walk->from * 26 / 1000 / (int64_t)square_root(rows) + 1;

    /* Walk once to see where it ends, then again from the same state, bent to the next day. */
    uint64_t steps = walk->steps;
    int64_t end = 0;
    for (uint64_t i = 0; i < rows; i++)
        end += step(walk);
    walk->steps = steps;
    walk->correction = level(key, day + 1, price) - walk->from - end;
}

/* Where in the day the row comes: somewhere in its share of it. */
static uint64_t place(struct walk *walk, uint64_t random)
{
    /* The share is below 2^47 ns; of a longer one than 2^32 the first 2^32 will do. */
    uint64_t share = walk->slot_len >> 32 ? UINT32_MAX : walk->slot_len;
    uint64_t ns = walk->slot + scaled(random << 32, share);

    walk->slot += walk->slot_len;
    walk->slot_error += walk->slot_rest;
    if (walk->slot_error >= walk->rows) {
        walk->slot_error -= walk->rows;
        walk->slot++;
    }
    return ns;
}

void walk_next(struct walk *walk, struct walk_tick *tick)
{
    uint64_t random = next(&walk->extra);

    walk->offset += step(walk);
    walk->row++;
    int64_t bend = walk->correction * (int64_t)walk->row / (int64_t)walk->rows;
    int64_t middle = (walk->from + walk->offset + bend) / SUBUNITS;

    tick->ns = place(walk, random);
    tick->bid = middle > 1 ? middle : 1;
    tick->ask = tick->bid + 1 + __builtin_ctzll(random >> 32 | 16);
    tick->random = mix(random);
}
