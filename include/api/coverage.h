#ifndef API_COVERAGE_H
#define API_COVERAGE_H

#include "api/answer.h"

/* GET /api/coverage: which days a series has, and what is in them. */

/**
 * coverage_begin(api, request, answer), coverage_more(api, answer):
 * Make the answer; an error is left in the answer's failure.
 */
enum answer_state coverage_begin(struct api *api, const struct request *request,
                                 struct answer *answer);
enum answer_state coverage_more(struct api *api, struct answer *answer);

#endif
