#ifndef API_STATUS_H
#define API_STATUS_H

#include "api/answer.h"

/* GET /api/status: when each exchange and type was last written to. */

/**
 * status_begin(api, request, answer), status_more(api, answer):
 * Make the answer; an error is left in the answer's failure.
 */
enum answer_state status_begin(struct api *api, const struct request *request,
                               struct answer *answer);
enum answer_state status_more(struct api *api, struct answer *answer);

#endif
