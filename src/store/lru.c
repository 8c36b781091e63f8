#include "store/lru.h"

#include <stdlib.h>
#include <string.h>

int lru_init(struct lru *lru, size_t expected, void (*free_entry)(void *, struct lru_entry *),
             void *arg)
{
    size_t buckets = 16;

    while (buckets < expected)
        buckets *= 2;
    *lru = (struct lru){ .mask = buckets - 1, .free = free_entry, .arg = arg };
    lru->ends.newer = lru->ends.older = &lru->ends;
    lru->buckets = calloc(buckets, sizeof(struct lru_entry *));
    return lru->buckets == NULL ? -1 : 0;
}

struct lru_entry *lru_first(const struct lru *lru, uint64_t hash)
{
    struct lru_entry *entry = lru->buckets[hash & lru->mask];

    while (entry != NULL && entry->hash != hash)
        entry = entry->chain;
    return entry;
}

struct lru_entry *lru_next(const struct lru_entry *entry)
{
    struct lru_entry *next = entry->chain;

    while (next != NULL && next->hash != entry->hash)
        next = next->chain;
    return next;
}

static void link_newest(struct lru *lru, struct lru_entry *entry)
{
    entry->newer = &lru->ends;
    entry->older = lru->ends.older;
    entry->older->newer = entry;
    lru->ends.older = entry;
}

static void unlink_entry(struct lru_entry *entry)
{
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
}

void lru_add(struct lru *lru, struct lru_entry *entry, uint64_t hash)
{
    struct lru_entry **bucket = &lru->buckets[hash & lru->mask];

    entry->hash = hash;
    entry->chain = *bucket;
    *bucket = entry;
    link_newest(lru, entry);
    entry->listed = true;
    entry->ticket = ++lru->tickets;
    lru->count++;
}

bool lru_lists(const struct lru *lru, const struct lru_entry *entry, uint64_t hash,
               uint64_t ticket)
{
    const struct lru_entry *found = lru->buckets[hash & lru->mask];

    while (found != NULL && found != entry)
        found = found->chain;
    return found != NULL && found->ticket == ticket;
}

void lru_pin(struct lru *lru, struct lru_entry *entry)
{
    entry->pins++;
    if (entry->listed && lru->ends.older != entry) {
        unlink_entry(entry);
        link_newest(lru, entry);
    }
}

void lru_unpin(struct lru *lru, struct lru_entry *entry)
{
    if (--entry->pins == 0 && !entry->listed)
        lru->free(lru->arg, entry);
}

void lru_drop(struct lru *lru, struct lru_entry *entry)
{
    if (!entry->listed)
        return;
    struct lru_entry **link = &lru->buckets[entry->hash & lru->mask];
    while (*link != entry)
        link = &(*link)->chain;
    *link = entry->chain;
    unlink_entry(entry);
    entry->listed = false;
    lru->count--;
    if (entry->pins == 0)
        lru->free(lru->arg, entry);
}

bool lru_evict(struct lru *lru)
{
    for (struct lru_entry *entry = lru->ends.newer; entry != &lru->ends; entry = entry->newer) {
        if (entry->pins == 0) {
            lru_drop(lru, entry);
            return true;
        }
    }
    return false;
}

void lru_clear(struct lru *lru)
{
    while (lru->ends.newer != &lru->ends)
        lru_drop(lru, lru->ends.newer);
}

void lru_free(struct lru *lru)
{
    if (lru->buckets == NULL)
        return;
    lru_clear(lru);
    free(lru->buckets);
    lru->buckets = NULL;
}

/* Multiplied by an odd number of which all bits are in disorder, and folded, so that the low
 * bits of the sum depend on all. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
                                (b ^ UINT64_C(0xd6e8feb86659fd93));

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t lru_hash_words(uint64_t a, uint64_t b)
{
    return mix(mix(a, b), 0);
}

static uint64_t load_8(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static uint64_t load_4(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Fewer than eight bytes as one number: those of both halves, which may overlap. */
static uint64_t load_few(const char *at, size_t len)
{
    if (len >= 4)
        return load_4(at) << 32 | load_4(at + len - 4);
    if (len == 0)
        return 0;
    return (uint64_t)(unsigned char)at[0] << 16 | (uint64_t)(unsigned char)at[len / 2] << 8 |
           (unsigned char)at[len - 1];
}

uint64_t lru_hash(const void *bytes, size_t len, uint64_t seed)
{
    const char *at = bytes;
    uint64_t hash = seed ^ len;

    for (; len >= 8; at += 8, len -= 8)
        hash = mix(hash, load_8(at));
    return mix(hash, load_few(at, len));
}
