#include "store/catalogcopy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What lies between the fields would be nobody's. */
static_assert(sizeof(struct catalog_symbol) == 8 + 4 + 2 + 1 + NAME_MAX_BYTES + 1, "no gaps");
static_assert(sizeof(struct catalog_exchange) == 8 + 4 + 4 + NAME_MAX_BYTES + 1 + 7, "no gaps");

struct head {
    uint32_t exchanges, symbols, types, type_names, full;
};

/* --- Saving */

static int save(struct buf *to, const void *things, size_t count, size_t size)
{
    return buf_append(to, things, count * size);
}

int catalogcopy_save(const struct snapshot *snapshot, struct buf *to)
{
    const struct catalog *catalog = (const struct catalog *)snapshot;
    const struct head head = {
        .exchanges = catalog->exchange_count,
        .symbols = catalog->symbol_count,
        .types = catalog->type_count,
        .type_names = catalog->type_name_count,
        .full = catalog->full,
    };

    if (save(to, &head, 1, sizeof(head)) ||
        save(to, catalog->exchanges, head.exchanges, sizeof(*catalog->exchanges)) ||
        save(to, catalog->symbols, head.symbols, sizeof(*catalog->symbols)) ||
        save(to, catalog->types, head.types, sizeof(*catalog->types)) ||
        save(to, catalog->type_names, head.type_names, sizeof(*catalog->type_names)))
        return -1;
    return 0;
}

/* --- Loading */

/* Take ${count} things of ${size} bytes off the front of ${from}. NULL without memory, or if
 * there are not so many. */
static void *load(struct slice *from, uint32_t count, size_t size)
{
    size_t bytes = count * size;
    void *things = bytes > from->len ? NULL : malloc(bytes + 1);

    if (things == NULL)
        return NULL;
    if (bytes > 0)
        memcpy(things, from->at, bytes);
    from->at += bytes;
    from->len -= bytes;
    return things;
}

static int load_tables(struct catalog *made, struct slice bytes)
{
    struct head head;

    if (bytes.len < sizeof(head))
        return -1;
    memcpy(&head, bytes.at, sizeof(head));
    bytes.at += sizeof(head);
    bytes.len -= sizeof(head);
    made->exchange_count = made->exchange_room = head.exchanges;
    made->symbol_count = made->symbol_room = head.symbols;
    made->type_count = made->type_room = head.types;
    made->type_name_count = made->type_name_room = head.type_names;
    made->full = head.full;
    if ((made->exchanges = load(&bytes, head.exchanges, sizeof(*made->exchanges))) == NULL ||
        (made->symbols = load(&bytes, head.symbols, sizeof(*made->symbols))) == NULL ||
        (made->types = load(&bytes, head.types, sizeof(*made->types))) == NULL ||
        (made->type_names = load(&bytes, head.type_names, sizeof(*made->type_names))) == NULL)
        return -1;
    return bytes.len == 0 ? 0 : -1;
}

/* Whether ${count} things from ${first} on are among ${all}. */
static bool are_among(uint32_t first, uint32_t count, uint32_t all)
{
    return first <= all && count <= all - first;
}

static bool is_name(const char *name)
{
    return memchr(name, '\0', NAME_MAX_BYTES + 1) != NULL && name_valid(slice_of(name));
}

/* Whether whatever refers to something refers to what is there. */
static bool is_sound(const struct catalog *made)
{
    bool sound = true;

    for (uint32_t i = 0; sound && i < made->exchange_count; i++) {
        const struct catalog_exchange *exchange = &made->exchanges[i];

        sound = is_name(exchange->name) &&
                are_among(exchange->first_symbol, exchange->symbol_count, made->symbol_count);
    }
    for (uint32_t i = 0; sound && i < made->symbol_count; i++) {
        const struct catalog_symbol *symbol = &made->symbols[i];

        sound = is_name(symbol->name) && symbol->len == strlen(symbol->name) &&
                are_among(symbol->first_type, symbol->type_count, made->type_count);
    }
    for (uint32_t i = 0; sound && i < made->type_count; i++)
        sound = made->types[i] < made->type_name_count;
    for (uint32_t i = 0; sound && i < made->type_name_count; i++)
        sound = is_name(made->type_names[i].name);
    return sound;
}

struct snapshot *catalogcopy_load(struct slice bytes, const struct snapshot *base)
{
    struct catalog *made = catalog_new();

    if (made == NULL)
        return NULL;
    if (base != NULL || load_tables(made, bytes) || !is_sound(made)) {
        made->snapshot.free(&made->snapshot);
        return NULL;
    }
    made->snapshot.bytes = sizeof(*made) + bytes.len;
    return &made->snapshot;
}
