#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that lives as long as one request: taken piece by piece, given back all at once. The
 * first block stays, so that an ordinary request allocates nothing.
 */

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first; the last one is the block that stays */
    size_t used;                /* bytes taken from the newest block */
    size_t first;               /* bytes of the block that stays */
};

/**
 * arena_init(arena, first):
 * Make ${arena} an empty arena whose first block, of ${first} bytes, is allocated when it is
 * first needed.
 */
void arena_init(struct arena *arena, size_t first);

/**
 * arena_take(arena, size):
 * Return ${size} bytes, aligned for anything, valid until arena_reset; or NULL without memory.
 */
void *arena_take(struct arena *arena, size_t size);

/**
 * arena_take_zeroed(arena, count, size):
 * Return ${count} * ${size} zeroed bytes as arena_take does; NULL if that overflows, too.
 */
void *arena_take_zeroed(struct arena *arena, size_t count, size_t size);

/**
 * arena_reset(arena):
 * Give back all that was taken, but keep the first block for the next request.
 */
void arena_reset(struct arena *arena);

/**
 * arena_free(arena):
 * Give back everything.
 */
void arena_free(struct arena *arena);

#endif
