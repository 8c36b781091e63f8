#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "base/request.h"
#include "base/slice.h"

/* What a request asks for (RFC 9112 section 3.2). */

/**
 * target_sound(target):
 * Whether all bytes of the ${target} may stand in one.
 */
bool target_sound(struct slice target);

/**
 * target_check(target, most, failure):
 * Returns 0 if the ${target} is sound, not empty and of at most ${most} bytes; or -1 with the
 * ${failure}.
 */
int target_check(struct slice target, uint64_t most, struct failure *failure);

/**
 * target_split(target, request):
 * Fill in path and query of the ${request}, of which the method is read, from its ${target}: a
 * path, an absolute URI of http or https, whose host is passed over, or the "*" of OPTIONS.
 * Returns 0, or -1 if it is nothing of these.
 */
int target_split(struct slice target, struct request *request);

#endif
