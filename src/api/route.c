#include "api/route.h"

#include "api/data.h"
#include "api/health.h"

static const struct {
    const char *path;
    enum answer_state (*begin)(struct api *api, const struct request *request,
                               struct answer *answer);
} endpoints[] = {
    { "/api/data", data_begin },
    { "/health", health_begin },
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
        if (slice_is(request->path, endpoints[i].path))
            return finish(answer, endpoints[i].begin(api, request, answer));
    }
    failure_set(&answer->failure, 404, NULL, "there is nothing at this path");
    return finish(answer, ANSWER_READY);
}

enum answer_state route_more(struct api *api, struct answer *answer)
{
    return finish(answer, data_more(api, answer)); /* the only endpoint with more to do */
}
