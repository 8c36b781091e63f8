#ifndef QUERY_RANKING_H
#define QUERY_RANKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/utf8.h"
#include "store/instruments.h"

/*
 * How well instruments fit what somebody types. Pure functions of memory, in slices, so that a
 * search of many lets others have their turn.
 */

#define RANKING_BEST 20   /* results */
#define RANKING_QUERY 128 /* bytes of a query */
#define RANKING_TERMS 64

struct ranking_result {
    const struct instrument *instrument;
    unsigned score;
};

struct ranking {
    const struct instruments *among;
    uint32_t next; /* to look at */
    unsigned term_count;
    struct slice terms[RANKING_TERMS]; /* in small letters */
    unsigned count;
    struct ranking_result best[RANKING_BEST];    /* best first; equals by id */
    char text[UTF8_FOLD_GROWTH * RANKING_QUERY]; /* of the terms */
};

/**
 * ranking_begin(ranking, text):
 * Make ${ranking} one for ${text}, valid UTF-8 of at most RANKING_QUERY bytes: terms separated
 * by spaces or '/'. What to look among is to be set then.
 */
void ranking_begin(struct ranking *ranking, struct slice text);

/**
 * ranking_score(ranking, instrument):
 * How well ${instrument} fits; 0: not at all.
 *
 * One term: 150 equals an id, 120 within one, 100 the base, 90 the quote, 80 a tag, 70 within
 * the display name, 60 within a tag, 50 a word of name or description, 40 within one. Two, in
 * either order: 150 the id itself, 140 base and quote, 100 both in id, names or description.
 * More: 100 if all are. An id is the normalised one, or a symbol of an exchange.
 */
unsigned ranking_score(const struct ranking *ranking, const struct instrument *instrument);

/**
 * ranking_step(ranking):
 * Look at some more. Returns whether there are others still.
 */
bool ranking_step(struct ranking *ranking);

#endif
