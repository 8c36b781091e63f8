#include "http/conn_pool.h"

#include <stdlib.h>
#include <unistd.h>

#include "http/conn.h"
#include "system/stats.h"

/* Connections over max_connections that are told so; even more are just closed. */
#define REFUSED_MAX 64

struct conn_pool *conn_pool_new(struct loop *loop, struct api *api, const struct config *config)
{
    struct conn_pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL)
        return NULL;
    pool->loop = loop;
    pool->api = api;
    pool->config = config;
    return pool;
}

void conn_pool_log(struct conn_pool *pool, struct accesslog *log)
{
    pool->log = log;
}

void conn_pool_join(struct conn_pool *pool, struct conn_pool_member *member, struct conn *conn)
{
    member->conn = conn;
    member->next = pool->members;
    member->link = &pool->members;
    if (pool->members != NULL)
        pool->members->link = &member->next;
    pool->members = member;
    stats_set(STATS_connections, ++pool->count);
}

void conn_pool_leave(struct conn_pool *pool, struct conn_pool_member *member)
{
    *member->link = member->next;
    if (member->next != NULL)
        member->next->link = member->link;
    stats_set(STATS_connections, --pool->count);
}

static void accept_on(struct conn_pool *pool, int fd, bool admin)
{
    struct conn *conn = NULL;

    if (pool->count < pool->config->max_connections + REFUSED_MAX)
        conn = conn_new(pool, fd, admin);
    if (conn == NULL) {
        close(fd);
        stats_add(STATS_connections_refused, 1);
    } else if (pool->count > pool->config->max_connections && !admin) {
        stats_add(STATS_connections_refused, 1);
        conn_refuse(conn);
    } else {
        stats_add(STATS_connections_accepted, 1);
        conn_begin(conn);
    }
}

void conn_pool_accept(void *pool, int fd)
{
    accept_on(pool, fd, false);
}

void conn_pool_accept_admin(void *pool, int fd)
{
    accept_on(pool, fd, true);
}

void conn_pool_drain(struct conn_pool *pool)
{
    pool->api->draining = true;
    for (struct conn_pool_member *member = pool->members; member != NULL; member = member->next)
        conn_drain(member->conn);
}

size_t conn_pool_count(const struct conn_pool *pool)
{
    return pool->count;
}

void conn_pool_free(struct conn_pool *pool)
{
    if (pool == NULL)
        return;
    for (struct conn_pool_member *member = pool->members; member != NULL; member = member->next)
        conn_close(member->conn);
    loop_bury(pool->loop);
    exchange_pool_free(&pool->exchanges);
    free(pool);
}
