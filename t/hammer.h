#ifndef T_HAMMER_H
#define T_HAMMER_H

#include <stdbool.h>
#include <stdint.h>

#include "dice.h"
#include "store/cache.h"
#include "store/names.h"

/*
 * What one of many processes (check_cache_fork.c) or threads (races.c) does to the tables that
 * it shares with the others, at random, while it checks all that it finds there: every value
 * says whose it is, and all of its words follow from the first two.
 */

#define HAMMER_WORDS 30
#define HAMMER_ENTRIES 48 /* three sets */
#define HAMMER_KEYS 100   /* more than there is room for */
#define HAMMER_NAMES 65536

struct hammer {
    struct cache cache;
    struct names names;
    struct dice dice;
    uint64_t done; /* steps; more of them mean more names */
    struct {
        unsigned key;
        struct cache_hint hint;
        uint64_t value[HAMMER_WORDS];
    } last; /* that was found or put */
    char wrong[160];
};

/**
 * hammer_cache_bytes(void):
 * The size of the cache that is hammered; that of the names is names_bytes(HAMMER_NAMES).
 */
size_t hammer_cache_bytes(void);

/**
 * hammer_init(hammer, cache, names, owner, seed):
 * Get ready to hammer what is at ${cache} and ${names} as ${owner}.
 */
void hammer_init(struct hammer *hammer, void *cache, void *names, unsigned owner,
                 uint64_t seed);

/**
 * hammer_steps(hammer, count):
 * Do ${count} steps. Returns 0, or -1 with a line in hammer->wrong if anything was not as it
 * must be.
 */
int hammer_steps(struct hammer *hammer, unsigned count);

/**
 * hammer_settled(hammer):
 * Whether the tables are as they must be when all the others have ended.
 */
bool hammer_settled(struct hammer *hammer);

#endif
