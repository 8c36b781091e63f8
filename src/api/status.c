#include "api/status.h"

#include <time.h>

#include "api/inventory.h"
#include "base/name.h"
#include "base/text.h"
#include "query/params.h"

/* Bytes that an exchange and one type of it need at most, but for their names. */
#define EXCHANGE_BYTES (512 + 3 * NAME_MAX_BYTES)
#define TYPE_BYTES (256 + NAME_MAX_BYTES)

#define DATE_BYTES 40

static struct slice date_of(int64_t seconds, char text[DATE_BYTES])
{
    time_t time = seconds;
    struct tm tm;

    if (seconds <= 0 || gmtime_r(&time, &tm) == NULL)
        return SLICE("Never");
    return (struct slice){ text, strftime(text, DATE_BYTES, "%Y-%m-%d %H:%M:%S UTC", &tm) };
}

/* Members without their braces. */
static void put_update(struct text *text, int64_t seconds)
{
    char date[DATE_BYTES];

    text_put(text, SLICE("\"last_update\":"));
    text_number(text, seconds > 0 ? (uint64_t)seconds : 0);
    text_put(text, SLICE(",\"last_update_date\":"));
    text_json(text, date_of(seconds, date));
}

static void put_type(struct text *text, const char *key, int64_t seconds)
{
    text_json(text, slice_of(key));
    text_put(text, SLICE(":{"));
    put_update(text, seconds);
    text_put(text, SLICE("}"));
}

/* The updates of one exchange, ${count} of them. */
struct updates {
    const struct history_update *at;
    uint32_t count;
};

static int64_t newest_of(struct updates updates, const char *type)
{
    for (uint32_t i = 0; i < updates.count; i++) {
        if (strcmp(updates.at[i].type, type) == 0)
            return updates.at[i].newest;
    }
    return 0;
}

static void put_exchange(struct text *text, const char *name, struct updates updates)
{
    struct history_update newest = { .symbol = NULL };

    for (uint32_t i = 0; i < updates.count; i++) {
        if (updates.at[i].symbol != NULL && updates.at[i].newest > newest.newest)
            newest = updates.at[i];
    }
    text_put(text, SLICE("{\"exchange\":"));
    text_json(text, slice_of(name));
    text_put(text, SLICE(","));
    put_update(text, newest.newest);
    text_put(text, SLICE(","));
    put_type(text, "md", newest_of(updates, "MD"));
    text_put(text, SLICE(","));
    put_type(text, "trades", newest_of(updates, "TRADES"));
    text_put(text, SLICE(",\"types\":{"));
    for (uint32_t i = 0; i < updates.count; i++) {
        if (i > 0)
            text_put(text, SLICE(","));
        put_type(text, updates.at[i].type, updates.at[i].newest);
    }
    text_put(text, SLICE("},\"symbol_checked\":"));
    text_json(text, slice_of(newest.symbol == NULL ? "" : newest.symbol));
    text_put(text, SLICE("}"));
}

static void put_exchanges(struct text *text, const struct history *history)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < history->catalog->exchange_count; i++) {
        const char *name = history->catalog->exchanges[i].name;
        struct updates updates = { history->updates + at, 0 };

        while (at < history->update_count && history->updates[at].exchange == name) {
            updates.count++;
            at++;
        }
        if (i > 0)
            text_put(text, SLICE(","));
        put_exchange(text, name, updates);
    }
}

static void finish(struct api *api, struct answer *answer, const struct history *history)
{
    size_t room = 256 + history->catalog->exchange_count * EXCHANGE_BYTES +
                  history->update_count * TYPE_BYTES;
    char *memory = arena_take(&answer->arena, room);
    struct text text = text_on(memory, room);

    if (memory == NULL) {
        failure_set(&answer->failure, 503, NULL, "out of memory");
        return;
    }
    text_put(&text, SLICE("{\"exchanges\":["));
    put_exchanges(&text, history);
    text_put(&text, SLICE("],\"timestamp\":"));
    text_number(&text, (uint64_t)history_wall(api->store));
    text_put(&text, SLICE(",\"fetch_time_ms\":"));
    text_number(&text, answer->waited ? history_took(api->store) / 1000000 : 0);
    text_put(&text,
             answer->waited ? SLICE(",\"cached\":false}\n") : SLICE(",\"cached\":true}\n"));
    answer_memory(answer, 200, "application/json", (struct slice){ text.at, text.len });
}

enum answer_state status_begin(struct api *api, const struct request *request,
                               struct answer *answer)
{
    if (params_parse(NULL, 0, request->query, NULL, &answer->arena, &answer->failure))
        return ANSWER_READY;
    inventory_begin(answer);
    return status_more(api, answer);
}

enum answer_state status_more(struct api *api, struct answer *answer)
{
    struct catalog *catalog;
    struct history *history = NULL;
    enum answer_state state = inventory_catalog(api, answer, &catalog);

    if (catalog != NULL)
        state = inventory_history(api, answer, catalog, &history);
    if (history != NULL)
        finish(api, answer, history);
    return state;
}
