#include "api/inventory.h"

/* Places among what the answer holds. */
enum { CATALOG, HISTORY, INSTRUMENTS = HISTORY, MADE };

void inventory_begin(struct answer *answer)
{
    answer->waiter.waker = answer->waker;
    answer->waiter.failure = &answer->failure;
}

static enum answer_state take(struct answer *answer, enum snapshot_result result,
                              struct snapshot *got, unsigned place)
{
    if (result == SNAPSHOT_OK)
        answer->held[place] = got;
    answer->waited |= result == SNAPSHOT_WAIT;
    return result == SNAPSHOT_WAIT ? ANSWER_WAIT : ANSWER_READY;
}

enum answer_state inventory_catalog(struct api *api, struct answer *answer,
                                    struct catalog **catalog)
{
    enum answer_state state = ANSWER_READY;
    struct catalog *got = NULL;

    if (answer->held[CATALOG] == NULL) {
        enum snapshot_result result = catalog_get(api->store, &answer->waiter, &got);

        state = take(answer, result, (struct snapshot *)got, CATALOG);
    }
    *catalog = (struct catalog *)answer->held[CATALOG];
    return state;
}

enum answer_state inventory_history(struct api *api, struct answer *answer,
                                    struct catalog *catalog, struct history **history)
{
    enum answer_state state = ANSWER_READY;
    struct history *got = NULL;

    if (answer->held[HISTORY] == NULL) {
        enum snapshot_result result = history_get(api->store, catalog, &answer->waiter, &got);

        state = take(answer, result, (struct snapshot *)got, HISTORY);
    }
    *history = (struct history *)answer->held[HISTORY];
    return state;
}

enum answer_state inventory_instruments(struct api *api, struct answer *answer,
                                        struct catalog *catalog,
                                        struct instruments **instruments)
{
    enum answer_state state = ANSWER_READY;
    struct instruments *got = NULL;

    if (answer->held[INSTRUMENTS] == NULL) {
        enum snapshot_result result =
            instruments_get(api->store, catalog, &answer->waiter, &got);

        state = take(answer, result, (struct snapshot *)got, INSTRUMENTS);
    }
    *instruments = (struct instruments *)answer->held[INSTRUMENTS];
    return state;
}

enum answer_state inventory_made(struct api *api, struct answer *answer,
                                 const struct snapshot_kind *kind, struct snapshot *base,
                                 struct snapshot **made)
{
    enum answer_state state = ANSWER_READY;
    struct snapshot *got = NULL;

    if (answer->held[MADE] == NULL) {
        enum snapshot_result result =
            snapshot_get(api->store, kind, base, &answer->waiter, &got);

        state = take(answer, result, got, MADE);
    }
    *made = answer->held[MADE];
    return state;
}
