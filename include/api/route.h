#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "api/answer.h"

/* The path of the request decides which endpoint answers, and the listener that it came to
 * whether it does: data is not served on admin listeners, nor /metrics on others. */

/**
 * route_begin(api, request, answer):
 * Find the endpoint that ${request} is for and begin its answer. When ANSWER_READY, ${answer}
 * is whole, be it an error.
 * ${request} may go afterwards.
 */
enum answer_state route_begin(struct api *api, const struct request *request,
                              struct answer *answer);

/**
 * route_more(api, answer):
 * Go on with an answer that was ANSWER_MORE or ANSWER_WAIT.
 */
enum answer_state route_more(struct api *api, struct answer *answer);

#endif
