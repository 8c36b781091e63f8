#ifndef STORE_INSTRUMENTS_H
#define STORE_INSTRUMENTS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "store/catalog.h"
#include "store/snapshot.h"

/*
 * What can be searched for: the symbols of a catalog that have a series, those of one
 * normalised id together, sorted by it. A snapshot whose base is the catalog. What is known of
 * them comes from the files of "symbols_dir", else from their names.
 */

/* A text as it is shown, and in small letters (utf8_fold) to be compared. */
struct instrument_text {
    struct slice shown, folded;
};

struct instrument_symbol {
    const char *exchange;
    struct instrument_text name;
};

struct instrument {
    struct instrument_text id, display_name, description, base, quote;
    struct slice category;
    struct slice *tags; /* in small letters */
    uint32_t tag_count;
    uint32_t first, count; /* its symbols, sorted by exchange and name */
};

struct instruments {
    struct snapshot snapshot;
    const struct catalog *catalog;
    struct arena texts;
    struct instrument *list;
    uint32_t count;
    struct instrument_symbol *symbols;
    uint32_t symbol_count;
    uint64_t *marks; /* of the files, by the exchange's place in the catalog */
};

/* What a name says. */
struct instruments_pair {
    char id[2 * 65], base[65], quote[65]; /* without a quote, id and base are the name */
};

/**
 * instruments_get(store, catalog, waiter, instruments):
 * Those of ${catalog}, as snapshot_get gives them.
 */
enum snapshot_result instruments_get(struct store *store, struct catalog *catalog,
                                     struct load_waiter *waiter,
                                     struct instruments **instruments);

/**
 * instruments_pair_of(name):
 * Base and quote out of the ${name} of a symbol: BTC-USD, BTC_USD, BTC:USD, BTCUSDT, tBTCUSD.
 * In capital letters; XBT is BTC; a quote of USDT or USDC is USD.
 */
struct instruments_pair instruments_pair_of(const char *name);

#endif
