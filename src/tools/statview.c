#include "tools/statview.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

/* How often to look again while the master tidies up after a worker, and the pause between, in
 * microseconds. */
#define LOOKS 20
#define PAUSE 1000

struct statview *statview_new(const struct segment *segment)
{
    struct statview *view = calloc(1, sizeof(*view));

    if (view == NULL)
        return NULL;
    view->segment = segment;
    view->count = stats_rows(segment);
    view->rows =
        aligned_alloc(_Alignof(struct stats_row), (view->count + 1) * sizeof(*view->rows));
    if (view->rows == NULL) {
        free(view);
        return NULL;
    }
    return view;
}

void statview_look(struct statview *view)
{
    for (int i = 0; !stats_read(view->segment, view->rows) && i < LOOKS; i++)
        usleep(PAUSE);
    view->at = clock_ns();
    view->wall = clock_wall();
    stats_sum(view->rows, view->count, &view->rows[view->count]);
    view->rows[view->count].born = (uint64_t)segment_born(view->segment);
    view->rows[view->count - 1].born = (uint64_t)segment_born(view->segment); /* the past */
}

static uint64_t difference(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void subtract(struct stats_row *row, const struct stats_row *before)
{
    for (unsigned i = 0; i < STATS_COUNTERS; i++) {
        if (!stats_counters[i].is_gauge)
            row->counters[i] = difference(row->counters[i], before->counters[i]);
    }
    for (unsigned i = 0; i < STATS_HISTOGRAMS; i++) {
        struct stats_durations *to = &row->durations[i];
        const struct stats_durations *old = &before->durations[i];

        to->sum = difference(to->sum, old->sum);
        for (unsigned bucket = 0; bucket < STATS_BUCKETS; bucket++)
            to->buckets[bucket] = difference(to->buckets[bucket], old->buckets[bucket]);
    }
}

double statview_since(const struct statview *view, const struct statview *before,
                      unsigned place, struct stats_row *row)
{
    double seconds;

    *row = view->rows[place];
    if (before == NULL) {
        seconds = (double)view->wall - (double)row->born;
        return seconds < 1 ? 1 : seconds;
    }
    seconds = (double)(view->at - before->at) / 1e9;
    if (before->rows[place].pid == row->pid) /* else it is a new one */
        subtract(row, &before->rows[place]);
    return seconds;
}

void statview_free(struct statview *view)
{
    if (view == NULL)
        return;
    free(view->rows);
    free(view);
}
