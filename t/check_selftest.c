#include "process/selftest.h"

#include <unistd.h>

#include "api/answer.h"
#include "base/clock.h"
#include "files.h"
#include "store/store.h"
#include "unit.h"

static struct config *config;
static struct store *store;
static struct api api;

static void begin(void)
{
    config = files_config();
    store = store_new(config, NULL, NULL);
    ck_assert_ptr_nonnull(store);
    api = (struct api){ .config = config, .store = store };
}

static void end(void)
{
    store_free(store);
    config_free(config);
}

static struct loop *some_loop(unsigned engine)
{
    char problem[256];

    if (engine != CONFIG_ENGINE_EPOLL && unit_epoll_only())
        return NULL;
    const struct loop_engine *chosen = loop_choose(engine, problem, sizeof(problem));

    return chosen == NULL ? NULL : loop_new(chosen);
}

START_TEST(selftest_hears_an_answer_and_leaves_nothing)
{
    static const unsigned engines[] = { CONFIG_ENGINE_EPOLL, CONFIG_ENGINE_IO_URING };

    for (size_t i = 0; i < COUNT_OF(engines); i++) {
        begin();
        struct loop *loop = some_loop(engines[i]);
        if (loop != NULL) { /* io_uring may be forbidden */
            struct conn_pool *conns = conn_pool_new(loop, &api, config);

            ck_assert(selftest_answers(loop, conns, 60000));
            ck_assert_uint_eq(conn_pool_count(conns), 0);
            api.leaving = true; /* a 503 is an answer, too */
            ck_assert(selftest_answers(loop, conns, 60000));
            conn_pool_free(conns);
        }
        loop_free(loop);
        end();
    }
}
END_TEST

/* A worker that had to wait for its core while it started, and clients that are given little
 * time. */
START_TEST(selftest_of_a_late_worker)
{
    static const unsigned engines[] = { CONFIG_ENGINE_EPOLL, CONFIG_ENGINE_IO_URING };

    for (size_t i = 0; i < COUNT_OF(engines); i++) {
        begin();
        files_set(config, "header_timeout", "1ms");
        struct loop *loop = some_loop(engines[i]);
        if (loop != NULL) {
            struct conn_pool *conns = conn_pool_new(loop, &api, config);

            for (uint64_t start = clock_ms(); clock_ms() < start + 200;)
                usleep(10000);
            ck_assert(selftest_answers(loop, conns, 60000));
            conn_pool_free(conns);
        }
        loop_free(loop);
        end();
    }
}
END_TEST

/* Connections of a loop that nobody turns. */
START_TEST(selftest_does_not_wait_for_ever)
{
    begin();
    struct loop *loop = some_loop(CONFIG_ENGINE_EPOLL), *other = some_loop(CONFIG_ENGINE_EPOLL);
    struct conn_pool *conns = conn_pool_new(other, &api, config);

    ck_assert(!selftest_answers(loop, conns, 50));
    conn_pool_free(conns);
    loop_free(other);
    loop_free(loop);
    end();
}
END_TEST

UNIT("selftest", selftest_hears_an_answer_and_leaves_nothing, selftest_of_a_late_worker,
     selftest_does_not_wait_for_ever)
