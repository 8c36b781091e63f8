#ifndef HTTP_CONDITIONS_H
#define HTTP_CONDITIONS_H

#include <stdint.h>

#include "api/answer.h"
#include "base/request.h"

/* What a request makes of an answer that is like a file: the conditions of RFC 9110 section 13
 * and the range of section 14. */

/**
 * conditions_apply(request, now, answer):
 * Turn ${answer}, which is tagged, whole and ready, into what the conditions of ${request} ask
 * for at the time ${now}: a 304, a 412, a 206, a 416; or leave it as it is.
 */
void conditions_apply(const struct request *request, int64_t now, struct answer *answer);

#endif
