#include "api/health.h"

#include "config.h"

/* What a client can find out that it may rely on; words are added, never taken away. */
#define FEATURES "\"raw\",\"stride\",\"limit\",\"tail\",\"missing\",\"framing\""

enum answer_state health_begin(struct api *api, const struct request *request,
                               struct answer *answer)
{
    (void)request;
    store_outage(api->store, !root_present(api->store->root));
    if (api->leaving)
        failure_set(&answer->failure, 503, NULL, "the server is stopping");
    else if (api->store->outage)
        failure_set(&answer->failure, 503, NULL, "the data directory is missing or empty");
    else
        answer_memory(answer, 200, "application/json",
                      SLICE("{\"status\":\"ok\",\"version\":\"" PACKAGE_VERSION
                            "\",\"features\":[" FEATURES "]}\n"));
    return ANSWER_READY;
}
