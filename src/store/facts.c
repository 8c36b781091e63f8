#include "store/facts.h"

#include <assert.h>
#include <string.h>

#define SERIES_WORDS CACHE_WORDS(struct fact_series)
#define FILE_WORDS CACHE_WORDS(struct fact_file)
#define TIMES_WORDS CACHE_WORDS(struct fact_times)

/* They are copied word by word: nothing may be left over. */
static_assert(sizeof(struct fact_series) % sizeof(uint64_t) == 0, "whole words");
static_assert(sizeof(struct fact_file) % sizeof(uint64_t) == 0, "whole words");
static_assert(sizeof(struct fact_times) % sizeof(uint64_t) == 0, "whole words");

void facts_sizes(const struct config *config, size_t bytes[SEGMENT_SECTIONS])
{
    bytes[SEGMENT_NAMES] = names_bytes((uint32_t)config->names_entries);
    bytes[SEGMENT_DAYS] = cache_bytes(config->days_entries, SERIES_WORDS);
    bytes[SEGMENT_FILES] = cache_bytes(config->cache_entries, FILE_WORDS);
    bytes[SEGMENT_FENCES] = cache_bytes(config->fence_entries, TIMES_WORDS);
    bytes[SEGMENT_BOARD] = board_bytes();
}

static void attach(struct cache *cache, const struct segment *segment,
                   enum segment_section section, unsigned words, unsigned owner)
{
    cache_attach(cache, segment_at(segment, section), segment_bytes(segment, section), words,
                 owner);
}

void facts_attach(struct facts *facts, const struct segment *segment, unsigned owner)
{
    *facts = (struct facts){ .shared = segment != NULL };
    if (segment == NULL)
        return;
    names_attach(&facts->names, segment_at(segment, SEGMENT_NAMES),
                 segment_bytes(segment, SEGMENT_NAMES), owner);
    attach(&facts->series, segment, SEGMENT_DAYS, SERIES_WORDS, owner);
    attach(&facts->files, segment, SEGMENT_FILES, FILE_WORDS, owner);
    attach(&facts->times, segment, SEGMENT_FENCES, TIMES_WORDS, owner);
    board_attach(&facts->board, segment, owner);
}

unsigned facts_sweep(struct facts *facts, unsigned owner)
{
    return names_sweep(&facts->names, owner) + cache_sweep(&facts->series, owner) +
           cache_sweep(&facts->files, owner) + cache_sweep(&facts->times, owner) +
           board_sweep(&facts->board, owner);
}

static struct fact_names names_by(struct facts *facts,
                                  uint32_t (*number)(struct names *names, struct slice name),
                                  struct slice exchange, struct slice symbol, struct slice type)
{
    struct fact_names names = { 0 };

    if (!facts->shared)
        return names;
    names.exchange = number(&facts->names, exchange);
    names.symbol = number(&facts->names, symbol);
    names.type = number(&facts->names, type);
    if (names.exchange == 0 || names.symbol == 0 || names.type == 0)
        names = (struct fact_names){ 0 };
    return names;
}

struct fact_names facts_names(struct facts *facts, struct slice exchange, struct slice symbol,
                              struct slice type)
{
    return names_by(facts, names_id, exchange, symbol, type);
}

struct fact_names facts_known_names(struct facts *facts, struct slice exchange,
                                    struct slice symbol, struct slice type)
{
    return names_by(facts, names_find, exchange, symbol, type);
}

/* Four names of 24 bits, and a day since 1970 in 32; 0 for what a key has not. */
static struct cache_key key_of(struct fact_names names, uint32_t column, int32_t day)
{
    return (struct cache_key){ {
        (uint64_t)names.exchange << 40 | (uint64_t)names.symbol << 16 | names.type >> 8,
        (uint64_t)names.type << 56 | (uint64_t)column << 32 | (uint32_t)day,
    } };
}

static bool find(const struct cache *cache, struct fact_names names, struct cache_key key,
                 uint64_t now, void *value, struct cache_hint *hint)
{
    return names.exchange != 0 && cache_find(cache, key, now, value, hint);
}

static void put(struct cache *cache, struct fact_names names, struct cache_key key,
                uint64_t now, const void *value, struct cache_hint *hint)
{
    if (names.exchange == 0 || !cache_put(cache, key, now, value, hint))
        *hint = (struct cache_hint){ 0 };
}

bool facts_find_series(struct facts *facts, struct fact_names names, uint64_t now,
                       struct fact_series *series)
{
    struct cache_hint hint;

    return find(&facts->series, names, key_of(names, 0, 0), now, series, &hint);
}

void facts_put_series(struct facts *facts, struct fact_names names, uint64_t now,
                      const struct fact_series *series)
{
    struct cache_hint hint;

    put(&facts->series, names, key_of(names, 0, 0), now, series, &hint);
}

bool facts_find_file(struct facts *facts, struct fact_names names, uint32_t column, int32_t day,
                     uint64_t now, struct fact_file *file)
{
    struct cache_hint hint;

    return column != 0 &&
           find(&facts->files, names, key_of(names, column, day), now, file, &hint);
}

void facts_put_file(struct facts *facts, struct fact_names names, uint32_t column, int32_t day,
                    uint64_t now, const struct fact_file *file)
{
    struct cache_hint hint;

    if (column != 0)
        put(&facts->files, names, key_of(names, column, day), now, file, &hint);
}

bool facts_find_times(struct facts *facts, struct fact_names names, int32_t day, uint64_t now,
                      struct fact_times *times, struct cache_hint *hint)
{
    return find(&facts->times, names, key_of(names, 0, day), now, times, hint);
}

bool facts_find_index(struct facts *facts, struct fact_names names, int32_t day, uint64_t now,
                      struct fact_index *known, struct cache_hint *hint)
{
    return names.exchange != 0 &&
           cache_find_first(&facts->times, key_of(names, 0, day), now, (uint64_t *)known,
                            CACHE_WORDS(struct fact_index), hint);
}

void facts_put_times(struct facts *facts, struct fact_names names, int32_t day, uint64_t now,
                     const struct fact_times *times, struct cache_hint *hint)
{
    put(&facts->times, names, key_of(names, 0, day), now, times, hint);
}

/* The fence ${number}, whose word of a fact_times is ${word}. */
static uint64_t fence_in(uint64_t word, int number)
{
    uint32_t halves[2];

    if (number < 0)
        return 0;
    if (number >= TIMEINDEX_FENCES)
        return TIMEINDEX_NO_ROW;
    memcpy(halves, &word, sizeof(halves));
    return halves[number % 2];
}

/* Which word that is; any for a fence that there is not. */
static unsigned place_of(int number)
{
    unsigned first = offsetof(struct fact_times, fences) / sizeof(uint64_t);

    static_assert(offsetof(struct fact_times, fences) % sizeof(uint64_t) == 0, "whole words");
    return number < 0 || number >= TIMEINDEX_FENCES ? first : first + (unsigned)number / 2;
}

bool facts_bounds(const struct facts *facts, const struct cache_hint *hint, uint64_t now,
                  int32_t day, struct timerange range, struct timebounds *bounds)
{
    int start = timeindex_bracket(day, range.start);
    int end = timeindex_bracket(day, (uint64_t)range.end + 1);
    unsigned places[4] = { place_of(start), place_of(start + 1), place_of(end),
                           place_of(end + 1) };
    uint64_t words[4];

    if (!cache_read(&facts->times, hint, now, places, 4, words))
        return false;
    bounds->start_from = fence_in(words[0], start);
    bounds->start_to = fence_in(words[1], start + 1);
    bounds->end_from = fence_in(words[2], end);
    bounds->end_to = fence_in(words[3], end + 1);
    return true;
}
