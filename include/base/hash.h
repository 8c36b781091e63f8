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
    /* Neither text nor a number of bytes, rows or nanoseconds makes the first factor 0, which
     * would have all that came before forgotten. */
    unsigned __int128 product =
        (unsigned __int128)(a ^ UINT64_C(0xa0761d6478bd642f)) * (b ^ hash);

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/**
 * hash_bytes(hash, bytes, len):
 * ${hash}, of what came before, with ${len} ${bytes} behind that.
 */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const char *at = bytes;
    uint64_t a, b;

    hash = hash_words(hash, len, 0);
#pragma GCC unroll 4
    for (; len >= 16; at += 16, len -= 16) {
        memcpy(&a, at, 8);
        memcpy(&b, at + 8, 8);
        hash = hash_words(hash, a, b);
    }
    if (len == 0)
        return hash;
    char rest[16] = { 0 };
    memcpy(rest, at, len);
    memcpy(&a, rest, 8);
    memcpy(&b, rest + 8, 8);
    return hash_words(hash, a, b);
}

#endif
