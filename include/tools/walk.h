#ifndef TOOLS_WALK_H
#define TOOLS_WALK_H

#include <stddef.h>
#include <stdint.h>

/*
 * A made-up market: the best bid and ask of a symbol as a random walk through a day. The walk
 * of a day depends on seed, symbol, day and number of rows alone, begins where that of the day
 * before ended, and is integer arithmetic throughout, so that every machine makes the same.
 */

struct walk_tick {
    uint64_t ns;      /* since the epoch */
    int64_t bid, ask; /* in units of 1/scale */
    uint64_t random;  /* bits for whatever else a row needs */
};

/* Passive, but for walk.c to change. */
struct walk {
    uint64_t steps, extra; /* the two random generators */
    uint64_t row, rows;
    uint64_t slot, slot_len, slot_rest,
        slot_error;           /* where the row's share of the day begins */
    int64_t from, correction; /* what bends the walk to its end */
    int64_t offset, step_max; /* how far it has strayed */
    double scale;
};

/**
 * walk_start(walk, seed, symbol, day, rows):
 * Begin the walk of ${rows} ticks (1 to 10^10) of ${symbol} on ${day} (since 1970-01-01).
 */
void walk_start(struct walk *walk, uint64_t seed, const char *symbol, int32_t day,
                uint64_t rows);

/**
 * walk_next(walk, tick):
 * Store the next tick of the day in ${tick}; ns never steps back. To be called as many times as
 * the walk has rows.
 */
void walk_next(struct walk *walk, struct walk_tick *tick);

/**
 * walk_symbol(i, text, size):
 * Write the name of the ${i}th (from 0) of the symbols that come without asking, BTC-USD,
 * ETH-USD and so on, to ${text} of ${size} bytes; returns ${text}.
 */
char *walk_symbol(unsigned i, char *text, size_t size);

#endif
