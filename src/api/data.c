#include "api/data.h"

#include "query/raw.h"

/* All facts are there: plan, and write the line that comes first. */
static void finish(struct answer *answer)
{
    struct slice line;
    uint64_t data_bytes;

    if (plan_make(&answer->plan, &answer->query, answer->gather.days, answer->gather.day_count,
                  &answer->arena) ||
        raw_line(&answer->gather, &answer->plan, &answer->arena, &line, &data_bytes)) {
        failure_set(&answer->failure, 503, NULL, "out of memory");
        return;
    }
    answer->status = 200;
    answer->content_type = "application/octet-stream";
    answer->chunked = answer->query.framing == CONFIG_FRAMING_CHUNKED;
    body_of_rows(&answer->body, line, &answer->gather, &answer->plan, data_bytes,
                 &answer->arena);
}

enum answer_state data_begin(struct api *api, const struct request *request,
                             struct answer *answer)
{
    if (query_parse(&answer->query, request->query, api->config, &answer->arena,
                    &answer->failure))
        return ANSWER_READY;
    gather_begin(&answer->gather, api->store, &answer->query, answer->waker, &answer->failure);
    return data_more(api, answer);
}

enum answer_state data_more(struct api *api, struct answer *answer)
{
    (void)api;
    switch (gather_step(&answer->gather, &answer->arena)) {
    case GATHER_MORE:
        return ANSWER_MORE;
    case GATHER_WAIT:
        return ANSWER_WAIT;
    case GATHER_DONE:
        finish(answer);
        break;
    case GATHER_FAILED:
        break;
    }
    return ANSWER_READY;
}
