#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Fast 64-bit hashes of what one could also compare: with a multiplication for each 16 bytes,
 * after wyhash (Wang Yi, public domain). Not for anybody who wants two texts to collide. The
 * same on every little-endian machine.
 */

#define HASH_START UINT64_C(0x9e3779b97f4a7c15)

/**
 * hash_words(hash, a, b):
 * ${hash}, of what came before, with ${a} and ${b} behind that.
 */
static inline uint64_t hash_words(uint64_t hash, uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0xa0761d6478bd642f)) *
                                (b ^ hash ^ UINT64_C(0xe7037ed1a0b428db));

    /* The hash once more, lest a factor of 0 make it forgotten. */
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ (hash << 32 | hash >> 32);
}

/**
 * hash_bytes(hash, bytes, len):
 * ${hash}, of what came before, with ${len} ${bytes} behind that.
 */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const char *at = bytes;
    uint64_t words[2];

    hash = hash_words(hash, len, 0);
    for (; len >= sizeof(words); at += sizeof(words), len -= sizeof(words)) {
        memcpy(words, at, sizeof(words));
        hash = hash_words(hash, words[0], words[1]);
    }
    if (len == 0)
        return hash;
    memset(words, 0, sizeof(words));
    memcpy(words, at, len);
    return hash_words(hash, words[0], words[1]);
}

#endif
