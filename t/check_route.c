#include "unit.h"

#include <string.h>

#include "api/route.h"
#include "session.h"

static struct session session;
static struct api api;
static struct answer answer;

static void begin(void)
{
    struct config *config = files_config();
    uint32_t second = 1735689600;

    files_set(config, "default_exchange", "ex");
    for (int32_t day = 20089; day < 20089 + 200; day++, second += 86400)
        files_write(files_column(FILES_SERIES, "time", day), &second, 4);
    session_begin(&session, config);
    api = (struct api){ .config = config, .store = session.store };
    api.prepared = prepared_new(session.store, config->answer_cache);
    ck_assert_ptr_nonnull(api.prepared);
    answer_init(&answer, 4096);
}

static void end(void)
{
    answer_free(&answer);
    prepared_free(api.prepared);
    session_end(&session);
}

/* Take the whole way to an answer; returns how many turns it took. */
static int ask(enum request_method method, const char *path, const char *query)
{
    struct request request = { .method = method, .minor = 1, .path = slice_of(path) };
    int turns = 1;

    if (query != NULL)
        request.query = slice_of(query);
    answer_clear(&answer);
    enum answer_state state = route_begin(&api, &request, &answer);
    for (; state == ANSWER_MORE; turns++)
        state = route_more(&api, &answer);
    return turns;
}

static bool says(const char *text)
{
    struct piece pieces[2];
    int count;

    return body_next(&answer.body, pieces, 2, 1 << 20, &count) == BODY_PIECES &&
           memmem(pieces[0].at, pieces[0].len, text, strlen(text)) != NULL;
}

#define QUERY "symbol=SYM&type=MD&columns=time&start=0&end=4294967295"

START_TEST(route_finds_endpoints)
{
    begin();
    ask(REQUEST_GET, "/health", NULL);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.content_type, "application/json");
    ck_assert(says("{\"status\":\"ok\",\"version\":\""));
    ask(REQUEST_HEAD, "/health", "x=1");
    ck_assert_int_eq(answer.status, 200);

    static const char *const unknown[] = { "/",        "/api",       "/api/",     "/api/data/",
                                           "/api/dat", "/api/datas", "/API/data", "/api/%64ata",
                                           "//health", "/health/",   "" };
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        ask(REQUEST_GET, unknown[i], NULL);
        ck_assert_int_eq(answer.status, 404);
        ck_assert(says("{\"error\":\""));
    }
    end();
}
END_TEST

START_TEST(route_tells_listeners_apart)
{
    struct request request = { .method = REQUEST_GET, .minor = 1, .admin = true };
    size_t bytes[SEGMENT_SECTIONS] = { [SEGMENT_STATS] = stats_bytes(3) };
    struct segment *segment = segment_create(bytes);

    begin();
    stats_create(segment);
    api.segment = segment;
    ask(REQUEST_GET, "/metrics", NULL);
    ck_assert_int_eq(answer.status, 404);
    ck_assert_int_eq(answer.endpoint, STATS_ENDPOINT_other);
    ask(REQUEST_GET, "/health", NULL);
    ck_assert_int_eq(answer.endpoint, STATS_ENDPOINT_health);

    request.path = SLICE("/api/data");
    answer_clear(&answer);
    route_begin(&api, &request, &answer);
    ck_assert_int_eq(answer.status, 404);
    request.path = SLICE("/health");
    answer_clear(&answer);
    route_begin(&api, &request, &answer);
    ck_assert_int_eq(answer.status, 200);
    request.path = SLICE("/metrics");
    answer_clear(&answer);
    stats_answered(STATS_ENDPOINT_data, REQUEST_GET, 200);
    route_begin(&api, &request, &answer);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_int_eq(answer.endpoint, STATS_ENDPOINT_metrics);
    ck_assert(says("\ntickd_answers_total{endpoint=\"data\",method=\"GET\",code=\"200\"} 1\n"));
    end();
    stats_detach();
    segment_free(segment);
}
END_TEST

START_TEST(route_knows_methods)
{
    static const char *const paths[] = { "/api/data", "/health", "/none" };

    begin();
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        ask(REQUEST_OTHER, paths[i], NULL);
        ck_assert_int_eq(answer.status, 405);
        ck_assert_str_eq(answer.allow, "GET, HEAD, OPTIONS");
        ask(REQUEST_OPTIONS, paths[i], NULL);
        ck_assert_int_eq(answer.status, 204);
        ck_assert(answer.preflight);
        ck_assert_ptr_null(answer.content_type);
    }
    ask(REQUEST_OPTIONS, "*", NULL);
    ck_assert_int_eq(answer.status, 204);
    end();
}
END_TEST

START_TEST(route_answers_with_data)
{
    begin();
    /* Many days are not looked at in one turn. */
    ck_assert_int_gt(ask(REQUEST_GET, "/api/data", QUERY), 1);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.content_type, "application/octet-stream");
    ck_assert(answer.chunked);
    ck_assert_uint_eq(answer.plan.rows, 200);
    ck_assert(says("{\"version\":1,\"exchange\":\"ex\","));
    ask(REQUEST_GET, "/api/data", QUERY "&framing=length");
    ck_assert(!answer.chunked);

    ask(REQUEST_GET, "/api/data", QUERY "&limit=x");
    ck_assert_int_eq(answer.status, 400);
    ck_assert(says("\"parameter\":\"limit\""));
    ck_assert(!answer.chunked);
    ask(REQUEST_GET, "/api/data", NULL);
    ck_assert_int_eq(answer.status, 400);
    ask(REQUEST_GET, "/api/data", QUERY "&exchange=none");
    ck_assert_int_eq(answer.status, 404);
    ck_assert(says("\"parameter\":\"exchange\""));
    end();
}
END_TEST

START_TEST(route_is_healthy_with_data_only)
{
    begin();
    api.leaving = true;
    ask(REQUEST_GET, "/health", NULL);
    ck_assert_int_eq(answer.status, 503);
    ask(REQUEST_GET, "/api/data", QUERY); /* still answered */
    ck_assert_int_eq(answer.status, 200);
    api.leaving = false;
    ask(REQUEST_GET, "/health", NULL);
    ck_assert_int_eq(answer.status, 200);
    answer_clear(&answer);
    files_rename("ex", ".hidden");
    session_later(&session, 5000);
    ask(REQUEST_GET, "/health", NULL);
    ck_assert_int_eq(answer.status, 503);
    ask(REQUEST_GET, "/api/data", QUERY);
    ck_assert_int_eq(answer.status, 503);
    end();
}
END_TEST

UNIT("route", route_finds_endpoints, route_tells_listeners_apart, route_knows_methods,
     route_answers_with_data, route_is_healthy_with_data_only)
