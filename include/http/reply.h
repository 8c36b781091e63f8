#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include <stdbool.h>

#include "api/answer.h"
#include "base/request.h"
#include "base/slice.h"
#include "system/config.h"

/* The head of an HTTP/1 answer. */

struct reply {
    struct slice head; /* status line, header fields, and the frame of the body's only chunk */
    struct slice tail; /* what ends the body */
    struct slice id;   /* the X-Request-Id in the head */
};

/**
 * reply_make(reply, answer, request, keep_alive, config):
 * Write the head for ${answer} to ${request} (of which method, minor, origin and id are read),
 * on a connection that goes on if ${keep_alive}. The text lies in the answer's arena. Returns
 * 0, or -1 without memory.
 */
int reply_make(struct reply *reply, struct answer *answer, const struct request *request,
               bool keep_alive, const struct config *config);

#endif
