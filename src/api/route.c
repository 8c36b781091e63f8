#include "api/route.h"

#include "api/coverage.h"
#include "api/data.h"
#include "api/health.h"
#include "api/metrics.h"
#include "api/search.h"
#include "api/status.h"
#include "api/symbols.h"

/* Which listeners an endpoint is served on. */
enum served { ON_DATA, ON_ADMIN, ON_BOTH };

static const struct {
    const char *path;
    enum answer_state (*begin)(struct api *api, const struct request *request,
                               struct answer *answer);
    enum answer_state (*more)(struct api *api, struct answer *answer); /* NULL: never */
    enum stats_endpoint counted;
    enum served served;
} endpoints[] = {
    { "/api/coverage", coverage_begin, coverage_more, STATS_ENDPOINT_coverage, ON_DATA },
    { "/api/data", data_begin, data_more, STATS_ENDPOINT_data, ON_DATA },
    { "/api/status", status_begin, status_more, STATS_ENDPOINT_status, ON_DATA },
    { "/api/symbol-search", search_begin, search_more, STATS_ENDPOINT_symbol_search, ON_DATA },
    { "/api/symbols", symbols_begin, symbols_more, STATS_ENDPOINT_symbols, ON_DATA },
    { "/health", health_begin, NULL, STATS_ENDPOINT_health, ON_BOTH },
    { "/metrics", metrics_begin, NULL, STATS_ENDPOINT_metrics, ON_ADMIN },
};

#define ENDPOINTS (sizeof(endpoints) / sizeof(*endpoints))

static enum answer_state finish(struct answer *answer, enum answer_state state)
{
    if (answer->failure.status != 0)
        answer_failed(answer);
    return state;
}

enum answer_state route_begin(struct api *api, const struct request *request,
                              struct answer *answer)
{
    size_t place = 0;

    if (request->method == REQUEST_OPTIONS) {
        answer->status = 204;
        answer->allow = "GET, HEAD, OPTIONS";
        answer->preflight = true;
        return ANSWER_READY;
    }
    if (request->method == REQUEST_OTHER) {
        failure_set(&answer->failure, 405, NULL,
                    "the method is not allowed: only GET, HEAD, OPTIONS");
        return finish(answer, ANSWER_READY);
    }
    while (place < ENDPOINTS && !slice_is(request->path, endpoints[place].path))
        place++;
    if (place < ENDPOINTS && endpoints[place].served != (request->admin ? ON_DATA : ON_ADMIN)) {
        answer->endpoint = endpoints[place].counted;
        answer->more = endpoints[place].more;
        return finish(answer, endpoints[place].begin(api, request, answer));
    }
    failure_set(&answer->failure, 404, NULL, "there is nothing at this path");
    return finish(answer, ANSWER_READY);
}

enum answer_state route_more(struct api *api, struct answer *answer)
{
    return finish(answer, answer->more(api, answer));
}
