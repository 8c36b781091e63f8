#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A table in memory that many processes share: values of one fixed size, by key. It has room
 * for so many and no more; a new one takes the place of the one unused for longest, among 16.
 * Nobody ever waits for anybody: whoever finds another process writing takes the answer "not
 * there", and looks at the disk instead. A process may be killed at any instruction. The
 * argument why that works is at the head of cache.c.
 *
 * Values are copies of facts; where those come from must be asked when the table has nothing.
 * One thread of a process may call all of this; other threads may not.
 */

/* Values are handed over as 64-bit words. */
#define CACHE_WORDS(type) (sizeof(type) / sizeof(uint64_t))

#define CACHE_WAYS 16 /* of a set */
#define CACHE_OWNER_MAX 65535

struct cache_key {
    uint64_t words[2]; /* not both zero */
};

/* One process's view of a table. */
struct cache {
    char *sets;
    uint64_t set_count;
    size_t set_bytes;
    unsigned value_words;
    unsigned owner;
};

/* Where a value was found, and in which state its set was: good for another look without a
 * search. All zeros: nowhere. */
struct cache_hint {
    uint64_t word; /* of the set */
    uint32_t set, way;
};

/**
 * cache_bytes(entries, value_words):
 * The bytes of a table for at least ${entries} values of ${value_words} words.
 */
size_t cache_bytes(uint64_t entries, unsigned value_words);

/**
 * cache_attach(cache, memory, bytes, value_words, owner):
 * Make ${cache} this process's view of the table in ${memory}, whose ${bytes} are cache_bytes,
 * aligned to 64 and zeros before anybody used it. ${owner}, 1 to CACHE_OWNER_MAX, is nobody
 * else's, neither now nor before cache_sweep was done for it.
 */
void cache_attach(struct cache *cache, void *memory, size_t bytes, unsigned value_words,
                  unsigned owner);

/**
 * cache_find(cache, key, now, value, hint):
 * Copy the value of ${key} to ${value}, and say in ${hint} where it is; ${now} is clock_ms.
 * Returns whether it is there.
 */
bool cache_find(const struct cache *cache, struct cache_key key, uint64_t now, uint64_t *value,
                struct cache_hint *hint);

/**
 * cache_find_first(cache, key, now, value, count, hint):
 * The same, copying only the first ${count} words of the value.
 */
bool cache_find_first(const struct cache *cache, struct cache_key key, uint64_t now,
                      uint64_t *value, unsigned count, struct cache_hint *hint);

/**
 * cache_read(cache, hint, now, places, count, words):
 * Read the ${count} words of a value at ${places}, where cache_find or cache_put left ${hint}.
 * Returns whether they are of the value that was there then: if not, ${words} is void and the
 * hint is worth nothing any more.
 */
bool cache_read(const struct cache *cache, const struct cache_hint *hint, uint64_t now,
                const unsigned *places, unsigned count, uint64_t *words);

/**
 * cache_put(cache, key, now, value, hint):
 * Have ${key} mean ${value}. Returns whether that was done, and then where in ${hint}; not if
 * another process was writing at the same place.
 */
bool cache_put(struct cache *cache, struct cache_key key, uint64_t now, const uint64_t *value,
               struct cache_hint *hint);

/**
 * cache_sweep(cache, owner):
 * Undo what the process ${owner}, which is dead and waited for, was in the middle of. Returns
 * how many writes that were. Only one process sweeps: the master.
 */
unsigned cache_sweep(struct cache *cache, unsigned owner);

/**
 * cache_valid(cache):
 * Whether the table is as it must be while nobody writes: no claim left, no key twice, every
 * key in its set.
 */
bool cache_valid(const struct cache *cache);

#endif
