#include "tools/statjson.h"

#include <jansson.h>

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Seconds of a bound; null of what is longer than all. */
static json_t *bound(int bucket)
{
    return bucket < 0 || bucket >= STATS_BOUNDS ? json_null()
                                                : json_real((double)stats_bounds[bucket] / 1e9);
}

static json_t *durations_of(const struct stats_durations *durations)
{
    json_t *buckets = json_array();

    for (int i = 0; i < STATS_BUCKETS; i++)
        json_array_append_new(buckets, json_pack("{s:o, s:o}", "le", bound(i), "count",
                                                 integer(durations->buckets[i])));
    return json_pack("{s:o, s:f, s:o, s:o, s:o, s:o}", "count", integer(stats_count(durations)),
                     "sum", (double)durations->sum / 1e9, "p50",
                     bound(stats_quantile(durations, 0.5)), "p90",
                     bound(stats_quantile(durations, 0.9)), "p99",
                     bound(stats_quantile(durations, 0.99)), "buckets", buckets);
}

/* Everything that is counted, as members of ${object}. */
static void add_figures(json_t *object, const struct stats_row *row)
{
    json_t *counters = json_object(), *gauges = json_object(), *histograms = json_object();

    for (unsigned i = 0; i < STATS_COUNTERS; i++)
        json_object_set_new(stats_counters[i].is_gauge ? gauges : counters,
                            stats_counters[i].name, integer(row->counters[i]));
    for (unsigned i = 0; i < STATS_HISTOGRAMS; i++)
        json_object_set_new(histograms, stats_histograms[i].name,
                            durations_of(&row->durations[i]));
    json_object_set_new(object, "counters", counters);
    json_object_set_new(object, "gauges", gauges);
    json_object_set_new(object, "histograms", histograms);
}

static json_t *figures(const struct stats_row *row)
{
    json_t *object = json_object();

    add_figures(object, row);
    return object;
}

static json_t *process(const struct stats_row *row, unsigned id)
{
    json_t *object = json_object();

    json_object_set_new(object, "kind",
                        json_string(row->kind == STATS_MASTER ? "master" : "worker"));
    json_object_set_new(object, "id", integer(id));
    if (row->kind == STATS_WORKER)
        json_object_set_new(object, "slot", integer(row->slot));
    json_object_set_new(object, "pid", integer(row->pid));
    json_object_set_new(object, "born", integer(row->born));
    add_figures(object, row);
    return object;
}

int statjson_print(FILE *out, const struct statview *view)
{
    json_t *processes = json_array(), *root;

    for (unsigned i = 0; i < view->count - 1; i++) {
        if (view->rows[i].kind == STATS_MASTER || view->rows[i].kind == STATS_WORKER)
            json_array_append_new(processes, process(&view->rows[i], i));
    }
    root = json_pack("{s:s, s:i, s:I, s:I, s:o, s:o, s:o}", "version",
                     segment_version(view->segment), "master", segment_master(view->segment),
                     "born", (json_int_t)segment_born(view->segment), "now",
                     (json_int_t)view->wall, "total", figures(&view->rows[view->count]), "past",
                     figures(&view->rows[view->count - 1]), "processes", processes);
    if (root == NULL)
        return -1;
    int failed = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(root);
    return failed || fputc('\n', out) == EOF ? -1 : 0;
}
