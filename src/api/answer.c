#include "api/answer.h"

#include "base/text.h"

void answer_init(struct answer *answer, size_t arena_bytes)
{
    *answer = (struct answer){ 0 };
    arena_init(&answer->arena, arena_bytes);
}

void answer_memory(struct answer *answer, int status, const char *content_type,
                   struct slice body)
{
    answer->status = status;
    answer->content_type = content_type;
    body_of(&answer->body, body);
}

void answer_file(struct answer *answer, int status, const char *content_type, struct slice body,
                 int fd, off_t offset)
{
    answer->status = status;
    answer->content_type = content_type;
    body_of_file(&answer->body, body, fd, offset);
}

static void let_go(struct answer *answer)
{
    body_end(&answer->body);
    tag_end(&answer->tag);
    gather_end(&answer->gather);
    prepared_release(answer->prepared);
    answer->prepared = NULL;
    load_leave(&answer->waiter);
    answer->waited = false;
    if (answer->survey != NULL)
        survey_end(answer->survey);
    answer->survey = NULL;
    answer->text.at = NULL;
    for (unsigned i = 0; i < ANSWER_HELD; i++) {
        snapshot_release(answer->held[i]);
        answer->held[i] = NULL;
    }
}

void answer_failed(struct answer *answer)
{
    const struct failure *failure = &answer->failure;
    /* Each byte may need six in JSON. */
    size_t room = 6 * (sizeof(failure->reason) + sizeof(failure->parameter)) + 64;

    let_go(answer);
    answer->chunked = answer->tagged = false;
    char *memory = arena_take(&answer->arena, room);
    if (memory == NULL) {
        answer_memory(answer, 503, "application/json",
                      SLICE("{\"error\":\"out of memory\"}\n"));
        return;
    }
    struct text text = text_on(memory, room);
    text_put(&text, SLICE("{\"error\":"));
    text_json(&text, slice_of(failure->reason));
    if (failure->parameter[0] != '\0') {
        text_put(&text, SLICE(",\"parameter\":"));
        text_json(&text, slice_of(failure->parameter));
    }
    text_put(&text, SLICE("}\n"));
    answer_memory(answer, failure->status, "application/json",
                  (struct slice){ text.at, text.len });
    if (failure->status == 405 || failure->status == 501)
        answer->allow = "GET, HEAD, OPTIONS";
}

void answer_clear(struct answer *answer)
{
    struct arena arena = answer->arena;

    let_go(answer);
    arena_reset(&arena);
    /* Only what the next request reads before it writes. */
    answer->arena = arena;
    answer->failure.status = 0;
    answer->endpoint = STATS_ENDPOINT_other;
    answer->status = 0;
    answer->content_type = NULL;
    answer->allow = NULL;
    answer->preflight = false;
    answer->chunked = false;
    answer->tagged = answer->planned = false;
}

void answer_free(struct answer *answer)
{
    let_go(answer);
    arena_free(&answer->arena);
}
