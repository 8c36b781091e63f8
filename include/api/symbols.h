#ifndef API_SYMBOLS_H
#define API_SYMBOLS_H

#include "api/answer.h"

/* GET /api/symbols: which exchanges and symbols are on disk. The answers, for all exchanges and
 * for each of them, are written once for each catalog, by a helper. */

/**
 * symbols_begin(api, request, answer), symbols_more(api, answer):
 * Make the answer; an error is left in the answer's failure.
 */
enum answer_state symbols_begin(struct api *api, const struct request *request,
                                struct answer *answer);
enum answer_state symbols_more(struct api *api, struct answer *answer);

#endif
