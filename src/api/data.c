#include "api/data.h"

#include "query/raw.h"

static enum answer_state finish(struct answer *answer, unsigned framing)
{
    answer->status = 200;
    answer->content_type = "application/octet-stream";
    answer->chunked = framing == CONFIG_FRAMING_CHUNKED;
    answer->tagged = true;
    return ANSWER_READY;
}

/* Answer with what the query was found to be before. */
static enum answer_state repeat(struct answer *answer)
{
    struct prepared_answer *prepared = answer->prepared;
    struct slice lead = prepared->line;

    if (prepared->copied) {
        lead.len += prepared->data_bytes;
        body_of(&answer->body, lead);
    } else {
        body_of_rows(&answer->body, lead, &prepared->gather, &prepared->plan,
                     prepared->data_bytes, &answer->arena);
    }
    answer->plan.rows = prepared->plan.rows;
    answer->tag = prepared->tag;
    return finish(answer, prepared->framing);
}

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
static enum answer_state take_tag(struct answer *answer)
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
    return finish(answer, answer->query.framing);
}

static void keep(struct api *api, struct slice text, const struct answer *answer)
{
    prepared_keep(api->prepared, text, &answer->query, &answer->gather, &answer->plan,
                  answer->body.lead, answer->body.length - answer->body.lead.len, &answer->tag);
}

enum answer_state data_begin(struct api *api, const struct request *request,
                             struct answer *answer)
{
    bool again;

    answer->prepared = prepared_find(api->prepared, request->query, &again);
    if (answer->prepared != NULL)
        return repeat(answer);
    if (query_parse(&answer->query, request->query, api->config, &answer->arena,
                    &answer->failure))
        return ANSWER_READY;
    gather_begin(&answer->gather, api->store, &answer->query, answer->waker, &answer->failure);
    enum answer_state state = data_more(api, answer);
    /* If it had to wait, some of it may be old by the time it is there. */
    if (again && state == ANSWER_READY && answer->failure.status == 0)
        keep(api, request->query, answer);
    return state;
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
        return take_tag(answer);
    case GATHER_FAILED:
        break;
    }
    return ANSWER_READY;
}
