#ifndef API_SEARCH_H
#define API_SEARCH_H

#include "api/answer.h"

/* GET /api/symbol-search: what is on disk and fits what somebody types. */

/**
 * search_begin(api, request, answer), search_more(api, answer):
 * Make the answer; an error is left in the answer's failure.
 */
enum answer_state search_begin(struct api *api, const struct request *request,
                               struct answer *answer);
enum answer_state search_more(struct api *api, struct answer *answer);

#endif
