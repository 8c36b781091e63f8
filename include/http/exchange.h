#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "api/answer.h"
#include "base/request.h"
#include "http/access.h"
#include "http/reply.h"
#include "http/send.h"

/* One request and its answer, with all the memory that they need; a connection has one only
 * while it is answering. */
struct exchange {
    struct request request; /* its slices are void once it is routed, but for id, origin and
                               conditions */
    struct answer answer;
    struct reply reply;
    struct send send;
    struct access *access; /* for the access log; NULL: there is none */
    bool keep_alive;       /* the connection goes on afterwards */
    uint64_t since;        /* clock_ns, when the request was there */
    struct exchange *next_spare;
};

/* Exchanges that are not in use, so that an ordinary request allocates nothing. All zeros is an
 * empty pool. */
struct exchange_pool {
    struct exchange *spare;
    size_t count;
};

/**
 * exchange_take(pool, request):
 * An exchange for ${request}, to be given to exchange_release; NULL without memory.
 */
struct exchange *exchange_take(struct exchange_pool *pool, const struct request *request);

/**
 * exchange_keep_fields(exchange):
 * Copy the fields of the request that the answer's head depends on: the bytes they lie in may
 * go.
 */
void exchange_keep_fields(struct exchange *exchange);

/**
 * exchange_fail(exchange, failure):
 * Make the answer an error that ends the connection.
 */
void exchange_fail(struct exchange *exchange, const struct failure *failure);

/**
 * exchange_count(exchange):
 * Count the answer, which has left whole, and the time that it took.
 */
void exchange_count(const struct exchange *exchange);

/**
 * exchange_release(pool, exchange):
 * Let go of all that ${exchange} holds, and keep it for the next request; NULL is fine.
 */
void exchange_release(struct exchange_pool *pool, struct exchange *exchange);

/**
 * exchange_pool_free(pool):
 * Give back the exchanges that are not in use.
 */
void exchange_pool_free(struct exchange_pool *pool);

#endif
