#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT alignof(max_align_t)

struct arena_block {
    struct arena_block *older;
    size_t size;
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t first)
{
    *arena = (struct arena){ .first = first };
}

void *arena_take(struct arena *arena, size_t size)
{
    size_t room = arena->blocks == NULL ? 0 : arena->blocks->size - arena->used;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (size > room || arena->blocks == NULL) {
        size_t fresh = size > arena->first ? size : arena->first;
        struct arena_block *block = malloc(sizeof(*block) + fresh);

        if (block == NULL)
            return NULL;
        block->older = arena->blocks;
        block->size = fresh;
        arena->blocks = block;
        arena->used = 0;
    }
    void *taken = arena->blocks->bytes + arena->used;
    arena->used += size;
    return taken;
}

void *arena_take_zeroed(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *taken = arena_take(arena, bytes);
    if (taken != NULL)
        memset(taken, 0, bytes);
    return taken;
}

void arena_reset(struct arena *arena)
{
    while (arena->blocks != NULL &&
           (arena->blocks->older != NULL || arena->blocks->size > arena->first)) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->older;
        free(block);
    }
    arena->used = 0;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->older;
        free(block);
    }
    arena->used = 0;
}
