#include "session.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "query/raw.h"
#include "system/helper.h"

void session_begin(struct session *session, struct config *config)
{
    session_begin_with(session, config, NULL, NULL);
}

void session_begin_with(struct session *session, struct config *config,
                        const struct facts *facts, struct helper *helper)
{
    memset(session, 0, sizeof(*session));
    session->config = config;
    session->now = 5000000;
    session->wall = FILES_WALL;
    ck_assert_int_eq(guard_install(), 0);
    session->store = store_new(config, facts, helper);
    ck_assert_ptr_nonnull(session->store);
    arena_init(&session->arena, 16384);
    store_begin(session->store, session->now, session->wall);
}

void session_later(struct session *session, uint64_t ms)
{
    session->now += ms;
    session->wall = FILES_WALL + (int64_t)((session->now - 5000000) / 1000);
    store_begin(session->store, session->now, session->wall);
}

int session_query(struct session *session, const char *text)
{
    enum gather_state state = GATHER_MORE;

    session->failure = (struct failure){ 0 };
    if (query_parse(&session->query, slice_of(text), session->config, &session->arena,
                    &session->failure))
        return -1;
    gather_begin(&session->gather, session->store, &session->query,
                 (struct waker){ NULL, NULL }, &session->failure);
    while (state == GATHER_MORE || state == GATHER_WAIT) {
        if (state == GATHER_WAIT)
            ck_assert(helper_wait(session->store->helper));
        state = gather_step(&session->gather, &session->arena);
    }
    if (state == GATHER_FAILED)
        return -1;
    ck_assert_int_eq(plan_make(&session->plan, &session->query, session->gather.days,
                               session->gather.day_count, &session->arena),
                     0);
    ck_assert_int_eq(raw_line(&session->gather, &session->plan, &session->arena, &session->line,
                              &session->data_bytes),
                     0);
    body_of_rows(&session->body, session->line, &session->gather, &session->plan,
                 session->data_bytes, &session->arena);
    if (session->config->sendfile == CONFIG_SENDFILE_ON)
        body_by_file(&session->body);
    return 0;
}

struct copy {
    char *to;
    struct piece piece;
};

static void copy_piece(void *arg)
{
    struct copy *copy = arg;

    memcpy(copy->to, copy->piece.at, copy->piece.len);
}

static enum body_state next_pieces(struct session *session, struct piece *pieces, int *count)
{
    enum body_state state;

    while ((state = body_next(&session->body, pieces, 32, 100000, count)) == BODY_WAIT)
        ck_assert(helper_wait(session->store->helper));
    return state;
}

char *session_body(struct session *session, size_t *len)
{
    struct piece pieces[32];
    char *bytes = malloc(session->body.length + 1);
    enum body_state state;
    int count;

    *len = 0;
    while ((state = next_pieces(session, pieces, &count)) == BODY_PIECES) {
        for (int i = 0; i < count; i++) {
            ck_assert_uint_le(*len + pieces[i].len, session->body.length);
            /* Where writev says EFAULT. */
            struct copy copy = { bytes + *len, pieces[i] };
            if (guard_run(copy_piece, &copy)) {
                free(bytes);
                return NULL;
            }
            *len += pieces[i].len;
        }
        bool whole = body_whole(&session->body);
        body_sent(&session->body);
        if (!whole) {
            state = BODY_BROKEN;
            break;
        }
    }
    if (state == BODY_END) {
        ck_assert_uint_eq(*len, session->body.length);
        return bytes;
    }
    free(bytes);
    return NULL;
}

void session_done(struct session *session)
{
    body_end(&session->body);
    gather_end(&session->gather);
    arena_reset(&session->arena);
}

void session_end(struct session *session)
{
    session_done(session);
    arena_free(&session->arena);
    while (session->store->loads != NULL)
        helper_wait(session->store->helper);
    lru_clear(&session->store->days);
    ck_assert_uint_eq(session->store->files_open, 0);
    ck_assert_uint_eq(session->store->bytes_mapped, 0);
    store_free(session->store);
    config_free(session->config);
}
