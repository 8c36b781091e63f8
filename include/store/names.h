#ifndef STORE_NAMES_H
#define STORE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Names (of exchanges, symbols, types, columns) as numbers, the same for all processes: a table
 * in shared memory to which names are only ever added. Add none but those that were seen on
 * disk, or clients could fill it. Nobody waits for anybody: what cannot be had now has the
 * number 0, and is not shared.
 */

#define NAMES_ID_MAX ((1u << 24) - 1)

/* A table is full for a name for which there is no room in so many entries: while a quarter of
 * it is free, that does not happen. */
#define NAMES_WALK 512

/* One process's view of the table. */
struct names {
    struct names_entry *entries;
    uint32_t count;
    unsigned owner; /* as in store/cache.h */
};

/**
 * names_bytes(count):
 * The bytes of a table for ${count} names, 1 to NAMES_ID_MAX.
 */
size_t names_bytes(uint32_t count);

/**
 * names_attach(names, memory, bytes, owner):
 * Make ${names} this process's view of the table in ${memory}, of ${bytes}, zeros at first.
 * ${owner} is as for cache_attach.
 */
void names_attach(struct names *names, void *memory, size_t bytes, unsigned owner);

/**
 * names_id(names, name):
 * The number of the valid ${name} (1 to 64 bytes), which is added if it is not there. 0 if the
 * table is full, or another process is adding something at that place just now.
 */
uint32_t names_id(struct names *names, struct slice name);

/**
 * names_find(names, name):
 * The number of the valid ${name}; 0 if it is not there.
 */
uint32_t names_find(struct names *names, struct slice name);

/**
 * names_of(names, id):
 * The name of the number ${id}: bytes that stay as they are. Of length 0 if there is no such
 * number.
 */
struct slice names_of(const struct names *names, uint32_t id);

/**
 * names_sweep(names, owner):
 * Undo what the dead process ${owner} was in the middle of; see cache_sweep.
 */
unsigned names_sweep(struct names *names, unsigned owner);

#endif
