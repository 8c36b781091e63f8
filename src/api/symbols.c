#include "api/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/inventory.h"
#include "base/buf.h"
#include "base/date.h"
#include "query/params.h"

/* Bytes of a body from which on it is sent from a file: see bench/BENCHMARKS.md. */
#define LARGE (20 << 10)

#define NOTHING SLICE("{\"symbols\":[],\"exchanges\":{}}\n")

/* The bodies of answers, one after another in ${text}. */
struct document {
    struct snapshot snapshot;
    const struct catalog *catalog;
    struct buf text; /* empty if there is a file */
    int fd;          /* -1: none */
    char *map;       /* of the file */
    size_t bytes;    /* of it */
    struct slice all;
    struct slice *exchanges; /* by their places in the catalog */
};

/* What a document is written with. */
struct writing {
    const struct catalog *catalog;
    const struct history *history; /* NULL: without details */
    struct buf *text;
    bool failed; /* for want of memory */
};

/* --- Writing */

static void put(struct writing *writing, struct slice s)
{
    writing->failed = writing->failed || buf_append(writing->text, s.at, s.len);
}

/* Valid names need no escapes. */
static void put_string(struct writing *writing, const char *string)
{
    put(writing, SLICE("\""));
    put(writing, slice_of(string));
    put(writing, SLICE("\""));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The symbols of all exchanges, each once. */
static void put_unique(struct writing *writing)
{
    const struct catalog *catalog = writing->catalog;
    const char **names = malloc((catalog->symbol_count + 1) * sizeof(*names));
    const char *last = NULL;

    writing->failed |= names == NULL;
    if (writing->failed)
        return;
    for (uint32_t i = 0; i < catalog->symbol_count; i++)
        names[i] = catalog->symbols[i].name;
    qsort(names, catalog->symbol_count, sizeof(*names), compare_names);
    for (uint32_t i = 0; i < catalog->symbol_count; i++) {
        if (last != NULL && strcmp(names[i], last) == 0)
            continue;
        if (last != NULL)
            put(writing, SLICE(","));
        put_string(writing, last = names[i]);
    }
    free(names);
}

static void put_symbols(struct writing *writing, const struct catalog_exchange *exchange)
{
    const struct catalog_symbol *symbols = writing->catalog->symbols + exchange->first_symbol;

    for (uint32_t i = 0; i < exchange->symbol_count; i++) {
        if (i > 0)
            put(writing, SLICE(","));
        put_string(writing, symbols[i].name);
    }
}

static void put_day(struct writing *writing, int32_t day)
{
    char iso[11];

    if (day < DATE_FIRST || day > DATE_LAST)
        put(writing, SLICE("null"));
    else
        put_string(writing, date_iso(day, iso));
}

static void put_detail(struct writing *writing, const struct catalog_symbol *symbol)
{
    int32_t first = INT32_MAX, last = INT32_MIN;

    put_string(writing, symbol->name);
    put(writing, SLICE(":{\"types\":["));
    for (uint32_t i = 0; i < symbol->type_count; i++) {
        const struct history_series *series = &writing->history->series[symbol->first_type + i];

        if (i > 0)
            put(writing, SLICE(","));
        put_string(writing, catalog_type(writing->catalog, symbol->first_type + i));
        first = series->first < first ? series->first : first;
        last = series->last > last ? series->last : last;
    }
    put(writing, SLICE("],\"first_day\":"));
    put_day(writing, first);
    put(writing, SLICE(",\"last_day\":"));
    put_day(writing, last);
    put(writing, SLICE("}"));
}

static void put_details(struct writing *writing, const struct catalog_exchange *exchange)
{
    const struct catalog_symbol *symbols = writing->catalog->symbols + exchange->first_symbol;

    for (uint32_t i = 0; i < exchange->symbol_count; i++) {
        if (i > 0)
            put(writing, SLICE(","));
        put_detail(writing, &symbols[i]);
    }
}

/* An object with a member for each of ${count} exchanges. */
static void put_each(struct writing *writing, const struct catalog_exchange *exchanges,
                     uint32_t count, struct slice brackets,
                     void (*put_one)(struct writing *writing,
                                     const struct catalog_exchange *exchange))
{
    put(writing, SLICE("{"));
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(writing, SLICE(","));
        put_string(writing, exchanges[i].name);
        put(writing, SLICE(":"));
        put(writing, (struct slice){ brackets.at, 1 });
        put_one(writing, &exchanges[i]);
        put(writing, (struct slice){ brackets.at + 1, 1 });
    }
    put(writing, SLICE("}"));
}

/* One whole body; returns its length. */
static size_t put_body(struct writing *writing, const struct catalog_exchange *exchanges,
                       uint32_t count, bool all)
{
    size_t before = writing->text->len;

    put(writing, SLICE("{\"symbols\":["));
    if (all)
        put_unique(writing);
    else
        put_symbols(writing, exchanges);
    put(writing, SLICE("],\"exchanges\":"));
    put_each(writing, exchanges, count, SLICE("[]"), put_symbols);
    if (writing->history != NULL) {
        put(writing, SLICE(",\"details\":"));
        put_each(writing, exchanges, count, SLICE("{}"), put_details);
    }
    put(writing, SLICE("}\n"));
    return writing->text->len - before;
}

static void free_document(struct snapshot *snapshot)
{
    struct document *document = (struct document *)snapshot;

    if (document->fd >= 0) {
        munmap(document->map, document->bytes);
        close(document->fd);
    }
    buf_free(&document->text);
    free(document->exchanges);
    free(document);
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);

        if (written <= 0)
            return -1;
        bytes += written;
        len -= (size_t)written;
    }
    return 0;
}

/* Have the text in a file in memory, if that is ${wanted}, from which large bodies are sent
 * without being copied. */
static const char *place_text(struct document *document, bool wanted)
{
    size_t bytes = document->text.len;
    int fd = bytes < LARGE || !wanted ? -1 : memfd_create("symbols", MFD_CLOEXEC);
    char *map = fd < 0 || write_all(fd, document->text.bytes, bytes)
                    ? MAP_FAILED
                    : mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED) {
        if (fd >= 0)
            close(fd);
        return document->text.bytes;
    }
    buf_free(&document->text);
    document->fd = fd;
    document->map = map;
    document->bytes = bytes;
    return map;
}

static void write_bodies(struct document *document, struct writing *writing, bool to_file)
{
    const struct catalog *catalog = writing->catalog;

    document->all.len = put_body(writing, catalog->exchanges, catalog->exchange_count, true);
    for (uint32_t i = 0; i < catalog->exchange_count; i++)
        document->exchanges[i].len = put_body(writing, &catalog->exchanges[i], 1, false);
    if (writing->failed)
        return;
    /* The text moves while it grows. */
    const char *at = document->all.at = place_text(document, to_file);
    at += document->all.len;
    for (uint32_t i = 0; i < catalog->exchange_count; i++) {
        document->exchanges[i].at = at;
        at += document->exchanges[i].len;
    }
}

static void build(struct snapshot_job *job, const struct catalog *catalog,
                  const struct history *history)
{
    struct document *document = calloc(1, sizeof(*document));
    struct writing writing = { catalog, history, .failed = true };

    if (document != NULL)
        document->fd = -1;
    if (document != NULL && (document->exchanges = calloc(catalog->exchange_count + 1,
                                                          sizeof(struct slice))) != NULL) {
        document->snapshot.free = free_document;
        document->catalog = catalog;
        writing.text = &document->text;
        writing.failed = false;
        write_bodies(document, &writing, job->config->sendfile == CONFIG_SENDFILE_ON);
    }
    if (writing.failed) {
        if (document != NULL)
            free_document(&document->snapshot);
        snapshot_fail(job, ENOMEM, NULL);
        return;
    }
    document->snapshot.bytes = sizeof(*document) + document->text.room + document->bytes;
    job->made = &document->snapshot;
}

static void build_symbols(struct snapshot_job *job)
{
    build(job, (const struct catalog *)job->base, NULL);
}

static void build_details(struct snapshot_job *job)
{
    const struct history *history = (const struct history *)job->base;

    build(job, history->catalog, history);
}

/* --- Answering */

enum { EXCHANGE, DETAILS, PARAMETERS };

static const struct slice names[PARAMETERS] = { PARAMS_NAME("exchange"),
                                                PARAMS_NAME("details") };

enum answer_state symbols_begin(struct api *api, const struct request *request,
                                struct answer *answer)
{
    struct slice values[PARAMETERS] = { 0 };

    answer->exchange = (struct slice){ NULL, 0 };
    if (params_parse(names, PARAMETERS, request->query, values, &answer->arena,
                     &answer->failure) ||
        (values[EXCHANGE].at != NULL &&
         params_name(names, values, EXCHANGE, NULL, &answer->exchange, &answer->failure)))
        return ANSWER_READY;
    answer->details = values[DETAILS].at != NULL && slice_is(values[DETAILS], "1");
    if (values[DETAILS].at != NULL && !answer->details && !slice_is(values[DETAILS], "0")) {
        failure_set(&answer->failure, 400, "details", "details can be 0|1");
        return ANSWER_READY;
    }
    inventory_begin(answer);
    return symbols_more(api, answer);
}

/* The document to answer from. */
static enum answer_state find_document(struct api *api, struct answer *answer,
                                       struct snapshot **document)
{
    static const struct snapshot_kind symbols = { .place = STORE_SYMBOLS,
                                                  .timeless = true,
                                                  .build = build_symbols };
    static const struct snapshot_kind details = { .place = STORE_DETAILS,
                                                  .timeless = true,
                                                  .build = build_details };
    struct catalog *catalog;
    struct history *history = NULL;

    *document = NULL;
    enum answer_state state = inventory_catalog(api, answer, &catalog);
    if (catalog == NULL)
        return state;
    if (!answer->details)
        return inventory_made(api, answer, &symbols, &catalog->snapshot, document);
    state = inventory_history(api, answer, catalog, &history);
    if (history == NULL)
        return state;
    return inventory_made(api, answer, &details, &history->snapshot, document);
}

enum answer_state symbols_more(struct api *api, struct answer *answer)
{
    struct snapshot *found;
    enum answer_state state = find_document(api, answer, &found);
    const struct document *document = (const struct document *)found;
    struct slice body;

    if (document == NULL)
        return state;
    body = document->all;
    if (answer->exchange.at != NULL) {
        const struct catalog_exchange *exchange =
            catalog_exchange(document->catalog, answer->exchange);

        if (exchange != NULL)
            body = document->exchanges[exchange - document->catalog->exchanges];
        else
            body = answer->details ? SLICE("{\"symbols\":[],\"exchanges\":{},\"details\":{}}\n")
                                   : NOTHING;
    }
    if (document->fd >= 0 && body.len >= LARGE)
        answer_file(answer, 200, "application/json", body, document->fd,
                    body.at - document->map);
    else
        answer_memory(answer, 200, "application/json", body);
    return ANSWER_READY;
}
