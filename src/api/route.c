#include "api/route.h"

#include "api/coverage.h"
#include "api/data.h"
#include "api/health.h"
#include "api/search.h"
#include "api/status.h"
#include "api/symbols.h"

static const struct {
    const char *path;
    enum answer_state (*begin)(struct api *api, const struct request *request,
                               struct answer *answer);
    enum answer_state (*more)(struct api *api, struct answer *answer); /* NULL: never */
} endpoints[] = {
    { "/api/coverage", coverage_begin, coverage_more },
    { "/api/data", data_begin, data_more },
    { "/api/status", status_begin, status_more },
    { "/api/symbol-search", search_begin, search_more },
    { "/api/symbols", symbols_begin, symbols_more },
    { "/health", health_begin, NULL },
};

static enum answer_state finish(struct answer *answer, enum answer_state state)
{
    if (answer->failure.status != 0)
        answer_failed(answer);
    return state;
}

enum answer_state route_begin(struct api *api, const struct request *request,
                              struct answer *answer)
{
    if (request->method == REQUEST_OPTIONS) {
        answer->status = 204;
        answer->preflight = true;
        return ANSWER_READY;
    }
    if (request->method == REQUEST_OTHER) {
        failure_set(&answer->failure, 405, NULL,
                    "the method is not allowed: only GET, HEAD, OPTIONS");
        return finish(answer, ANSWER_READY);
    }
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++) {
        if (!slice_is(request->path, endpoints[i].path))
            continue;
        answer->more = endpoints[i].more;
        return finish(answer, endpoints[i].begin(api, request, answer));
    }
    failure_set(&answer->failure, 404, NULL, "there is nothing at this path");
    return finish(answer, ANSWER_READY);
}

enum answer_state route_more(struct api *api, struct answer *answer)
{
    return finish(answer, answer->more(api, answer));
}
