#include "api/search.h"

#include "api/inventory.h"
#include "base/text.h"
#include "query/params.h"

/* Bytes that each byte of a text can need in JSON, and those of a result but for its texts. */
#define JSON_GROWTH 6
#define RESULT_BYTES 256
#define SYMBOL_BYTES (64 + 2 * 64)

/* --- Writing */

static size_t room_of(const struct ranking *ranking)
{
    size_t texts = 3 * RANKING_QUERY, room = 512;

    for (unsigned i = 0; i < ranking->count; i++) {
        const struct instrument *one = ranking->best[i].instrument;

        texts += one->id.shown.len + one->display_name.shown.len + one->description.shown.len +
                 one->base.shown.len + one->quote.shown.len + one->category.len;
        room += RESULT_BYTES + one->count * SYMBOL_BYTES;
    }
    return room + JSON_GROWTH * texts;
}

static void put_member(struct text *text, struct slice key, struct slice value)
{
    text_put(text, key);
    text_json(text, value);
}

static void put_result(struct text *text, const struct ranking *ranking, unsigned place)
{
    const struct instrument *one = ranking->best[place].instrument;
    const struct instrument_symbol *symbols = ranking->among->symbols + one->first;

    put_member(text, SLICE("{\"normalized_id\":"), one->id.shown);
    put_member(text, SLICE(",\"display_name\":"), one->display_name.shown);
    put_member(text, SLICE(",\"description\":"), one->description.shown);
    put_member(text, SLICE(",\"base\":"), one->base.shown);
    put_member(text, SLICE(",\"quote\":"), one->quote.shown);
    put_member(text, SLICE(",\"category\":"), one->category);
    text_put(text, SLICE(",\"exchanges\":["));
    for (uint32_t i = 0; i < one->count; i++) {
        if (i > 0)
            text_put(text, SLICE(","));
        put_member(text, SLICE("{\"exchange\":"), slice_of(symbols[i].exchange));
        put_member(text, SLICE(",\"symbol\":"), symbols[i].name.shown);
        text_put(text, SLICE("}"));
    }
    text_put(text, SLICE("],\"relevance_score\":"));
    text_number(text, ranking->best[place].score);
    text_put(text, SLICE("}"));
}

static void finish(struct answer *answer, const struct ranking *ranking)
{
    size_t room = room_of(ranking);
    char *memory = arena_take(&answer->arena, room);
    struct text text = text_on(memory, room);

    if (memory == NULL) {
        failure_set(&answer->failure, 503, NULL, "out of memory");
        return;
    }
    text_put(&text, SLICE("{\"results\":["));
    for (unsigned i = 0; i < ranking->count; i++) {
        if (i > 0)
            text_put(&text, SLICE(","));
        put_result(&text, ranking, i);
    }
    text_put(&text, SLICE("]"));
    if (ranking->count == 0) {
        put_member(&text, SLICE(",\"query\":"), answer->search_text);
        put_member(&text, SLICE(",\"message\":"), SLICE("nothing on disk fits the query"));
    }
    text_put(&text, SLICE("}\n"));
    answer_memory(answer, 200, "application/json", (struct slice){ text.at, text.len });
}

/* --- Answering */

static const struct slice names[] = { PARAMS_NAME("q") };

enum answer_state search_begin(struct api *api, const struct request *request,
                               struct answer *answer)
{
    struct slice q = { NULL, 0 };

    if (params_parse_form(names, 1, request->query, &q, &answer->arena, &answer->failure))
        return ANSWER_READY;
    if (q.at == NULL) {
        answer_memory(answer, 200, "application/json",
                      SLICE("{\"results\":[],\"message\":\"what to search for? Say so with "
                            "q\"}\n"));
        return ANSWER_READY;
    }
    if (q.len > RANKING_QUERY || !utf8_valid(q)) {
        failure_set(&answer->failure, 400, "q", "q is not UTF-8 of up to %d bytes",
                    RANKING_QUERY);
        return ANSWER_READY;
    }
    answer->search_text = q;
    answer->ranking = arena_take(&answer->arena, sizeof(*answer->ranking));
    if (answer->ranking == NULL) {
        failure_set(&answer->failure, 503, NULL, "out of memory");
        return ANSWER_READY;
    }
    ranking_begin(answer->ranking, q);
    inventory_begin(answer);
    return search_more(api, answer);
}

enum answer_state search_more(struct api *api, struct answer *answer)
{
    struct catalog *catalog;
    struct instruments *among = NULL;
    enum answer_state state = inventory_catalog(api, answer, &catalog);

    if (catalog != NULL)
        state = inventory_instruments(api, answer, catalog, &among);
    if (among == NULL)
        return state;
    answer->ranking->among = among;
    if (ranking_step(answer->ranking))
        return ANSWER_MORE;
    finish(answer, answer->ranking);
    return ANSWER_READY;
}
