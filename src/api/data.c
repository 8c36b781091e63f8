#include "api/data.h"

#include "query/raw.h"

/* All facts are there: plan, and write the line that comes first. */
static int plan(struct answer *answer)
{
    struct slice line;
    uint64_t data_bytes;

    if (plan_make(&answer->plan, &answer->query, answer->gather.days, answer->gather.day_count,
                  &answer->arena) ||
        raw_line(&answer->gather, &answer->plan, &answer->arena, &line, &data_bytes))
        return failure_set(&answer->failure, 503, NULL, "out of memory");
    body_of_rows(&answer->body, line, &answer->gather, &answer->plan, data_bytes,
                 &answer->arena);
    tag_begin(&answer->tag, &answer->gather, &answer->plan, line, answer->waker);
    answer->planned = true;
    return 0;
}

/* ... and find out its tag, for which a live day's last rows may have to be read. */
static enum answer_state finish(struct answer *answer)
{
    if (!answer->planned && plan(answer))
        return ANSWER_READY;
    switch (tag_step(&answer->tag)) {
    case TAG_WAIT:
        return ANSWER_WAIT;
    case TAG_FAILED:
        failure_set(&answer->failure, 503, NULL, "the data changed while it was read");
        return ANSWER_READY;
    case TAG_DONE:
        break;
    }
    answer->status = 200;
    answer->content_type = "application/octet-stream";
    answer->chunked = answer->query.framing == CONFIG_FRAMING_CHUNKED;
    answer->tagged = true;
    return ANSWER_READY;
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
        return finish(answer);
    case GATHER_FAILED:
        break;
    }
    return ANSWER_READY;
}
