#ifndef API_METRICS_H
#define API_METRICS_H

#include "api/answer.h"

/*
 * GET /metrics: what all processes of the server counted, in Prometheus' text format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). All names begin with "tickd_". The
 * rows of counters.def are there as tickd_NAME_total (counters), tickd_NAME (gauges) and
 * tickd_NAME_UNIT (histograms), summed up; beside them stands what has labels. Nothing that a
 * client sent is a label.
 */

/**
 * metrics_begin(api, request, answer):
 * Make the answer; an error is left in the answer's failure.
 */
enum answer_state metrics_begin(struct api *api, const struct request *request,
                                struct answer *answer);

#endif
