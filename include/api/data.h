#ifndef API_DATA_H
#define API_DATA_H

#include "api/answer.h"

/* GET /api/data: the rows of a range of time. */

/**
 * data_begin(api, request, answer), data_more(api, answer):
 * Make the answer to a query; an error is left in the answer's failure.
 */
enum answer_state data_begin(struct api *api, const struct request *request,
                             struct answer *answer);
enum answer_state data_more(struct api *api, struct answer *answer);

#endif
