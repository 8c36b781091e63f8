#ifndef QUERY_SURVEY_H
#define QUERY_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "base/slice.h"
#include "base/waker.h"
#include "store/census.h"
#include "store/day.h"
#include "store/store.h"

/*
 * What there is of a series, day by day: its files, from a census, and what is known of its
 * rows. Days are looked at one after another, so that others have their turn between them.
 */

struct survey {
    struct store *store;
    struct failure *failure;
    struct load_waiter waiter;
    struct slice exchange, symbol, type;
    struct series *series;      /* held; NULL: not found yet */
    struct census_load *taking; /* the census, if it is under way */
    struct census *census;      /* NULL: not taken yet */
    size_t next;                /* file of the census: the first of the next day */
    unsigned tries;
    unsigned budget; /* days left of this turn */
};

struct survey_day {
    int32_t number;
    const struct census_file *files; /* its own, by column */
    size_t file_count;
    uint64_t rows, bytes;
    uint32_t first, last; /* the smallest and the largest second; void without rows */
    bool live, sorted;
};

enum survey_state {
    SURVEY_BEGUN,  /* the series and its census are there */
    SURVEY_DAY,    /* here is another day */
    SURVEY_DONE,   /* there are no more */
    SURVEY_MORE,   /* call again, after others had their turn */
    SURVEY_WAIT,   /* call again once the waker was called */
    SURVEY_FAILED, /* the failure says why */
};

/**
 * survey_begin(survey, store, waker, failure):
 * Make ${survey} ready for the series whose names it has been given. All else of it is zeros;
 * it stays where it is until survey_end.
 */
void survey_begin(struct survey *survey, struct store *store, struct waker waker,
                  struct failure *failure);

/**
 * survey_find(survey):
 * Find the series, and take its census.
 */
enum survey_state survey_find(struct survey *survey);

/**
 * survey_step(survey, day):
 * Look at the next day, after SURVEY_BEGUN.
 */
enum survey_state survey_step(struct survey *survey, struct survey_day *day);

/**
 * survey_end(survey):
 * Let go of everything, at any time.
 */
void survey_end(struct survey *survey);

#endif
