#include "hammer.h"

#include <stdio.h>
#include <string.h>

#include "base/name.h"

size_t hammer_cache_bytes(void)
{
    return cache_bytes(HAMMER_ENTRIES, HAMMER_WORDS);
}

void hammer_init(struct hammer *hammer, void *cache, void *names, unsigned owner, uint64_t seed)
{
    *hammer = (struct hammer){ .dice = dice_new(seed) };
    cache_attach(&hammer->cache, cache, hammer_cache_bytes(), HAMMER_WORDS, owner);
    names_attach(&hammer->names, names, names_bytes(HAMMER_NAMES), owner);
}

static struct cache_key key_of(unsigned key)
{
    return (struct cache_key){ { key / 7 + 1, key } };
}

/* A value is its key, a number that no other write has, and words that follow from both. */
static void fill(uint64_t *value, unsigned key, uint64_t number)
{
    struct dice mixer = { number ^ key };
    uint64_t base = dice_bits(&mixer);

    value[0] = key;
    value[1] = number;
    for (unsigned i = 2; i < HAMMER_WORDS; i++)
        value[i] = base + i * UINT64_C(0x9e3779b97f4a7c15);
}

static bool is_whole(const uint64_t *value, unsigned key)
{
    uint64_t expected[HAMMER_WORDS];

    fill(expected, key, value[1]);
    return memcmp(value, expected, sizeof(expected)) == 0;
}

static int wrong(struct hammer *hammer, const char *what, unsigned key)
{
    snprintf(hammer->wrong, sizeof(hammer->wrong), "%s: key %u, after %llu steps", what, key,
             (unsigned long long)hammer->done);
    return -1;
}

/* Clocks of processes differ a little. */
static uint64_t now_of(struct hammer *hammer)
{
    return hammer->done / 8 + dice_roll(&hammer->dice, 6);
}

static void put(struct hammer *hammer, unsigned key)
{
    uint64_t value[HAMMER_WORDS];
    struct cache_hint hint;

    fill(value, key, dice_bits(&hammer->dice));
    if (!cache_put(&hammer->cache, key_of(key), now_of(hammer), value, &hint))
        return;
    hammer->last.key = key;
    hammer->last.hint = hint;
    memcpy(hammer->last.value, value, sizeof(value));
}

static int find(struct hammer *hammer, unsigned key)
{
    uint64_t value[HAMMER_WORDS];
    struct cache_hint hint;

    if (!cache_find(&hammer->cache, key_of(key), now_of(hammer), value, &hint)) {
        put(hammer, key);
        return 0;
    }
    if (!is_whole(value, key))
        return wrong(hammer, "a value found is not whole", key);
    hammer->last.key = key;
    hammer->last.hint = hint;
    memcpy(hammer->last.value, value, sizeof(value));
    return 0;
}

/* A hint means the very value that was there when it was given, or nothing. */
static int read_again(struct hammer *hammer)
{
    unsigned places[4];
    uint64_t words[4];

    for (unsigned i = 0; i < 4; i++)
        places[i] = dice_roll(&hammer->dice, HAMMER_WORDS);
    if (!cache_read(&hammer->cache, &hammer->last.hint, now_of(hammer), places, 4, words))
        return 0;
    for (unsigned i = 0; i < 4; i++) {
        if (words[i] != hammer->last.value[places[i]])
            return wrong(hammer, "a hint gives another value", hammer->last.key);
    }
    return 0;
}

static int name(struct hammer *hammer)
{
    unsigned number = dice_roll(&hammer->dice, (unsigned)(hammer->done / 64 % 40000) + 1);
    char bytes[NAME_MAX_BYTES + 1];
    struct slice name, found;

    snprintf(bytes, sizeof(bytes), "%u-%0*u", number, (int)(number % 56 + 1), number);
    name = slice_of(bytes);
    uint32_t id = names_id(&hammer->names, name);
    if (id == 0)
        return 0;
    found = names_of(&hammer->names, id);
    if (found.len != name.len || memcmp(found.at, name.at, name.len) != 0)
        return wrong(hammer, "a number is of another name", number);
    if (names_id(&hammer->names, name) != id)
        return wrong(hammer, "a name has two numbers", number);
    return 0;
}

int hammer_steps(struct hammer *hammer, unsigned count)
{
    int result = 0;

    for (unsigned i = 0; i < count && result == 0; i++) {
        unsigned kind = dice_roll(&hammer->dice, 16);
        unsigned key = dice_roll(&hammer->dice, HAMMER_KEYS);

        if (kind == 0)
            result = name(hammer);
        else if (kind < 4)
            result = read_again(hammer);
        else if (kind < 7)
            put(hammer, key);
        else
            result = find(hammer, key);
        hammer->done++;
    }
    return result;
}

bool hammer_settled(struct hammer *hammer)
{
    for (uint32_t id = 1; id <= HAMMER_NAMES; id++) {
        struct slice name = names_of(&hammer->names, id);

        if (name.len > 0 && names_id(&hammer->names, name) != id)
            return false;
    }
    return cache_valid(&hammer->cache);
}
