#ifndef STORE_LRU_H
#define STORE_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A hash table of things that a worker keeps, oldest use first out. The things are their
 * owner's structs with an entry in them; an entry that is pinned is in use and stays in memory,
 * in the table or not.
 */

struct lru_entry {
    struct lru_entry *chain;         /* of its bucket */
    struct lru_entry *newer, *older; /* in order of use */
    uint64_t hash;
    uint64_t ticket; /* no other entry of the table ever has it */
    unsigned pins;
    bool listed; /* in the table */
};

struct lru {
    struct lru_entry **buckets;
    size_t mask; /* buckets - 1 */
    size_t count;
    uint64_t tickets;      /* given out */
    struct lru_entry ends; /* its newer is the oldest entry, its older the newest */
    void (*free)(void *arg, struct lru_entry *entry);
    void *arg;
};

/**
 * lru_init(lru, expected, free, arg):
 * Make ${lru} an empty table for about ${expected} entries, whose memory ${free}(${arg}, entry)
 * gives back. Returns 0, or -1 without memory.
 */
int lru_init(struct lru *lru, size_t expected, void (*free)(void *arg, struct lru_entry *entry),
             void *arg);

/**
 * lru_first(lru, hash), lru_next(entry):
 * The entries with that ${hash}, one after another; NULL at the end. The caller compares keys.
 */
struct lru_entry *lru_first(const struct lru *lru, uint64_t hash);
struct lru_entry *lru_next(const struct lru_entry *entry);

/**
 * lru_add(lru, entry, hash):
 * Put ${entry} into the table, as the one used last.
 */
void lru_add(struct lru *lru, struct lru_entry *entry, uint64_t hash);

/**
 * lru_lists(lru, entry, hash, ticket):
 * Whether ${entry}, whose memory may be gone and which had this ${hash} and ${ticket} in the
 * table, still is there.
 */
bool lru_lists(const struct lru *lru, const struct lru_entry *entry, uint64_t hash,
               uint64_t ticket);

/**
 * lru_pin(lru, entry):
 * Use ${entry}: it becomes the one used last and stays until it was unpinned as often as it was
 * pinned.
 */
void lru_pin(struct lru *lru, struct lru_entry *entry);

/**
 * lru_unpin(lru, entry):
 * Undo one lru_pin. An entry that has left the table goes with its last pin.
 */
void lru_unpin(struct lru *lru, struct lru_entry *entry);

/**
 * lru_drop(lru, entry):
 * Take ${entry} out of the table, if it is in it; its memory goes at once or with its last pin.
 */
void lru_drop(struct lru *lru, struct lru_entry *entry);

/**
 * lru_evict(lru):
 * Drop the entry unused for longest that is not pinned. Returns whether there was one.
 */
bool lru_evict(struct lru *lru);

/**
 * lru_clear(lru):
 * Drop all entries.
 */
void lru_clear(struct lru *lru);

/**
 * lru_free(lru):
 * Drop all entries, none of which may be pinned, and give back the table.
 */
void lru_free(struct lru *lru);

/**
 * lru_hash(bytes, len, seed):
 * A 64-bit hash of ${len} ${bytes} for these tables.
 */
uint64_t lru_hash(const void *bytes, size_t len, uint64_t seed);

/**
 * lru_hash_words(a, b):
 * The same of two numbers.
 */
uint64_t lru_hash_words(uint64_t a, uint64_t b);

#endif
