#include "http/conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "api/route.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/conditions.h"
#include "http/conn_pool.h"
#include "http/exchange.h"
#include "http/http1.h"
#include "http/reqbody.h"
#include "store/store.h"
#include "system/stats.h"

/* What a client may still send after an error before we stop listening. */
#define LINGER_BYTES (1 << 20)

enum conn_state {
    CONN_HEAD,   /* waiting for a request, or in the middle of its head */
    CONN_BODY,   /* reading past the body of a request */
    CONN_ROUTE,  /* the request is there */
    CONN_GATHER, /* its answer is in the making */
    CONN_WAIT,   /* ... but something has to be read from disk first */
    CONN_REPLY,  /* its answer is ready to be sent */
    CONN_SEND,   /* being sent */
    CONN_LINGER, /* answered for the last time: what still comes is dropped */
};

struct conn {
    struct loop_io io;
    struct conn_pool *pool;
    enum conn_state state;
    struct buf in; /* received and not dealt with, from in_at on */
    size_t in_at;
    struct http1_scan scan;
    struct reqbody body;
    struct exchange *exchange;
    char peer[48];                  /* the client's address, for the access log */
    bool admin;                     /* it came to an admin listener */
    bool waiting;                   /* its answer waits for the disk */
    bool timed;                     /* the time of the request under way is running */
    bool served;                    /* there was a request before */
    bool truncated;                 /* the answer ends short by our fault, not the client's */
    uint64_t linger_left;           /* bytes */
    struct conn_pool_member member; /* of the pool */
};

static struct conn *of_io(struct loop_io *io)
{
    return (struct conn *)((char *)io - offsetof(struct conn, io));
}

void conn_close(struct conn *conn)
{
    loop_close(conn->pool->loop, &conn->io);
}

/* The bytes at hand: those kept from before, or those just received. */
struct input {
    const char *at;
    size_t len;
};

/* The answer, or its next bytes, have to be read from disk first; or that is over. */
static void set_waiting(struct conn *conn, bool waiting)
{
    if (conn->waiting == waiting)
        return;
    conn->waiting = waiting;
    stats_add(STATS_cold_waits, waiting);
    if (waiting && conn->exchange->access != NULL)
        conn->exchange->access->line.cold = true;
    stats_add(STATS_connections_waiting, waiting ? 1 : UINT64_MAX);
}

/* What was waited for is there. */
static void woken(void *arg)
{
    struct conn *conn = arg;

    set_waiting(conn, false);
    if (conn->io.closing)
        return;
    if (conn->state == CONN_WAIT)
        conn->state = CONN_GATHER;
    loop_yield(conn->pool->loop, &conn->io);
}

/* Take an exchange for the request that has just been read, or could not be: ${head} is what
 * there was of it. Without memory, the connection closes. */
static struct exchange *begin_exchange(struct conn *conn, const struct request *request,
                                       struct slice head)
{
    struct exchange *exchange = exchange_take(&conn->pool->exchanges, request);

    if (exchange == NULL) {
        log_error("out of memory: a connection is closed");
        conn_close(conn);
        return NULL;
    }
    exchange->keep_alive = request->keep_alive && !conn->pool->api->draining;
    exchange->answer.waker = (struct waker){ woken, conn };
    exchange->since = loop_woken(conn->pool->loop);
    if (conn->pool->log != NULL)
        access_request(exchange, conn->peer, head);
    conn->exchange = exchange;
    stats_add(STATS_requests_active, 1);
    return exchange;
}

/* Answer with a failure that leaves no way to go on reading, and end the connection. */
static void give_up(struct conn *conn, const struct failure *failure)
{
    exchange_fail(conn->exchange, failure);
    conn->state = CONN_REPLY;
}

static void give_up_without_request(struct conn *conn, const struct failure *failure,
                                    struct slice head)
{
    struct request none = { .method = REQUEST_OTHER, .minor = 1 };

    if (http1_is_head(head.at, head.len))
        none.method = REQUEST_HEAD;
    if (begin_exchange(conn, &none, head) != NULL)
        give_up(conn, failure);
}

/*
 * A request with a body waits until that was read past. Its slices lie in input that goes
 * meanwhile, so it is read once more, from a copy.
 */
static void begin_body(struct conn *conn, const char *head, size_t len)
{
    struct exchange *exchange = conn->exchange;
    struct failure failure = { 0 };
    struct http1_scan scan = { 0 };
    size_t consumed;
    char *copy = arena_take(&exchange->answer.arena, len);

    conn->state = CONN_BODY;
    if (copy != NULL)
        memcpy(copy, head, len);
    if (exchange->request.chunked)
        reqbody_begin_chunked(&conn->body, conn->pool->config->max_body);
    else
        reqbody_begin(&conn->body, exchange->request.body_bytes);
    if (copy == NULL || http1_head(copy, len, &scan, conn->pool->config, &exchange->request,
                                   &consumed, &failure) != HTTP1_DONE) {
        failure_set(&failure, 503, NULL, "out of memory");
        give_up(conn, &failure);
    }
}

/* Look for a request in the input. Returns whether there is something to go on with. */
static bool read_head(struct conn *conn, struct input *input)
{
    struct request request;
    struct failure failure;
    size_t consumed = 0;

    if (input->len == 0)
        return false;
    enum http1_result result = http1_head(input->at, input->len, &conn->scan,
                                          conn->pool->config, &request, &consumed, &failure);
    if (result == HTTP1_MORE)
        return false;
    conn->timed = false;
    stats_add(STATS_requests, 1);
    if (result == HTTP1_BAD) {
        give_up_without_request(conn, &failure, (struct slice){ input->at, input->len });
        input->len = 0;
        return true;
    }
    if (begin_exchange(conn, &request, (struct slice){ input->at, consumed }) == NULL)
        return true;
    if (request.chunked || request.body_bytes > 0)
        begin_body(conn, input->at, consumed);
    else
        conn->state = CONN_ROUTE;
    input->at += consumed;
    input->len -= consumed;
    return true;
}

/* Read past the body of a request. Returns whether there is something to go on with. */
static bool read_body(struct conn *conn, struct input *input)
{
    struct failure failure = { 0 };
    size_t consumed = 0;

    switch (reqbody_drop(&conn->body, input->at, input->len, &consumed, &failure)) {
    case REQBODY_MORE:
        input->len = 0;
        return false;
    case REQBODY_DONE:
        conn->state = CONN_ROUTE;
        input->at += consumed;
        input->len -= consumed;
        break;
    case REQBODY_BAD:
        give_up(conn, &failure);
        input->len = 0;
        break;
    }
    return true;
}

static void go_on_from(struct conn *conn, enum answer_state state)
{
    conn->state = state == ANSWER_READY  ? CONN_REPLY
                  : state == ANSWER_MORE ? CONN_GATHER
                                         : CONN_WAIT;
    if (conn->state == CONN_WAIT)
        set_waiting(conn, true);
}

static void route(struct conn *conn)
{
    struct conn_pool *pool = conn->pool;
    struct exchange *exchange = conn->exchange;

    exchange->since = loop_woken(pool->loop);
    exchange->request.admin = conn->admin;
    store_begin(pool->api->store, loop_now(pool->loop), clock_wall());
    go_on_from(conn, route_begin(pool->api, &exchange->request, &exchange->answer));
    exchange_keep_fields(exchange);
}

static void reply(struct conn *conn)
{
    struct exchange *exchange = conn->exchange;
    struct answer *answer = &exchange->answer;

    if (answer->tagged)
        conditions_apply(&exchange->request, conn->pool->api->store->wall, answer);
    bool bodiless = answer->content_type == NULL || exchange->request.method == REQUEST_HEAD;
    if (reply_make(&exchange->reply, answer, &exchange->request, exchange->keep_alive,
                   conn->pool->config)) {
        log_error("out of memory: a connection is closed");
        conn_close(conn);
        return;
    }
    body_wakes(&answer->body, answer->waker);
    if (conn->pool->config->sendfile == CONFIG_SENDFILE_ON)
        body_by_file(&answer->body);
    send_begin(&exchange->send, exchange->reply.head, bodiless ? NULL : &answer->body,
               exchange->reply.tail);
    if (exchange->send.left <= LOOP_SMALL)
        loop_hurry(conn->pool->loop);
    conn->state = CONN_SEND;
}

/* Let go of the request under way, if there is one. */
static void release_exchange(struct conn *conn)
{
    if (conn->exchange == NULL)
        return;
    exchange_release(&conn->pool->exchanges, conn->exchange);
    conn->exchange = NULL;
    stats_subtract(STATS_requests_active, 1);
}

/*
 * The answer has left. Where the connection ends, what the client still sends is read for a
 * while: left unread, it would make the kernel send a reset, which could overtake the answer.
 */
static void end_answer(struct conn *conn)
{
    struct conn_pool *pool = conn->pool;
    bool keep_alive = conn->exchange->keep_alive;

    exchange_count(conn->exchange);
    if (conn->exchange->access != NULL)
        access_write(pool->log, conn->exchange, ACCESSLINE_WHOLE);
    release_exchange(conn);
    if (keep_alive) {
        conn->state = CONN_HEAD;
        return;
    }
    conn->state = CONN_LINGER;
    stats_add(STATS_connections_lingering, 1);
    conn->linger_left = LINGER_BYTES;
    loop_shutdown(&conn->io);
    loop_expire(pool->loop, &conn->io, pool->config->linger_timeout);
}

/* The rest of the answer cannot be had: say so while nothing was promised, else let the client
 * see a short one. */
static void break_off(struct conn *conn)
{
    struct exchange *exchange = conn->exchange;

    if (exchange->send.begun || exchange->answer.failure.status != 0) {
        conn->truncated = true;
        conn_close(conn);
        return;
    }
    failure_set(&exchange->answer.failure, 503, NULL, "the data changed while it was read");
    answer_failed(&exchange->answer);
    conn->state = CONN_REPLY;
}

/* Returns whether the conversation goes on at once; if not, the loop will say when. */
static bool send_answer(struct conn *conn)
{
    struct send *send = &conn->exchange->send;

    store_tick(conn->pool->api->store, loop_now(conn->pool->loop));
    switch (send_next(send, loop_share(conn->pool->loop))) {
    case SEND_MORE:
        loop_send_file(conn->pool->loop, &conn->io, send->iov + send->first, send->count,
                       send->file);
        return false;
    case SEND_WAIT:
        set_waiting(conn, true);
        loop_expire(conn->pool->loop, &conn->io, 0); /* it is our time that runs */
        return false;
    case SEND_DONE:
        end_answer(conn);
        break;
    case SEND_BROKEN:
        break_off(conn);
        break;
    }
    return true;
}

/* Ask for more of a request, within its time. */
static void await_head(struct conn *conn, const struct input *input)
{
    const struct config *config = conn->pool->config;
    bool begun = input->len > 0;

    if (!begun)
        loop_expire(conn->pool->loop, &conn->io,
                    conn->served ? config->keepalive_timeout : config->header_timeout);
    else if (!conn->timed)
        loop_expire(conn->pool->loop, &conn->io, config->header_timeout);
    conn->timed = begun;
    loop_receive(conn->pool->loop, &conn->io);
}

static const struct iovec continue_line = { .iov_base = (char *)"HTTP/1.1 100 Continue\r\n\r\n",
                                            .iov_len = 25 };

/* The answer to "Expect: 100-continue" while the body has not begun to come. */
static void await_body(struct conn *conn)
{
    struct request *request = &conn->exchange->request;

    if (!conn->timed) {
        loop_expire(conn->pool->loop, &conn->io, conn->pool->config->header_timeout);
        conn->timed = true;
        if (request->expect_continue && request->minor == 1) {
            loop_send(conn->pool->loop, &conn->io, &continue_line,
                      1); /* sent() asks for the body then */
            return;
        }
    }
    loop_receive(conn->pool->loop, &conn->io);
}

/* The life of a connection: go on from its state as far as the input leads. */
static void drive(struct conn *conn, struct input *input)
{
    while (!conn->io.closing) {
        switch (conn->state) {
        case CONN_HEAD:
            if (read_head(conn, input))
                break;
            await_head(conn, input);
            return;
        case CONN_BODY:
            if (read_body(conn, input))
                break;
            await_body(conn);
            return;
        case CONN_ROUTE:
            /* It is our time that runs now, not the client's. */
            loop_expire(conn->pool->loop, &conn->io, 0);
            route(conn);
            break;
        case CONN_GATHER:
            loop_yield(conn->pool->loop, &conn->io);
            return;
        case CONN_WAIT:
            return;
        case CONN_REPLY:
            reply(conn);
            loop_expire(conn->pool->loop, &conn->io, conn->pool->config->send_timeout);
            conn->timed = false;
            conn->served = true;
            break;
        case CONN_SEND:
            if (send_answer(conn))
                break;
            return;
        case CONN_LINGER:
            conn->linger_left -=
                input->len < conn->linger_left ? input->len : conn->linger_left;
            input->len = 0;
            if (conn->linger_left == 0)
                conn_close(conn);
            else
                loop_receive(conn->pool->loop, &conn->io);
            return;
        }
    }
}

/* Go on with what was kept, and with ${len} new ${bytes}; keep what is not dealt with. */
static void go_on(struct conn *conn, const char *bytes, size_t len)
{
    struct input input = { bytes, len };
    bool kept = conn->in.len > conn->in_at;

    if (kept) {
        if (len > 0 && buf_append(&conn->in, bytes, len)) {
            conn_close(conn);
            return;
        }
        input = (struct input){ conn->in.bytes + conn->in_at, conn->in.len - conn->in_at };
    }
    drive(conn, &input);
    if (kept) {
        conn->in_at = conn->in.len - input.len;
        /* What lies before in_at is only moved away when more is to be appended. */
        if (input.len == 0 || conn->io.receiving) {
            buf_drop(&conn->in, conn->in_at);
            conn->in_at = 0;
        }
    } else if (input.len > 0 && buf_append(&conn->in, input.at, input.len)) {
        conn_close(conn);
    }
}

static void received(struct loop_io *io, const char *bytes, ssize_t count)
{
    if (count <= 0)
        conn_close(of_io(io));
    else
        go_on(of_io(io), bytes, (size_t)count);
}

static void sent(struct loop_io *io, ssize_t count)
{
    struct conn *conn = of_io(io);

    conn->truncated = count == -EFAULT || count == -EIO;
    if (conn->truncated) {
        log_error("a file was cut off or could not be read while it was sent: the answer ends "
                  "short");
        body_lost(&conn->exchange->answer.body);
    }
    if (count > 0)
        stats_add(STATS_bytes_sent, (uint64_t)count);
    if (count < 0) {
        conn_close(conn);
    } else if (conn->state == CONN_BODY) {
        if ((size_t)count < continue_line.iov_len)
            conn_close(conn); /* a client that has no room for so little */
        else
            loop_receive(conn->pool->loop, io);
    } else {
        if (conn->exchange->access != NULL)
            conn->exchange->access->sent += (uint64_t)count;
        send_sent(&conn->exchange->send, (size_t)count);
        loop_expire(conn->pool->loop, io, conn->pool->config->send_timeout);
        go_on(conn, NULL, 0);
    }
}

static void resumed(struct loop_io *io)
{
    struct conn *conn = of_io(io);
    struct conn_pool *pool = conn->pool;

    if (conn->state == CONN_SEND) {
        loop_expire(pool->loop, io, pool->config->send_timeout);
    } else {
        store_begin(pool->api->store, loop_now(pool->loop), clock_wall());
        go_on_from(conn, route_more(pool->api, &conn->exchange->answer));
    }
    go_on(conn, NULL, 0);
}

/* Time is up: a request that has begun is told so, all else just ends. */
static void expired(struct loop_io *io)
{
    struct conn *conn = of_io(io);
    struct failure failure;

    stats_add(STATS_timeouts, conn->timed || conn->state == CONN_SEND);
    failure_set(&failure, 408, NULL, "the request took too long to arrive");
    if (conn->state == CONN_HEAD && conn->timed) {
        io->receiving = false;
        give_up_without_request(
            conn, &failure,
            (struct slice){ conn->in.bytes + conn->in_at, conn->in.len - conn->in_at });
        buf_free(&conn->in);
        conn->in_at = 0;
        go_on(conn, NULL, 0);
    } else if (conn->state == CONN_BODY && !io->sending) {
        io->receiving = false;
        give_up(conn, &failure);
        go_on(conn, NULL, 0);
    } else {
        conn_close(conn);
    }
}

static void closed(struct loop_io *io)
{
    struct conn *conn = of_io(io);

    if (conn->exchange != NULL && conn->exchange->access != NULL)
        access_write(conn->pool->log, conn->exchange,
                     conn->truncated ? ACCESSLINE_CUT : ACCESSLINE_ABORTED);
    if (conn->exchange != NULL)
        stats_add(conn->truncated ? STATS_responses_truncated : STATS_responses_aborted, 1);
    set_waiting(conn, false);
    stats_subtract(STATS_connections_lingering, conn->state == CONN_LINGER);
    release_exchange(conn);
    buf_free(&conn->in);
    conn_pool_leave(conn->pool, &conn->member);
    free(conn);
}

static const struct loop_events events = {
    .received = received,
    .sent = sent,
    .resumed = resumed,
    .expired = expired,
    .closed = closed,
};

struct conn *conn_new(struct conn_pool *pool, int fd, bool admin)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL || loop_add(pool->loop, &conn->io, fd, &events)) {
        free(conn);
        return NULL;
    }
    conn->pool = pool;
    conn->admin = admin;
    if (pool->log != NULL)
        access_peer(fd, conn->peer, sizeof(conn->peer));
    conn_pool_join(pool, &conn->member, conn);
    return conn;
}

void conn_begin(struct conn *conn)
{
    go_on(conn, NULL, 0);
}

void conn_refuse(struct conn *conn)
{
    struct failure failure;

    failure_set(&failure, 503, NULL, "too many connections");
    give_up_without_request(conn, &failure, (struct slice){ NULL, 0 });
    go_on(conn, NULL, 0);
}

void conn_drain(struct conn *conn)
{
    if (conn->exchange != NULL && conn->state < CONN_REPLY)
        conn->exchange->keep_alive = false;
}
