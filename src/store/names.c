#include "store/names.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/name.h"
#include "store/lru.h"
#include "system/shared.h"

/*
 * A hash table with open addressing. An entry is empty (its word is 0), claimed (by the process
 * in its word, which is writing it), or done; done entries never change.
 *
 * A name is looked for from its home on. A done entry with its bytes is it; with other bytes,
 * the next one may be it; an empty one means that it is not there, and is where it is added: by
 * a swap to claimed, stores of the bytes, a swap to done. Whoever meets a claimed one stops and
 * takes the answer "not now", since it may become the name looked for; so nobody passes a
 * claimed entry, no name is ever there twice, and one whose claimant was killed can become
 * empty again (names_sweep) without a hole in anybody's path.
 *
 * No name lies further than NAMES_WALK entries from its home, so that a look-up in a table that
 * is full, or nearly so, costs little more than one in a table that is not.
 */

struct names_entry {
    uint64_t word; /* {hash: 32 bits, owner: 16, length: 8, state: 8} */
    char bytes[NAME_MAX_BYTES];
};

enum { EMPTY, CLAIMED, DONE };

static unsigned state_of(uint64_t word)
{
    return (unsigned)word & 255;
}

static unsigned length_of(uint64_t word)
{
    return (unsigned)(word >> 8) & 255;
}

static unsigned owner_of(uint64_t word)
{
    return (unsigned)(word >> 16) & 65535;
}

static uint64_t word_of(uint64_t hash, unsigned owner, size_t length, unsigned state)
{
    return (hash & ~UINT64_C(0xffffffff)) | (uint64_t)owner << 16 | (uint64_t)length << 8 |
           state;
}

size_t names_bytes(uint32_t count)
{
    return count * sizeof(struct names_entry);
}

void names_attach(struct names *names, void *memory, size_t bytes, unsigned owner)
{
    *names = (struct names){
        .entries = memory,
        .count = (uint32_t)(bytes / sizeof(struct names_entry)),
        .owner = owner,
    };
    assert(names->count > 0 && names->count <= NAMES_ID_MAX);
}

/* Bytes of an entry, which are shared like all else: word by word. */
static void write_bytes(struct names_entry *entry, struct slice name)
{
    uint64_t words[sizeof(entry->bytes) / sizeof(uint64_t)] = { 0 };

    memcpy(words, name.at, name.len);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        shared_store((uint64_t *)(void *)entry->bytes + i, words[i]);
}

/* Add ${name} at ${entry}, which was empty. */
static bool add(const struct names *names, struct names_entry *entry, struct slice name,
                uint64_t hash)
{
    uint64_t claimed = word_of(hash, names->owner, name.len, CLAIMED);

    if (!shared_swap(&entry->word, 0, claimed))
        return false;
    shared_fence_claimed();
    write_bytes(entry, name);
    shared_fence_release();
    return shared_swap(&entry->word, claimed, word_of(hash, 0, name.len, DONE));
}

/* The number of the name; 0 if it has none and is not to be added, or cannot be. */
static uint32_t look_up(struct names *names, struct slice name, bool adding)
{
    uint64_t hash = lru_hash(name.at, name.len, 3);
    uint64_t done = word_of(hash, 0, name.len, DONE);
    uint32_t place = (uint32_t)(hash % names->count);

    assert(name.len >= 1 && name.len <= NAME_MAX_BYTES);
    for (uint32_t i = 0; i < NAMES_WALK && i < names->count; i++) {
        struct names_entry *entry = &names->entries[place];
        uint64_t word = shared_load(&entry->word);

        if (state_of(word) == EMPTY)
            return adding && add(names, entry, name, hash) ? place + 1 : 0;
        if (state_of(word) == CLAIMED)
            return 0;
        shared_fence_load();
        if (word == done && memcmp(entry->bytes, name.at, name.len) == 0)
            return place + 1;
        place = place + 1 == names->count ? 0 : place + 1;
    }
    return 0;
}

uint32_t names_id(struct names *names, struct slice name)
{
    return look_up(names, name, true);
}

uint32_t names_find(struct names *names, struct slice name)
{
    return look_up(names, name, false);
}

struct slice names_of(const struct names *names, uint32_t id)
{
    struct slice none = { NULL, 0 };

    if (id == 0 || id > names->count)
        return none;
    const struct names_entry *entry = &names->entries[id - 1];
    uint64_t word = shared_load(&entry->word);
    if (state_of(word) != DONE || length_of(word) > sizeof(entry->bytes))
        return none;
    shared_fence_load();
    return (struct slice){ entry->bytes, length_of(word) };
}

unsigned names_sweep(struct names *names, unsigned owner)
{
    unsigned swept = 0;

    for (uint32_t i = 0; i < names->count; i++) {
        uint64_t *at = &names->entries[i].word, word = shared_load(at);

        if (state_of(word) == CLAIMED && owner_of(word) == owner)
            swept += shared_swap(at, word, 0);
    }
    return swept;
}
