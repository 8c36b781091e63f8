#include "store/cache.h"

#include <assert.h>
#include <string.h>

#include "system/shared.h"
#include "system/stats.h"

/*
 * The protocol, and why it holds.
 *
 * The table is an array of sets. A key belongs to one set and may be in any of its 16 ways.
 * Each set has a word {sequence, owner, way}. The sequence is even while nobody writes; owner
 * and way are then 0.
 *
 * Writing. A process that wants to write (1) loads the word, which must be even, (2) finds the
 * way of the key, or an empty one, or the one to evict, (3) swaps the word for {sequence + 1,
 * itself, that way}, (4) stores key, tag and value in words, (5) swaps its word for {sequence +
 * 2, 0, 0}. If the swap of (3) fails, another one was there between, and this one gives up: it
 * never tries again, so nobody waits. As the swap of (3) succeeds only if nothing was written
 * since (1), what (2) found is still so: a key that is in some way is written there and nowhere
 * else, so no key is ever in two ways.
 *
 * Reading. A reader (1) loads the word, which must be even, (2) looks for the tag and the key
 * and copies the value, (3) loads the word again. If it is the same, the copy is whole. Else it
 * tries again, three times in all, and then takes it that the key is not there: no reader
 * waits.
 *
 * Why the copy is whole. Suppose the reader saw a word stored in step (4) by a write W, and yet
 * accepted. W's claim (3) is ordered before its stores (shared_fence_claimed), and the reader's
 * second load of the word after its loads of the value (shared_fence_load). So that second load
 * sees W's claim or something later. The first load saw the same word, as the reader accepted,
 * and it is even, so it is not W's claim but what W or a later one left at the end; the release
 * (5) is ordered after all stores of W (shared_fence_release), and the reader's loads of the
 * value after its first load of the word: the reader saw all of W. What it must not see beside
 * that are older stores, which is the same argument, and those of a later write, whose release
 * would have been the word. Sequences come round after 2^39 writes of one set; a reader would
 * have to sleep through exactly that many, between two loads.
 *
 * Which stores may pass which: those of (4) may reach others in any order among themselves,
 * before or after one another, as long as they come after the claim and before the release.
 * Nobody accepts them in between, since the word is odd, or has changed.
 *
 * Dying. A process that is killed between (3) and (5) leaves an odd word with its number.
 * Readers miss in that set and writers give up, until the master, which has waited for the
 * dead, sweeps: for exactly the odd words with that number it empties the way that the word
 * names, and swaps the word for {sequence + 1, 0, 0}. All that the dead one stored was done,
 * for everybody, before the kernel let the master's wait return; so nothing of it comes late. A
 * process that is stopped in the middle and goes on later still owns its word, and finishes.
 * The number must not be used by another process before the sweep: else the sweep would empty a
 * way, and release a set, under a living one's hands. There is one sweeper, and no other store
 * touches an odd word, so the swap of the sweep never fails; nor does that of (5).
 *
 * A sweep empties a way whose write may not have begun: that costs a miss, no more.
 *
 * Stamps, of use, are outside of all this: plain words, stored on a hit when they are a second
 * old. One may come late and make an entry look younger than it is. The hand, where the search
 * for the oldest way begins, is written by claimants only.
 */

#define TRIES 3
#define STAMP_AGE 1000u /* ms */

/* {sequence: 40 bits, owner: 16, way: 8}. */
#define SEQUENCE_ONE (UINT64_C(1) << 24)
#define OWNER_ONE (UINT64_C(1) << 8)

struct set {
    uint64_t word;
    uint32_t hand;
    uint32_t unused[13];
    uint32_t tags[CACHE_WAYS];   /* from the key; 0: empty */
    uint32_t stamps[CACHE_WAYS]; /* clock_ms of the last use, cut to 32 bits */
    uint64_t ways[];             /* each: the key's two words, then the value's */
};

static bool is_odd(uint64_t word)
{
    return word & SEQUENCE_ONE;
}

static unsigned owner_of(uint64_t word)
{
    return (unsigned)(word / OWNER_ONE) & CACHE_OWNER_MAX;
}

static unsigned way_of(uint64_t word)
{
    return (unsigned)word & 255;
}

/* The word with the next sequence, and nobody's. */
static uint64_t released(uint64_t word)
{
    return (word / SEQUENCE_ONE + 1) * SEQUENCE_ONE;
}

static size_t set_bytes(unsigned value_words)
{
    size_t bytes =
        sizeof(struct set) + CACHE_WAYS * (2 + (size_t)value_words) * sizeof(uint64_t);

    return (bytes + 63) / 64 * 64;
}

size_t cache_bytes(uint64_t entries, unsigned value_words)
{
    return (entries + CACHE_WAYS - 1) / CACHE_WAYS * set_bytes(value_words);
}

void cache_attach(struct cache *cache, void *memory, size_t bytes, unsigned value_words,
                  unsigned owner)
{
    *cache = (struct cache){
        .sets = memory,
        .set_count = bytes / set_bytes(value_words),
        .set_bytes = set_bytes(value_words),
        .value_words = value_words,
        .owner = owner,
    };
    assert(cache->set_count > 0 && cache->set_count <= UINT32_MAX);
    assert(owner >= 1 && owner <= CACHE_OWNER_MAX);
}

static struct set *set_at(const struct cache *cache, uint64_t place)
{
    return (struct set *)(void *)(cache->sets + place * cache->set_bytes);
}

static uint64_t *way_at(const struct cache *cache, struct set *set, unsigned way)
{
    return set->ways + way * (2 + (size_t)cache->value_words);
}

/* Where a key belongs. */
struct home {
    uint64_t place; /* of its set */
    uint32_t tag;
};

static struct home home_of(const struct cache *cache, struct cache_key key)
{
    uint64_t hash = key.words[0] * UINT64_C(0x9e3779b97f4a7c15) ^ key.words[1];

    hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    return (struct home){
        .place = (uint64_t)(((unsigned __int128)hash * cache->set_count) >> 64),
        .tag = (uint32_t)hash | 1,
    };
}

/* The way that holds ${key}; CACHE_WAYS if none does. Void where another one is writing. */
static unsigned search(const struct cache *cache, struct set *set, uint32_t tag,
                       struct cache_key key)
{
    for (unsigned way = 0; way < CACHE_WAYS; way++) {
        if (shared_load_32(&set->tags[way]) != tag)
            continue;
        const uint64_t *at = way_at(cache, set, way);
        if (shared_load(&at[0]) == key.words[0] && shared_load(&at[1]) == key.words[1])
            return way;
    }
    return CACHE_WAYS;
}

/* Stamp a way, unless its stamp is within STAMP_AGE of now: of a clock a little ahead, too. */
static void touch(struct set *set, unsigned way, uint64_t now)
{
    uint32_t stamp = (uint32_t)now;

    if (stamp - shared_load_32(&set->stamps[way]) + STAMP_AGE >= 2 * STAMP_AGE)
        shared_store_32(&set->stamps[way], stamp);
}

bool cache_find_first(const struct cache *cache, struct cache_key key, uint64_t now,
                      uint64_t *value, unsigned count, struct cache_hint *hint)
{
    struct home home = home_of(cache, key);
    struct set *set = set_at(cache, home.place);

    for (int tries = 0; tries < TRIES; tries++) {
        uint64_t word = shared_load(&set->word);

        if (is_odd(word))
            continue;
        shared_fence_load();
        unsigned way = search(cache, set, home.tag, key);
        if (way < CACHE_WAYS) {
            const uint64_t *at = way_at(cache, set, way) + 2;

            for (unsigned i = 0; i < count; i++)
                value[i] = shared_load(&at[i]);
        }
        shared_fence_load();
        if (shared_load(&set->word) != word)
            continue;
        if (way == CACHE_WAYS) {
            stats_add(STATS_cache_misses, 1);
            return false;
        }
        touch(set, way, now);
        *hint = (struct cache_hint){ word, (uint32_t)home.place, way };
        stats_add(STATS_cache_hits, 1);
        return true;
    }
    stats_add(STATS_cache_races, 1);
    return false;
}

bool cache_find(const struct cache *cache, struct cache_key key, uint64_t now, uint64_t *value,
                struct cache_hint *hint)
{
    return cache_find_first(cache, key, now, value, cache->value_words, hint);
}

bool cache_read(const struct cache *cache, const struct cache_hint *hint, uint64_t now,
                const unsigned *places, unsigned count, uint64_t *words)
{
    struct set *set = set_at(cache, hint->set);

    if (hint->word == 0 || shared_load(&set->word) != hint->word)
        return false;
    shared_fence_load();
    const uint64_t *at = way_at(cache, set, hint->way) + 2;
    for (unsigned i = 0; i < count; i++)
        words[i] = shared_load(&at[places[i]]);
    shared_fence_load();
    if (shared_load(&set->word) != hint->word)
        return false;
    touch(set, hint->way, now);
    return true;
}

/* The way to give up: an empty one, else the one unused for longest; of equals, the next after
 * the hand. */
static unsigned victim(const struct set *set, uint64_t now)
{
    unsigned hand = shared_load_32(&set->hand), best = hand % CACHE_WAYS;
    uint32_t oldest = 0;

    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        unsigned way = (hand + i) % CACHE_WAYS;
        uint32_t age = (uint32_t)now - shared_load_32(&set->stamps[way]);

        if (shared_load_32(&set->tags[way]) == 0)
            return way;
        /* A stamp from a clock a little ahead of ours is young, not four billion old. */
        if (age <= UINT32_MAX / 2 && age > oldest) {
            oldest = age;
            best = way;
        }
    }
    return best;
}

/* The word of the set's next state, if it can be claimed. */
static bool claim(const struct cache *cache, struct set *set, uint64_t word, unsigned way,
                  uint64_t *claimed)
{
    *claimed = released(word) + cache->owner * OWNER_ONE + way;
    if (!shared_swap(&set->word, word, *claimed))
        return false;
    shared_fence_claimed();
    return true;
}

static void release(struct set *set, uint64_t claimed)
{
    shared_fence_release();
    bool mine = shared_swap(&set->word, claimed, released(claimed));
    assert(mine); /* nobody else writes to a claimed set */
    (void)mine;
}

bool cache_put(struct cache *cache, struct cache_key key, uint64_t now, const uint64_t *value,
               struct cache_hint *hint)
{
    struct home home = home_of(cache, key);
    struct set *set = set_at(cache, home.place);
    uint64_t word = shared_load(&set->word), claimed;

    if (is_odd(word)) {
        stats_add(STATS_cache_races, 1);
        return false;
    }
    shared_fence_load();
    unsigned way = search(cache, set, home.tag, key);
    bool fresh = way == CACHE_WAYS;
    if (fresh)
        way = victim(set, now);
    if (!claim(cache, set, word, way, &claimed)) {
        stats_add(STATS_cache_races, 1);
        return false;
    }
    if (fresh && shared_load_32(&set->tags[way]) != 0) {
        shared_store_32(&set->hand, (way + 1) % CACHE_WAYS);
        stats_add(STATS_cache_evictions, 1);
    }
    uint64_t *at = way_at(cache, set, way);
    shared_store_32(&set->tags[way], home.tag);
    shared_store(&at[0], key.words[0]);
    shared_store(&at[1], key.words[1]);
    for (unsigned i = 0; i < cache->value_words; i++)
        shared_store(&at[2 + i], value[i]);
    shared_store_32(&set->stamps[way], (uint32_t)now);
    release(set, claimed);
    *hint = (struct cache_hint){ released(claimed), (uint32_t)home.place, way };
    return true;
}

unsigned cache_sweep(struct cache *cache, unsigned owner)
{
    unsigned swept = 0;

    for (uint64_t place = 0; place < cache->set_count; place++) {
        struct set *set = set_at(cache, place);
        uint64_t word = shared_load(&set->word);

        if (!is_odd(word) || owner_of(word) != owner)
            continue;
        shared_store_32(&set->tags[way_of(word) % CACHE_WAYS], 0);
        release(set, word);
        swept++;
    }
    return swept;
}

/* Whether no two ways of the set hold the same key, and all hold one that belongs there. */
static bool is_valid(const struct cache *cache, uint64_t place)
{
    struct set *set = set_at(cache, place);

    if (is_odd(set->word) || owner_of(set->word) != 0 || way_of(set->word) != 0)
        return false;
    for (unsigned way = 0; way < CACHE_WAYS; way++) {
        struct cache_key key;

        if (set->tags[way] == 0)
            continue;
        memcpy(key.words, way_at(cache, set, way), sizeof(key.words));
        struct home home = home_of(cache, key);
        if (home.place != place || home.tag != set->tags[way] ||
            search(cache, set, home.tag, key) != way)
            return false;
    }
    return true;
}

bool cache_valid(const struct cache *cache)
{
    for (uint64_t place = 0; place < cache->set_count; place++) {
        if (!is_valid(cache, place))
            return false;
    }
    return true;
}
