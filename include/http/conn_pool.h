#ifndef HTTP_CONN_POOL_H
#define HTTP_CONN_POOL_H

#include <stddef.h>

#include "api/answer.h"
#include "http/exchange.h"
#include "system/accesslog.h"
#include "system/config.h"
#include "system/loop.h"

/* The HTTP connections of a worker, and what they share. */

struct conn;

/* A connection's place among the others of its pool. */
struct conn_pool_member {
    struct conn *conn;
    struct conn_pool_member *next, **link;
};

/* Connections read it; who has made it sees a handle. */
struct conn_pool {
    struct loop *loop;
    struct api *api;
    const struct config *config;
    struct accesslog *log; /* NULL: none */
    struct exchange_pool exchanges;
    struct conn_pool_member *members;
    size_t count;
};

/**
 * conn_pool_new(loop, api, config):
 * A pool for connections on ${loop} that are answered by ${api}; both, and ${config}, must
 * outlive it. NULL without memory. To be given to conn_pool_free.
 */
struct conn_pool *conn_pool_new(struct loop *loop, struct api *api,
                                const struct config *config);

/**
 * conn_pool_log(pool, log):
 * From now on, write a line to ${log}, which must outlive the pool, about each request. To be
 * called before the first connection.
 */
void conn_pool_log(struct conn_pool *pool, struct accesslog *log);

/**
 * conn_pool_accept(pool, fd):
 * Serve the connected socket ${fd}, which is the pool's from now on: a callback for
 * loop_listen, with the pool as its argument.
 */
void conn_pool_accept(void *pool, int fd);

/**
 * conn_pool_accept_admin(pool, fd):
 * Likewise, of a socket that came to an admin listener: it is served even while there are as
 * many connections as there may be.
 */
void conn_pool_accept_admin(void *pool, int fd);

/**
 * conn_pool_join(pool, member, conn), conn_pool_leave(pool, member):
 * For connections: ${conn} is one of the pool's from now on, by ${member}, which lies in it; or
 * no longer.
 */
void conn_pool_join(struct conn_pool *pool, struct conn_pool_member *member, struct conn *conn);
void conn_pool_leave(struct conn_pool *pool, struct conn_pool_member *member);

/**
 * conn_pool_drain(pool):
 * Let every connection end with its next answer.
 */
void conn_pool_drain(struct conn_pool *pool);

/**
 * conn_pool_count(pool):
 * Connections that are open.
 */
size_t conn_pool_count(const struct conn_pool *pool);

/**
 * conn_pool_free(pool):
 * Close all connections and give back ${pool}. Not from within a callback of its loop. NULL is
 * fine.
 */
void conn_pool_free(struct conn_pool *pool);

#endif
