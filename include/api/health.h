#ifndef API_HEALTH_H
#define API_HEALTH_H

#include "api/answer.h"

/* GET /health: whether data can be served. */

/**
 * health_begin(api, request, answer):
 * Make the answer; an error is left in the answer's failure.
 */
enum answer_state health_begin(struct api *api, const struct request *request,
                               struct answer *answer);

#endif
