#include "http/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "system/stats.h"

/* Memory that an exchange keeps between requests, and how many idle ones are kept. It holds
 * what a body copies its rows to, too, so that a strided answer needs no memory of its own;
 * what is never touched costs nothing. */
#define ARENA_BYTES 49152
#define SPARE_MAX 64

struct exchange *exchange_take(struct exchange_pool *pool, const struct request *request)
{
    struct exchange *exchange = pool->spare;

    if (exchange != NULL) {
        pool->spare = exchange->next_spare;
        pool->count--;
    } else {
        exchange = calloc(1, sizeof(*exchange));
        if (exchange == NULL)
            return NULL;
        answer_init(&exchange->answer, ARENA_BYTES);
    }
    exchange->request = *request;
    return exchange;
}

void exchange_keep_fields(struct exchange *exchange)
{
    struct slice *fields[] = { &exchange->request.id, &exchange->request.origin,
                               &exchange->request.conditions };

    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        if (fields[i]->len == 0)
            continue;
        char *copy = arena_take(&exchange->answer.arena, fields[i]->len);
        if (copy == NULL)
            fields[i]->len = 0;
        else
            fields[i]->at = memcpy(copy, fields[i]->at, fields[i]->len);
    }
}

void exchange_fail(struct exchange *exchange, const struct failure *failure)
{
    exchange->keep_alive = false;
    exchange->answer.failure = *failure;
    answer_failed(&exchange->answer);
}

void exchange_count(const struct exchange *exchange)
{
    static const enum stats_counter classes[] = { STATS_responses_2xx, STATS_responses_3xx,
                                                  STATS_responses_4xx, STATS_responses_5xx };
    unsigned class = (unsigned)exchange->answer.status / 100 - 2;

    if (class < sizeof(classes) / sizeof(*classes))
        stats_add(classes[class], 1);
    stats_answered(exchange->answer.endpoint, exchange->request.method,
                   exchange->answer.status);
    stats_time(STATS_answer_time, clock_ns() - exchange->since);
}

static void free_exchange(struct exchange *exchange)
{
    answer_free(&exchange->answer);
    free(exchange->access);
    free(exchange);
}

void exchange_release(struct exchange_pool *pool, struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    if (pool->count == SPARE_MAX) {
        free_exchange(exchange);
        return;
    }
    answer_clear(&exchange->answer);
    exchange->next_spare = pool->spare;
    pool->spare = exchange;
    pool->count++;
}

void exchange_pool_free(struct exchange_pool *pool)
{
    while (pool->spare != NULL) {
        struct exchange *exchange = pool->spare;

        pool->spare = exchange->next_spare;
        free_exchange(exchange);
    }
    pool->count = 0;
}
