#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "dice.h"
#include "store/lru.h"

#define THINGS 300

/* Things in a table, and what is known of them in plain words. */
static struct thing {
    struct lru_entry entry;
    bool alive, listed;
    unsigned pins;
    uint64_t hash, used;
} things[THINGS];

static uint64_t clock_now;
static unsigned alive, listed;

static void freed(void *arg, struct lru_entry *entry)
{
    struct thing *thing = (struct thing *)entry;

    MUST(arg == things);
    MUST(thing->alive);
    MUST(thing->pins == 0);
    thing->alive = false;
    if (thing->listed)
        listed--;
    thing->listed = false;
    alive--;
}

static void add(struct lru *lru, struct thing *thing, uint64_t hash)
{
    memset(thing, 0, sizeof(*thing));
    lru_add(lru, &thing->entry, hash);
    thing->alive = thing->listed = true;
    thing->hash = hash;
    thing->used = ++clock_now;
    alive++;
    listed++;
}

/* The thing that must go next. */
static struct thing *oldest(void)
{
    struct thing *found = NULL;

    for (size_t i = 0; i < THINGS; i++) {
        struct thing *thing = &things[i];

        if (thing->listed && thing->pins == 0 && (found == NULL || thing->used < found->used))
            found = thing;
    }
    return found;
}

static void check_hash(const struct lru *lru, uint64_t hash)
{
    unsigned expected = 0, found = 0;

    for (size_t i = 0; i < THINGS; i++)
        expected += things[i].listed && things[i].hash == hash;
    for (struct lru_entry *entry = lru_first(lru, hash); entry != NULL;
         entry = lru_next(entry)) {
        struct thing *thing = (struct thing *)entry;

        MUST(thing->listed && thing->hash == hash);
        found++;
    }
    MUST(found == expected);
}

START_TEST(lru_agrees_with_a_list)
{
    struct dice dice = dice_new(1);
    struct lru lru;

    alive = listed = 0;
    memset(things, 0, sizeof(things));
    ck_assert_int_eq(lru_init(&lru, 20, freed, things), 0);
    for (int step = 0; step < 60000; step++) {
        struct thing *thing = &things[dice_roll(&dice, THINGS)];
        uint64_t hash = dice_roll(&dice, 40) * UINT64_C(0x100000001); /* many collide */

        switch (dice_roll(&dice, 7)) {
        case 0:
        case 1:
            if (!thing->alive)
                add(&lru, thing, hash);
            break;
        case 2:
        case 3:
            if (thing->alive) {
                lru_pin(&lru, &thing->entry);
                thing->pins++;
                thing->used = ++clock_now;
            }
            break;
        case 4:
            if (thing->pins > 0) {
                thing->pins--;
                lru_unpin(&lru, &thing->entry);
                if (thing->pins == 0)
                    MUST(thing->alive == thing->listed);
            }
            break;
        case 5:
            if (dice_roll(&dice, 4) == 0 && thing->alive) {
                bool goes = thing->listed && thing->pins == 0;

                if (thing->listed)
                    listed--;
                thing->listed = false;
                lru_drop(&lru, &thing->entry);
                MUST(thing->alive == !goes);
            }
            break;
        case 6:
            if (dice_roll(&dice, 3) == 0) {
                struct thing *next = oldest();

                MUST(lru_evict(&lru) == (next != NULL));
                MUST(next == NULL || !next->alive);
            }
            break;
        }
        MUST(lru.count == listed);
        if (step % 16 == 0)
            check_hash(&lru, hash);
    }
    lru_clear(&lru);
    ck_assert_uint_eq(lru.count, 0);
    for (size_t i = 0; i < THINGS; i++) {
        things[i].listed = false;
        MUST(things[i].alive == (things[i].pins > 0)); /* in use: it stays in memory */
        while (things[i].pins > 0) {
            things[i].pins--;
            lru_unpin(&lru, &things[i].entry);
        }
    }
    listed = 0;
    ck_assert_uint_eq(alive, 0);
    ck_assert(!lru_evict(&lru));
    lru_free(&lru);
    lru_free(&lru);
}
END_TEST

START_TEST(lru_free_drops_all)
{
    struct lru lru;

    alive = listed = 0;
    ck_assert_int_eq(lru_init(&lru, 0, freed, things), 0);
    for (size_t i = 0; i < 50; i++)
        add(&lru, &things[i], i);
    lru_free(&lru);
    ck_assert_uint_eq(alive, 0);
}
END_TEST

START_TEST(lru_hash_spreads)
{
    enum { KEYS = 20000, BUCKETS = 1024 };
    static unsigned buckets[BUCKETS];
    char bytes[40] = { 0 };

    memset(buckets, 0, sizeof(buckets));
    for (unsigned i = 0; i < KEYS; i++) {
        uint64_t key[2] = { 0x5555555540, i };

        buckets[lru_hash(key, sizeof(key), 2) % BUCKETS]++;
    }
    for (size_t i = 0; i < BUCKETS; i++)
        ck_assert_msg(buckets[i] > 0 && buckets[i] < 70, "%u", buckets[i]);

    /* Every byte, the length and the seed count. */
    for (size_t len = 0; len < sizeof(bytes); len++) {
        uint64_t plain = lru_hash(bytes, len, 1);

        ck_assert_uint_eq(plain, lru_hash(bytes, len, 1));
        ck_assert_uint_ne(plain, lru_hash(bytes, len, 2));
        ck_assert_uint_ne(plain, lru_hash(bytes, len + 1, 1));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = 1;
            ck_assert_uint_ne(plain, lru_hash(bytes, len, 1));
            bytes[i] = 0;
        }
    }
}
END_TEST

UNIT("lru", lru_agrees_with_a_list, lru_free_drops_all, lru_hash_spreads)
