#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/name.h"
#include "base/slice.h"
#include "store/snapshot.h"

/*
 * The exchanges, symbols and types on disk: the directories with valid names, sorted by name. A
 * snapshot (store/snapshot.h), for which only those directories are read that have changed
 * since the last one; the others are looked at with one stat(2) each.
 */

/* What a directory was when it was read; 0: too young to tell, or not readable. */
typedef uint64_t catalog_mark;

/* These go from one worker to others as they are: no pointers, no gaps. */
struct catalog_symbol {
    catalog_mark mark;
    uint32_t first_type; /* its place in the catalog's types */
    uint16_t type_count;
    uint8_t len; /* of name */
    char name[NAME_MAX_BYTES + 1];
};

struct catalog_exchange {
    catalog_mark mark;
    uint32_t first_symbol, symbol_count;
    char name[NAME_MAX_BYTES + 1];
    char unused[7];
};

struct catalog_type {
    char name[NAME_MAX_BYTES + 1];
};

struct catalog {
    struct snapshot snapshot;
    struct catalog_exchange *exchanges;
    uint32_t exchange_count, exchange_room;
    struct catalog_symbol *symbols;
    uint32_t symbol_count, symbol_room;
    uint32_t *types; /* of all symbols, one after another: places among their names */
    uint32_t type_count, type_room;
    struct catalog_type *type_names;
    uint32_t type_name_count, type_name_room;
    bool full; /* some symbols were left out */
};

/* Types of one symbol; more are left out. */
#define CATALOG_TYPES_MAX 64

/* Room for the path of a series, relative to DATA, and its NUL. */
#define CATALOG_PATH (3 * 65)

/**
 * catalog_get(store, waiter, catalog):
 * The catalog, not older than "catalog_refresh", as snapshot_get gives it.
 */
enum snapshot_result catalog_get(struct store *store, struct load_waiter *waiter,
                                 struct catalog **catalog);

/**
 * catalog_latest(store, age):
 * The catalog that was made last, as snapshot_latest gives it.
 */
struct catalog *catalog_latest(struct store *store, uint64_t age);

/**
 * catalog_new():
 * An empty catalog, to be given back by its snapshot's free; NULL without memory.
 */
struct catalog *catalog_new(void);

/**
 * catalog_type(catalog, place):
 * The name of the type at that ${place} in the catalog's types.
 */
static inline const char *catalog_type(const struct catalog *catalog, uint32_t place)
{
    return catalog->type_names[catalog->types[place]].name;
}

/**
 * catalog_exchange(catalog, name):
 * The exchange of that name; NULL if there is none.
 */
const struct catalog_exchange *catalog_exchange(const struct catalog *catalog,
                                                struct slice name);

/**
 * catalog_symbol(catalog, exchange, name):
 * The symbol of that name among those of ${exchange}; NULL if there is none.
 */
const struct catalog_symbol *catalog_symbol(const struct catalog *catalog,
                                            const struct catalog_exchange *exchange,
                                            const char *name);

/**
 * catalog_mark_of(found, wall):
 * The mark of a directory of which stat(2) says ${found} when the wall clock is ${wall}, in
 * nanoseconds: it is another one once the directory has changed.
 */
catalog_mark catalog_mark_of(const struct stat *found, int64_t wall);

#endif
