#include "tools/stattext.h"

#include <stdbool.h>
#include <string.h>

#define CELL 24

/* A number in a few digits and perhaps a unit: 7, 0.4, 1234, 12.3k. */
static const char *amount(double value, char cell[CELL])
{
    static const char units[] = " kMGTPE";
    size_t unit = 0;

    while (value >= (unit == 0 ? 9999.5 : 999.5)) {
        value /= 1000;
        unit++;
    }
    bool whole = value >= 99.95 || (unit == 0 && value == (double)(uint64_t)value);
    int len = snprintf(cell, CELL, "%.*f", whole ? 0 : 1, value);
    if (unit > 0 && len > 0 && len < CELL - 1)
        memcpy(cell + len, (char[2]){ units[unit], '\0' }, 2);
    return cell;
}

static void put_duration(char cell[CELL], uint64_t ns)
{
    if (ns < 1000000)
        snprintf(cell, CELL, "%lluus", (unsigned long long)(ns / 1000));
    else if (ns < 1000000000)
        snprintf(cell, CELL, "%llums", (unsigned long long)(ns / 1000000));
    else
        snprintf(cell, CELL, "%llus", (unsigned long long)(ns / 1000000000));
}

/* "<=100us": the share of the shortest took no longer. */
static const char *quantile(const struct stats_durations *durations, double share,
                            char cell[CELL])
{
    int bucket = stats_quantile(durations, share);
    char limit[CELL];

    put_duration(
        limit, stats_bounds[bucket < 0 || bucket == STATS_BOUNDS ? STATS_BOUNDS - 1 : bucket]);
    if (bucket < 0)
        return "-";
    snprintf(cell, CELL, "%s%.8s", bucket == STATS_BOUNDS ? ">" : "<=", limit);
    return cell;
}

/* The share of look-ups that found something. */
static const char *hit_ratio(const struct stats_row *row, char cell[CELL])
{
    double hits = (double)row->counters[STATS_cache_hits];
    double misses = (double)row->counters[STATS_cache_misses];

    if (hits + misses == 0)
        return "-";
    snprintf(cell, CELL, "%.1f", 100 * hits / (hits + misses));
    return cell;
}

static void print_head(FILE *out, const struct statview *view, const struct statview *before)
{
    int64_t age = view->wall - segment_born(view->segment);
    unsigned workers = 0;

    for (unsigned i = 0; i < view->count; i++)
        workers += view->rows[i].kind == STATS_WORKER;
    fprintf(out, "tickd %s, master %d, %u worker%s, up %lld d %02d:%02d:%02d",
            segment_version(view->segment), segment_master(view->segment), workers,
            workers == 1 ? "" : "s", (long long)(age / 86400), (int)(age / 3600 % 24),
            (int)(age / 60 % 60), (int)(age % 60));
    if (before == NULL)
        fprintf(out, "; rates since the start\n\n");
    else
        fprintf(out, "; rates of the last %.1f s\n\n", (double)(view->at - before->at) / 1e9);
    fprintf(out, "%-10s %7s %12s %7s %7s %6s %6s %7s %6s %8s %8s %8s %7s\n", "process", "pid",
            "requests", "req/s", "bytes/s", "conns", "hit%", "evict/s", "files", "p50", "p90",
            "p99", "turns/s");
}

/* One line of the table. */
static void print_row(FILE *out, const char *name, const struct statview *view,
                      const struct statview *before, unsigned place)
{
    struct stats_row row;
    double seconds = statview_since(view, before, place, &row);
    const struct stats_durations *answers = &row.durations[STATS_answer_time];
    char pid[CELL] = "", cells[10][CELL];

    if (row.pid != 0)
        snprintf(pid, sizeof(pid), "%llu", (unsigned long long)row.pid);
    fprintf(out, "%-10s %7s %12llu %7s %7s %6s %6s %7s %6s %8s %8s %8s %7s\n", name, pid,
            (unsigned long long)view->rows[place].counters[STATS_requests],
            amount((double)row.counters[STATS_requests] / seconds, cells[0]),
            amount((double)row.counters[STATS_bytes_sent] / seconds, cells[1]),
            amount((double)row.counters[STATS_connections], cells[2]),
            hit_ratio(&row, cells[3]),
            amount((double)row.counters[STATS_cache_evictions] / seconds, cells[4]),
            amount((double)row.counters[STATS_files_mapped], cells[5]),
            quantile(answers, 0.5, cells[6]), quantile(answers, 0.9, cells[7]),
            quantile(answers, 0.99, cells[8]),
            amount((double)stats_count(&row.durations[STATS_turn_time]) / seconds, cells[9]));
}

static void print_processes(FILE *out, const struct statview *view,
                            const struct statview *before)
{
    char name[32];

    for (unsigned i = 0; i < view->count; i++) {
        if (view->rows[i].kind != STATS_WORKER)
            continue;
        snprintf(name, sizeof(name), "worker %llu", (unsigned long long)view->rows[i].slot);
        print_row(out, name, view, before, i);
    }
    /* Rates of those that are gone would be of their whole lives. */
    if (view->rows[view->count - 1].counters[STATS_requests] > 0)
        fprintf(out, "%-10s %7s %12llu\n", "gone", "",
                (unsigned long long)view->rows[view->count - 1].counters[STATS_requests]);
    print_row(out, "all", view, before, view->count);
}

static void print_durations(FILE *out, const char *name,
                            const struct stats_durations *durations)
{
    uint64_t count = stats_count(durations);
    char cells[4][CELL];

    fprintf(out, "%-22s p50 %-8s p90 %-8s p99 %-8s mean %s us\n", name,
            quantile(durations, 0.5, cells[0]), quantile(durations, 0.9, cells[1]),
            quantile(durations, 0.99, cells[2]),
            count == 0 ? "-" : amount((double)durations->sum / 1e3 / (double)count, cells[3]));
}

static void print_counters(FILE *out, const struct statview *view,
                           const struct statview *before)
{
    const uint64_t *all = view->rows[view->count].counters;
    struct stats_row row;
    double seconds = statview_since(view, before, view->count, &row);
    char cell[CELL];

    for (unsigned i = 0; i < STATS_HISTOGRAMS; i++)
        print_durations(out, stats_histograms[i].name, &row.durations[i]);
    fprintf(out, "\n%-22s %20s %8s\n", "", "all", "/s");
    for (unsigned i = 0; i < STATS_COUNTERS; i++) {
        fprintf(out, "%-22s %20llu", stats_counters[i].name, (unsigned long long)all[i]);
        if (!stats_counters[i].is_gauge)
            fprintf(out, " %8s", amount((double)row.counters[i] / seconds, cell));
        fputc('\n', out);
    }
}

void stattext_print(FILE *out, const struct statview *view, const struct statview *before)
{
    print_head(out, view, before);
    print_processes(out, view, before);
    fputc('\n', out);
    print_counters(out, view, before);
}
