#include "store/instruments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "store/symbolfile.h"

#define TEXTS_BLOCK 262144
#define TAGS_MAX 64

/* --- What names say */

/* What a name without a separator can end with; longer ones before those they end with. TUSD
 * and BUSD are not among them: DOTUSD is DOT and USD. */
static const char *const quotes[] = { "FDUSD", "USDT", "USDC", "USD", "EUR", "GBP", "JPY",
                                      "AUD",   "CAD",  "CHF",  "TRY", "BRL", "KRW", "DAI",
                                      "BTC",   "XBT",  "ETH",  "BNB", NULL };

static void copy_capitals(char to[65], const char *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(from[i] >= 'a' && from[i] <= 'z' ? from[i] - 32 : from[i]);
    to[len] = '\0';
}

/* Split ${name}, where a separator stands between two parts. Returns whether it has any. */
static bool split_separated(const char *name, struct instruments_pair *pair)
{
    size_t first = strcspn(name, "-_:"), second;

    if (name[first] == '\0')
        return false;
    second = strcspn(name + first + 1, "-_:");
    if (first > 0 && second > 0) {
        copy_capitals(pair->base, name, first);
        copy_capitals(pair->quote, name + first + 1, second);
    }
    return true;
}

static void split_joined(const char *name, struct instruments_pair *pair)
{
    char whole[65];

    /* Some write a t before what is traded. */
    if (name[0] == 't' && name[1] >= 'A' && name[1] <= 'Z')
        name++;
    size_t len = strlen(name);
    copy_capitals(whole, name, len);
    for (size_t i = 0; quotes[i] != NULL; i++) {
        size_t quote = strlen(quotes[i]);

        if (len < quote + 2 || strcmp(whole + len - quote, quotes[i]) != 0)
            continue;
        memcpy(pair->quote, quotes[i], quote + 1);
        copy_capitals(pair->base, whole, len - quote);
        return;
    }
}

struct instruments_pair instruments_pair_of(const char *name)
{
    struct instruments_pair pair = { .base = "" };
    const char *plain = name[0] == 't' && name[1] >= 'A' && name[1] <= 'Z' ? name + 1 : name;
    bool separated = split_separated(plain, &pair);

    if (!separated)
        split_joined(name, &pair);
    if (strcmp(pair.base, "XBT") == 0)
        strcpy(pair.base, "BTC");
    if (strcmp(pair.quote, "XBT") == 0)
        strcpy(pair.quote, "BTC");
    if (strcmp(pair.quote, "USDT") == 0 || strcmp(pair.quote, "USDC") == 0)
        strcpy(pair.quote, "USD");
    /* More than two parts are more than a pair. */
    bool whole = pair.quote[0] != '\0' &&
                 (!separated || strcspn(plain + strcspn(plain, "-_:") + 1, "-_:") ==
                                    strlen(plain + strcspn(plain, "-_:") + 1));
    if (whole)
        snprintf(pair.id, sizeof(pair.id), "%s/%s", pair.base, pair.quote);
    else
        snprintf(pair.id, sizeof(pair.id), "%s", name);
    if (pair.base[0] == '\0')
        snprintf(pair.base, sizeof(pair.base), "%s", name);
    return pair;
}

/* --- Making them */

/* One symbol of an exchange, with what is known of it. */
struct item {
    const char *exchange, *symbol;
    const char *id;
    struct instruments_pair *pair;
    struct symbolfile_entry entry;
    bool described;
};

struct build {
    struct snapshot_job *job;
    const struct catalog *catalog;
    const struct instruments *before;
    struct instruments *made;
    struct symbolfile **files; /* by exchange */
    struct item *items;
    uint32_t item_count;
    bool failed; /* for want of memory */
};

static void *take(struct build *build, size_t size)
{
    void *taken = build->failed ? NULL : arena_take(&build->made->texts, size);

    build->failed |= taken == NULL;
    return taken;
}

static struct slice keep(struct build *build, const char *text)
{
    size_t len = strlen(text);
    char *copy = take(build, len + 1);

    if (copy == NULL)
        return (struct slice){ "", 0 };
    memcpy(copy, text, len + 1);
    return (struct slice){ copy, len };
}

static struct slice keep_folded(struct build *build, const char *text)
{
    size_t len = strlen(text);
    char *copy = malloc(UTF8_FOLD_GROWTH * len + 1);
    struct slice kept = { "", 0 };

    build->failed |= copy == NULL;
    if (copy != NULL) {
        copy[utf8_fold((struct slice){ text, len }, copy)] = '\0';
        kept = keep(build, copy);
    }
    free(copy);
    return kept;
}

static struct instrument_text keep_both(struct build *build, const char *text)
{
    struct instrument_text kept = { keep(build, text), keep_folded(build, text) };

    return kept;
}

static void keep_tags(struct build *build, struct instrument *made,
                      const struct symbolfile_entry *entry)
{
    const char *tag;

    if (symbolfile_tag(entry, 0) == NULL)
        return;
    made->tags = take(build, TAGS_MAX * sizeof(*made->tags));
    for (size_t i = 0;
         !build->failed && i < TAGS_MAX && (tag = symbolfile_tag(entry, i)) != NULL; i++) {
        if (tag[0] != '\0')
            made->tags[made->tag_count++] = keep_folded(build, tag);
    }
}

static const char *either(const char *said, const char *derived)
{
    return said != NULL && said[0] != '\0' ? said : derived;
}

/* The instrument that begins with ${item}, the first of its symbols that is described. */
static void describe(struct build *build, struct instrument *made, const struct item *item)
{
    const struct symbolfile_entry *entry = &item->entry;

    made->id = keep_both(build, item->id);
    made->base = keep_both(build, either(entry->base, item->pair->base));
    made->quote = keep_both(build, either(entry->quote, item->pair->quote));
    made->display_name = keep_both(build, either(entry->display_name, item->id));
    made->description = keep_both(build, either(entry->description, ""));
    made->category = keep(build, either(entry->category, ""));
    keep_tags(build, made, entry);
}

/* All items of one id, ${count} of them, become one. */
static void add_group(struct build *build, const struct item *items, uint32_t count)
{
    struct instruments *made = build->made;
    struct instrument *instrument = &made->list[made->count++];
    const struct item *best = items;

    *instrument = (struct instrument){ .first = made->symbol_count, .count = count };
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].described && !best->described)
            best = &items[i];
        made->symbols[made->symbol_count++] =
            (struct instrument_symbol){ items[i].exchange, keep_both(build, items[i].symbol) };
    }
    describe(build, instrument, best);
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->id, y->id);

    if (order == 0)
        order = strcmp(x->exchange, y->exchange);
    return order != 0 ? order : strcmp(x->symbol, y->symbol);
}

static void add_item(struct build *build, const char *exchange, const char *symbol,
                     const struct symbolfile *file)
{
    struct item *item = &build->items[build->item_count];

    *item = (struct item){ .exchange = exchange, .symbol = symbol };
    if ((item->pair = malloc(sizeof(*item->pair))) == NULL) {
        build->failed = true;
        return;
    }
    build->item_count++;
    *item->pair = instruments_pair_of(symbol);
    item->described = symbolfile_find(file, symbol, &item->entry);
    item->id = either(item->entry.normalized_id, item->pair->id);
}

static void add_items(struct build *build)
{
    const struct catalog *catalog = build->catalog;

    for (uint32_t e = 0; e < catalog->exchange_count; e++) {
        const struct catalog_exchange *exchange = &catalog->exchanges[e];

        for (uint32_t i = 0; i < exchange->symbol_count && !build->failed; i++) {
            const struct catalog_symbol *symbol = &catalog->symbols[exchange->first_symbol + i];

            if (symbol->type_count > 0)
                add_item(build, exchange->name, symbol->name, build->files[e]);
        }
    }
    if (build->item_count > 0)
        qsort(build->items, build->item_count, sizeof(*build->items), compare_items);
}

static void add_groups(struct build *build)
{
    uint32_t end;

    for (uint32_t i = 0; i < build->item_count; i = end) {
        for (end = i + 1;
             end < build->item_count && strcmp(build->items[end].id, build->items[i].id) == 0;)
            end++;
        add_group(build, &build->items[i], end - i);
    }
}

/* --- The files */

/* The mark that the exchange's file had when it was last read. */
static uint64_t mark_before(const struct build *build, const char *exchange)
{
    if (build->before == NULL)
        return 0;
    const struct catalog *catalog = build->before->catalog;
    const struct catalog_exchange *found = catalog_exchange(catalog, slice_of(exchange));
    return found == NULL ? 0 : build->before->marks[found - catalog->exchanges];
}

/* Look at the files. Returns whether any of them has changed. */
static bool look_at_files(struct build *build)
{
    const char *directory = build->job->config->symbols_dir;
    bool changed = false;

    for (uint32_t e = 0; directory[0] != '\0' && e < build->catalog->exchange_count; e++) {
        const char *exchange = build->catalog->exchanges[e].name;

        build->made->marks[e] = symbolfile_mark(directory, exchange);
        changed |= build->made->marks[e] != mark_before(build, exchange);
    }
    return changed;
}

/* What was said once of a broken file is not said again. */
static void read_files(struct build *build)
{
    for (uint32_t e = 0; e < build->catalog->exchange_count; e++) {
        const char *exchange = build->catalog->exchanges[e].name;
        uint64_t mark = build->made->marks[e];

        if (mark != 0)
            build->files[e] = symbolfile_read(build->job->config->symbols_dir, exchange,
                                              mark == mark_before(build, exchange));
    }
}

static void free_instruments(struct snapshot *snapshot)
{
    struct instruments *instruments = (struct instruments *)snapshot;

    arena_free(&instruments->texts);
    free(instruments->list);
    free(instruments->symbols);
    free(instruments->marks);
    free(instruments);
}

static struct instruments *new_instruments(const struct catalog *catalog)
{
    struct instruments *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return NULL;
    arena_init(&made->texts, TEXTS_BLOCK);
    made->snapshot.free = free_instruments;
    made->catalog = catalog;
    made->list = calloc(catalog->symbol_count + 1, sizeof(*made->list));
    made->symbols = calloc(catalog->symbol_count + 1, sizeof(*made->symbols));
    made->marks = calloc(catalog->exchange_count + 1, sizeof(*made->marks));
    if (made->list == NULL || made->symbols == NULL || made->marks == NULL) {
        free_instruments(&made->snapshot);
        return NULL;
    }
    return made;
}

static void fill(struct build *build)
{
    const struct catalog *catalog = build->catalog;

    build->files = calloc(catalog->exchange_count + 1, sizeof(*build->files));
    build->items = calloc(catalog->symbol_count + 1, sizeof(*build->items));
    build->failed = build->files == NULL || build->items == NULL;
    if (!build->failed) {
        read_files(build);
        add_items(build);
        add_groups(build);
    }
    for (uint32_t e = 0; build->files != NULL && e < catalog->exchange_count; e++)
        symbolfile_free(build->files[e]);
    for (uint32_t i = 0; i < build->item_count; i++)
        free(build->items[i].pair);
    free(build->files);
    free(build->items);
}

static size_t weigh(const struct instruments *made)
{
    size_t texts = 0;

    for (uint32_t i = 0; i < made->count; i++) {
        const struct instrument *one = &made->list[i];

        texts += 2 * (one->id.shown.len + one->display_name.shown.len +
                      one->description.shown.len + 96) +
                 (one->tag_count > 0 ? TAGS_MAX * sizeof(struct slice) : 0);
    }
    return sizeof(*made) +
           made->catalog->symbol_count * (sizeof(*made->list) + sizeof(*made->symbols) + 32) +
           texts;
}

static void build_instruments(struct snapshot_job *job)
{
    struct build build = {
        .job = job,
        .catalog = (const struct catalog *)job->base,
        .before = (const struct instruments *)job->before,
    };

    build.made = new_instruments(build.catalog);
    if (build.made == NULL) {
        snapshot_fail(job, ENOMEM, NULL);
        return;
    }
    bool changed = look_at_files(&build);
    if (!changed && job->before != NULL && job->before->base == job->base) {
        free_instruments(&build.made->snapshot);
        return;
    }
    fill(&build);
    if (build.failed) {
        free_instruments(&build.made->snapshot);
        snapshot_fail(job, ENOMEM, NULL);
        return;
    }
    build.made->snapshot.bytes = weigh(build.made);
    job->made = &build.made->snapshot;
}

enum snapshot_result instruments_get(struct store *store, struct catalog *catalog,
                                     struct load_waiter *waiter,
                                     struct instruments **instruments)
{
    static const struct snapshot_kind kind = { .place = STORE_INSTRUMENTS,
                                               .build = build_instruments };

    return snapshot_get(store, &kind, &catalog->snapshot, waiter,
                        (struct snapshot **)instruments);
}
