#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <stdbool.h>

/* One HTTP connection, from its first byte to its last: the state machine of http/. */

struct conn;
struct conn_pool;

/**
 * conn_new(pool, fd, admin):
 * A connection of ${pool} on the connected socket ${fd}, which is its own from now on;
 * ${admin}: it came to an admin listener. It gives itself back once it is closed. NULL, and
 * ${fd} is still the caller's, without memory.
 */
struct conn *conn_new(struct conn_pool *pool, int fd, bool admin);

/**
 * conn_begin(conn), conn_refuse(conn):
 * Serve ${conn}, or tell its client that there are too many already. To be called once, with
 * what conn_new returned.
 */
void conn_begin(struct conn *conn);
void conn_refuse(struct conn *conn);

/**
 * conn_drain(conn):
 * Let ${conn} end with the answer that is in the making, if there is one.
 */
void conn_drain(struct conn *conn);

/**
 * conn_close(conn):
 * Close ${conn} as soon as the loop is done with it.
 */
void conn_close(struct conn *conn);

#endif
