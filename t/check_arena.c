#include "unit.h"

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"
#include "dice.h"

/* What is taken is aligned, and nobody else's until the reset. */
START_TEST(arena_gives_memory_of_ones_own)
{
    struct dice dice = dice_new(1);
    struct arena arena;
    unsigned char *taken[200];
    size_t sizes[200];

    arena_init(&arena, 1000);
    for (int round = 0; round < 50; round++) {
        size_t count = dice_roll(&dice, 200);

        for (size_t i = 0; i < count; i++) {
            sizes[i] =
                dice_roll(&dice, 10) == 0 ? dice_roll(&dice, 5000) : dice_roll(&dice, 60);
            taken[i] = arena_take(&arena, sizes[i]);
            ck_assert_ptr_nonnull(taken[i]);
            ck_assert_uint_eq((uintptr_t)taken[i] % alignof(max_align_t), 0);
            memset(taken[i], (int)i, sizes[i]);
        }
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < sizes[i]; j++)
                MUST(taken[i][j] == (unsigned char)i);
        }
        arena_reset(&arena);
    }
    arena_free(&arena);
    ck_assert_ptr_null(arena.blocks);
}
END_TEST

/* An ordinary request allocates once, and never again. */
START_TEST(arena_keeps_its_first_block)
{
    struct arena arena;

    arena_init(&arena, 4096);
    arena_reset(&arena); /* of nothing */
    char *first = arena_take(&arena, 100);
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_nonnull(arena_take(&arena, 1000));
    arena_reset(&arena);
    ck_assert_ptr_eq(arena_take(&arena, 4096), first);
    arena_reset(&arena);

    /* One that is too large for it, too, goes. */
    ck_assert_ptr_nonnull(arena_take(&arena, 100000));
    arena_reset(&arena);
    ck_assert_ptr_eq(arena_take(&arena, 1), first);
    arena_free(&arena);

    /* A large one at the very first does not become the block that stays. */
    arena_init(&arena, 64);
    ck_assert_ptr_nonnull(arena_take(&arena, 100000));
    arena_reset(&arena);
    ck_assert_ptr_null(arena.blocks);
    arena_free(&arena);
    arena_free(&arena);
}
END_TEST

START_TEST(arena_refuses_what_cannot_be)
{
    struct arena arena;

    arena_init(&arena, 0);
    ck_assert_ptr_nonnull(arena_take(&arena, 0));
    ck_assert_ptr_null(arena_take(&arena, SIZE_MAX));
    ck_assert_ptr_null(arena_take(&arena, SIZE_MAX - 7));
    ck_assert_ptr_null(arena_take_zeroed(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(arena_take_zeroed(&arena, (size_t)1 << 32, (size_t)1 << 32));
    arena_free(&arena);
}
END_TEST

START_TEST(arena_gives_zeroed_memory)
{
    struct arena arena;

    arena_init(&arena, 512);
    memset(arena_take(&arena, 512), 0xff, 512);
    arena_reset(&arena);
    const char *zeroed = arena_take_zeroed(&arena, 16, 32);
    for (size_t i = 0; i < 512; i++)
        ck_assert_int_eq(zeroed[i], 0);
    ck_assert_ptr_nonnull(arena_take_zeroed(&arena, 0, 32));
    arena_free(&arena);
}
END_TEST

UNIT("arena", arena_gives_memory_of_ones_own, arena_keeps_its_first_block,
     arena_refuses_what_cannot_be, arena_gives_zeroed_memory)
