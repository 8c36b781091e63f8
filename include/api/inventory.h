#ifndef API_INVENTORY_H
#define API_INVENTORY_H

#include "api/answer.h"
#include "store/catalog.h"
#include "store/history.h"
#include "store/instruments.h"

/*
 * How an answer about what is on disk gets hold of what is known: one thing after another, each
 * made from the one before, waiting where it has to be made. What was had stays the answer's
 * until it is done, so that calling again goes on from there.
 */

/**
 * inventory_begin(answer):
 * Before all others: ${answer} can wait.
 */
void inventory_begin(struct answer *answer);

/* Each returns ANSWER_READY when it has what it is asked for; ANSWER_WAIT; or, with the
 * answer's failure set, NULL and ANSWER_READY. */

/**
 * inventory_catalog(api, answer, catalog), inventory_history(api, answer, catalog, history),
 * inventory_instruments(api, answer, catalog, instruments):
 * The catalog; its history; what can be searched for in it.
 */
enum answer_state inventory_catalog(struct api *api, struct answer *answer,
                                    struct catalog **catalog);
enum answer_state inventory_history(struct api *api, struct answer *answer,
                                    struct catalog *catalog, struct history **history);
enum answer_state inventory_instruments(struct api *api, struct answer *answer,
                                        struct catalog *catalog,
                                        struct instruments **instruments);

/**
 * inventory_made(api, answer, kind, base, made):
 * What ${kind} makes of ${base}.
 */
enum answer_state inventory_made(struct api *api, struct answer *answer,
                                 const struct snapshot_kind *kind, struct snapshot *base,
                                 struct snapshot **made);

#endif
