#ifndef STORE_BOARD_H
#define STORE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "store/cache.h"
#include "system/segment.h"

/*
 * Where the workers of a server put up what takes long to find out about DATA as a whole, so
 * that one of them looks at the disk and the others read what it found. Each kind of thing has
 * a place with two files, one of which holds the newest content, and a note that says which.
 *
 * Whoever wants to look at the disk for all claims the place. Nobody waits for a claim: who
 * does not get it does without, or looks for himself. A process may be killed at any
 * instruction; the argument is at the head of board.c.
 *
 * board_write and board_read may block, and are for any thread; the others do not, and are for
 * one thread of a process.
 */

#define BOARD_PLACES (SEGMENT_SCRATCH / 2)

struct board_note {
    uint64_t generation; /* another number for each content that was ever put up; 0: none */
    uint64_t origin;     /* what it is about: a number of the user's */
    uint64_t base;       /* the generation of what it was made from; 0: nothing */
    uint64_t file;       /* 0 or 1 */
    uint64_t bytes, hash;
    uint64_t checked; /* clock_ms when the last look began that found it so */
    uint64_t wall;    /* likewise, seconds since the epoch */
    uint64_t took;    /* nanoseconds */
    uint64_t claim;   /* under which this was put up: board_untouched */
    uint64_t watched; /* it is right as long as the kernel tells of no change: store/watch.h */
};

/* One process's view of it. */
struct board {
    const struct segment *segment; /* NULL: there is none, and nothing on it */
    struct cache notes[BOARD_PLACES];
    uint64_t *claims;
    unsigned owner;
};

/**
 * board_bytes():
 * The bytes of the segment that it needs.
 */
size_t board_bytes(void);

/**
 * board_attach(board, segment, owner):
 * Make ${board} this process's view of that in ${segment}; ${owner} as for cache_attach.
 */
void board_attach(struct board *board, const struct segment *segment, unsigned owner);

/**
 * board_find(board, place, now, note):
 * Copy the note of ${place}; ${now} is clock_ms. Returns whether there is one.
 */
bool board_find(const struct board *board, unsigned place, uint64_t now,
                struct board_note *note);

/**
 * board_read(board, place, note, bytes):
 * Read the content that ${note} tells of into memory, to be freed, as ${bytes}. Returns 0; or
 * -1 if it is not there any more, or without memory.
 */
int board_read(const struct board *board, unsigned place, const struct board_note *note,
               struct slice *bytes);

/**
 * board_claim(board, place):
 * Try to become the one who looks at the disk for ${place}. Returns the generation that what is
 * found is to have, until board_release; 0 if another one is at it.
 */
uint64_t board_claim(const struct board *board, unsigned place);

/**
 * board_write(board, place, before, bytes, note):
 * Write ${bytes} to the file that ${before}, the note of ${place} (generation 0: none), does
 * not tell of, and say so in the ${note}: file, bytes and hash; its generation is set already.
 * For who has the claim. Returns 0, or -1 with errno.
 */
int board_write(const struct board *board, unsigned place, const struct board_note *before,
                struct slice bytes, struct board_note *note);

/**
 * board_put(board, place, now, note):
 * Put ${note} up, for who has the claim.
 */
void board_put(struct board *board, unsigned place, uint64_t now,
               const struct board_note *note);

/**
 * board_release(board, place):
 * Give the claim back.
 */
void board_release(const struct board *board, unsigned place);

/**
 * board_untouched(board, place, note):
 * Whether nobody has claimed ${place} since ${note} was put up.
 */
bool board_untouched(const struct board *board, unsigned place, const struct board_note *note);

/**
 * board_sweep(board, owner):
 * Undo what the dead process ${owner} was in the middle of; see cache_sweep.
 */
unsigned board_sweep(struct board *board, unsigned owner);

#endif
