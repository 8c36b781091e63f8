#include "api/metrics.h"

#include "base/name.h"
#include "base/text.h"
#include "config.h"
#include "store/history.h"

/* Room for all that is there once; for one line with labels. */
#define ROOM_ONCE (48 << 10)
#define ROOM_LINE 160

/* Exchanges and types whose newest row is told; more are left out. How old, in milliseconds,
 * what is told may be: as old as Prometheus itself takes for the present. */
#define ROWS_MAX 256
#define ROWS_AGE 300000
#define ROOM_ROW (ROOM_LINE + 2 * NAME_MAX_BYTES)

#define READS 16 /* of memory that the master is writing to */
#define CELLS ((size_t)STATS_ENDPOINTS * STATS_METHODS * STATS_CODES)

static void put(struct text *text, const char *string)
{
    text_put(text, slice_of(string));
}

/* Nanoseconds as seconds, without zeros at the end. */
static void put_seconds(struct text *text, uint64_t ns)
{
    char digits[9];
    size_t len = sizeof(digits);
    uint64_t rest = ns % 1000000000;

    for (size_t i = len; i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    while (len > 0 && digits[len - 1] == '0')
        len--;
    text_number(text, ns / 1000000000);
    if (len > 0) {
        put(text, ".");
        text_put(text, (struct slice){ digits, len });
    }
}

/* The lines that come before those of a metric, tickd_${name}${end}. No help has a byte in it
 * that would need an escape. */
static void put_head(struct text *text, const char *name, const char *end, const char *type,
                     const char *help)
{
    put(text, "# HELP tickd_");
    put(text, name);
    put(text, end);
    put(text, " ");
    put(text, help);
    put(text, "\n# TYPE tickd_");
    put(text, name);
    put(text, end);
    put(text, " ");
    put(text, type);
    put(text, "\n");
}

/* One line, with ${labels} (NULL: none) in braces. */
static void put_line(struct text *text, const char *name, const char *end, const char *labels,
                     uint64_t value)
{
    put(text, "tickd_");
    put(text, name);
    put(text, end);
    if (labels != NULL) {
        put(text, "{");
        put(text, labels);
        put(text, "}");
    }
    put(text, " ");
    text_number(text, value);
    put(text, "\n");
}

static void put_counters(struct text *text, const struct stats_row *total)
{
    for (unsigned i = 0; i < STATS_COUNTERS; i++) {
        const struct stats_about *about = &stats_counters[i];
        const char *end = about->is_gauge ? "" : "_total";

        put_head(text, about->name, end, about->is_gauge ? "gauge" : "counter", about->help);
        put_line(text, about->name, end, NULL, total->counters[i]);
    }
}

/* Buckets of the format hold what those below them hold. */
static void put_histogram(struct text *text, const struct stats_about *about,
                          const struct stats_durations *durations)
{
    uint64_t count = 0;

    put_head(text, about->name, "_seconds", "histogram", about->help);
    for (unsigned i = 0; i < STATS_BOUNDS; i++) {
        count += durations->buckets[i];
        put(text, "tickd_");
        put(text, about->name);
        put(text, "_seconds_bucket{le=\"");
        put_seconds(text, stats_bounds[i]);
        put(text, "\"} ");
        text_number(text, count);
        put(text, "\n");
    }
    count += durations->buckets[STATS_BOUNDS];
    put_line(text, about->name, "_seconds_bucket", "le=\"+Inf\"", count);
    put(text, "tickd_");
    put(text, about->name);
    put(text, "_seconds_sum ");
    put_seconds(text, durations->sum);
    put(text, "\n");
    put_line(text, about->name, "_seconds_count", NULL, count);
}

/* What never happened is left out, but for what will: a counter that begins at 1 grew unseen.
 */
static void put_answers(struct text *text, const struct stats_row *total)
{
    put_head(text, "answers", "_total", "counter",
             "answers sent whole, by endpoint, method and status");
    for (unsigned e = 0; e < STATS_ENDPOINTS; e++) {
        for (unsigned m = 0; m < STATS_METHODS; m++) {
            for (unsigned c = 0; c < STATS_CODES; c++) {
                if (total->answers[e][m][c] == 0 && (m != REQUEST_GET || c != STATS_CODE_200))
                    continue;
                put(text, "tickd_answers_total{endpoint=\"");
                put(text, stats_endpoints[e]);
                put(text, "\",method=\"");
                put(text, stats_methods[m]);
                put(text, "\",code=\"");
                put(text, stats_codes[c]);
                put(text, "\"} ");
                text_number(text, total->answers[e][m][c]);
                put(text, "\n");
            }
        }
    }
}

/* The rows were read while their owners wrote them: what does not add up for a moment is 0. */
static uint64_t less(uint64_t from, uint64_t value)
{
    return from > value ? from - value : 0;
}

static void put_states(struct text *text, const struct stats_row *total)
{
    uint64_t all = total->counters[STATS_connections];
    uint64_t answering = total->counters[STATS_requests_active];
    uint64_t waiting = total->counters[STATS_connections_waiting];
    uint64_t lingering = total->counters[STATS_connections_lingering];

    put_head(text, "connections_by_state", "", "gauge",
             "connections open: idle or in the middle of a request's head, being answered, "
             "waiting for the disk, or answered for the last time");
    put_line(text, "connections_by_state", "", "state=\"idle\"",
             less(all, answering + lingering));
    put_line(text, "connections_by_state", "", "state=\"answering\"", less(answering, waiting));
    put_line(text, "connections_by_state", "", "state=\"waiting\"", waiting);
    put_line(text, "connections_by_state", "", "state=\"lingering\"", lingering);
}

static void put_worker_line(struct text *text, const char *name, uint64_t slot, uint64_t value)
{
    put(text, "tickd_");
    put(text, name);
    put(text, "{worker=\"");
    text_number(text, slot);
    put(text, "\"} ");
    text_number(text, value);
    put(text, "\n");
}

/* Whether ${row} is the newest worker of its slot: one that drains may have the same, but only
 * one of them may stand for it. */
static bool is_newest(const struct stats_row *rows, unsigned count, const struct stats_row *row)
{
    for (unsigned i = 0; i < count; i++) {
        const struct stats_row *other = &rows[i];

        if (other->kind == STATS_WORKER && other->slot == row->slot &&
            (other->born > row->born || (other->born == row->born && other > row)))
            return false;
    }
    return true;
}

static void put_workers(struct text *text, const struct stats_row *rows, unsigned count)
{
    uint64_t workers = 0;

    for (unsigned i = 0; i < count; i++)
        workers += rows[i].kind == STATS_WORKER;
    put_head(text, "workers", "", "gauge", "worker processes, those that drain included");
    put_line(text, "workers", "", NULL, workers);
    put_head(text, "worker_start_time_seconds", "", "gauge",
             "when the newest process of each worker started, since the Unix epoch");
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].kind == STATS_WORKER && is_newest(rows, count, &rows[i]))
            put_worker_line(text, "worker_start_time_seconds", rows[i].slot, rows[i].born);
    }
    put_head(text, "worker_connections", "", "gauge",
             "connections of the newest process of each worker");
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].kind == STATS_WORKER && is_newest(rows, count, &rows[i]))
            put_worker_line(text, "worker_connections", rows[i].slot,
                            rows[i].counters[STATS_connections]);
    }
}

/* What a recorder that has stopped is found by. It is looked up while others are served: at
 * first nothing is known, and then what was when somebody asked before. */
static void put_rows(struct text *text, const struct history *history)
{
    put_head(text, "newest_row_time", "_seconds", "gauge",
             "the time of the last row in the newest day, since the Unix epoch");
    for (uint32_t i = 0; history != NULL && i < history->update_count && i < ROWS_MAX; i++) {
        const struct history_update *update = &history->updates[i];

        if (update->row < 0)
            continue;
        put(text, "tickd_newest_row_time_seconds{exchange=\"");
        put(text, update->exchange);
        put(text, "\",type=\"");
        put(text, update->type);
        put(text, "\"} ");
        text_number(text, (uint64_t)update->row);
        put(text, "\n");
    }
}

static void put_server(struct text *text, const struct segment *segment)
{
    put_head(text, "build_info", "", "gauge", "the program that serves");
    put_line(text, "build_info", "", "version=\"" PACKAGE_VERSION "\"", 1);
    put_head(text, "process_start_time_seconds", "", "gauge",
             "when the server started, since the Unix epoch");
    put_line(text, "process_start_time_seconds", "", NULL, (uint64_t)segment_born(segment));
}

/* They are aligned to more than what an arena gives is. */
static struct stats_row *take_rows(struct arena *arena, unsigned count)
{
    const size_t alignment = _Alignof(struct stats_row);
    char *memory = arena_take(arena, count * sizeof(struct stats_row) + alignment - 1);

    return memory == NULL ? NULL : (void *)(memory + (-(uintptr_t)memory & (alignment - 1)));
}

enum answer_state metrics_begin(struct api *api, const struct request *request,
                                struct answer *answer)
{
    unsigned count = api->segment == NULL ? 0 : stats_rows(api->segment);
    size_t room =
        ROOM_ONCE + ROOM_LINE * (CELLS + 2 * (size_t)count) + ROOM_ROW * (size_t)ROWS_MAX;
    struct stats_row *rows = take_rows(&answer->arena, count);
    struct stats_row *total = take_rows(&answer->arena, 1);
    char *memory = arena_take(&answer->arena, room);

    (void)request;
    if (count == 0 || rows == NULL || total == NULL || memory == NULL) {
        failure_set(&answer->failure, 503, NULL, "out of memory");
        return ANSWER_READY;
    }
    /* Counters never go back, unless the master died while it moved some. */
    for (int i = 0; i < READS && !stats_read(api->segment, rows); i++)
        ;
    stats_sum(rows, count, total);
    struct text text = text_on(memory, room);
    put_server(&text, api->segment);
    put_workers(&text, rows, count);
    put_counters(&text, total);
    put_states(&text, total);
    put_answers(&text, total);
    put_rows(&text, history_latest(api->store, ROWS_AGE));
    for (unsigned i = 0; i < STATS_HISTOGRAMS; i++)
        put_histogram(&text, &stats_histograms[i], &total->durations[i]);
    if (text.cut)
        failure_set(&answer->failure, 500, NULL, "the metrics are too long");
    else
        answer_memory(answer, 200, "text/plain; version=0.0.4; charset=utf-8",
                      (struct slice){ text.at, text.len });
    return ANSWER_READY;
}
