#include "tools/loader.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/date.h"
#include "base/log.h"
#include "tools/csv.h"
#include "tools/progress.h"
#include "tools/rowreader.h"
#include "tools/seriesdir.h"

/* Rows between two looks at the clock and at signals. */
#define PAUSE_ROWS 4096

/* So many skipped rows are told one by one; the others are only counted. */
#define SKIPPED_TOLD 20

struct loader {
    const struct loader_job *job;
    struct seriesdir *series;
    struct import *import;
    struct rowreader *reader;
    char *row;
    int64_t origin; /* of the current file */
    uint64_t rows, skipped;
    uint64_t bytes_before; /* in the files before the current one */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
    interrupted = signal_number;
}

/* The first signal ends the work tidily, a second one at once. */
static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static int complain(const struct csv *csv, const char *reason)
{
    progress_clear();
    log_error("%s:%llu: %s", csv_name(csv), (unsigned long long)csv_line(csv), reason);
    return -1;
}

/* A row that is none: an error, or one more that is skipped. */
static int bad_row(struct loader *loader, const struct csv *csv, const char *reason)
{
    if (!loader->job->skip_bad)
        return complain(csv, reason);
    loader->skipped++;
    if (loader->skipped <= SKIPPED_TOLD) {
        progress_clear();
        log_warn("%s:%llu: %s (skipped)", csv_name(csv), (unsigned long long)csv_line(csv),
                 reason);
    }
    if (loader->skipped == SKIPPED_TOLD)
        log_warn("more bad rows are only counted");
    return 0;
}

static bool is_number_or_date(struct slice field)
{
    size_t digits = 0;

    for (size_t i = 0; i < field.len; i++) {
        if (field.at[i] >= '0' && field.at[i] <= '9')
            digits++;
        else if (memchr(" +-.:TZ", field.at[i], 7) == NULL)
            return false;
    }
    return digits > 0;
}

/* A bad row that was split; in the first line it may be what the user took for no row. */
static int bad_fields(struct loader *loader, const struct csv *csv, const char *reason,
                      const struct slice *fields, size_t count)
{
    if (bad_row(loader, csv, reason) == 0)
        return 0;
    if (csv_line(csv) == 1) {
        for (size_t i = 0; i < count; i++) {
            if (is_number_or_date(fields[i]))
                return -1;
        }
        log_error("if that is a header line, say --skip-header");
    }
    return -1;
}

static int load_row(struct loader *loader, const struct csv *csv, const struct slice *fields,
                    size_t count)
{
    const char *reason;
    int64_t ns;

    reason = rowreader_read(loader->reader, fields, count, loader->rows + 1, &ns, loader->row);
    if (reason == NULL && __builtin_add_overflow(ns, loader->origin, &ns))
        reason = "the time is not in 2000-2099 (is its unit right?)";
    if (reason != NULL)
        return bad_fields(loader, csv, reason, fields, count);

    switch (import_put(loader->import, ns, loader->row, &reason)) {
    case IMPORT_OK:
        loader->rows++;
        return 0;
    case IMPORT_BAD:
        return bad_row(loader, csv, reason);
    case IMPORT_REFUSED:
        return complain(csv, reason);
    default:
        return -1;
    }
}

/* What comes before the rows: the header line, if there is one. */
static int load_header(struct loader *loader, struct csv *csv)
{
    const struct slice *fields = NULL;
    const char *reason = NULL;
    size_t count = 0;
    bool named = colmap_has_names(loader->job->map);

    if (named || loader->job->skip_header) {
        switch (csv_next(csv, &fields, &count, &reason)) {
        case CSV_ROW:
            break;
        case CSV_END:
            reason = "the file is empty, it has no header line";
            break;
        case CSV_BAD:
            break;
        default:
            return -1;
        }
    }
    if (named && reason == NULL)
        reason = rowreader_bind(loader->reader, fields, count);
    else if (!named)
        reason = rowreader_bind(loader->reader, NULL, 0);
    return reason == NULL ? 0 : complain(csv, reason);
}

static int pause_work(const struct loader *loader, const struct csv *csv)
{
    progress_show(loader->bytes_before + csv_position(csv), loader->rows);
    if (!interrupted)
        return 0;
    progress_clear();
    log_error("stopped by a signal");
    return -1;
}

static int load_rows(struct loader *loader, struct csv *csv)
{
    const struct slice *fields;
    const char *reason;
    size_t count;

    for (uint64_t n = 0;; n++) {
        if (n % PAUSE_ROWS == 0 && pause_work(loader, csv))
            return -1;
        switch (csv_next(csv, &fields, &count, &reason)) {
        case CSV_ROW:
            if (load_row(loader, csv, fields, count))
                return -1;
            break;
        case CSV_BAD:
            if (bad_row(loader, csv, reason))
                return -1;
            break;
        case CSV_END:
            return 0;
        default:
            return -1;
        }
    }
}

static int load_file(struct loader *loader, const char *path)
{
    const struct origin *origin = loader->job->origin;

    loader->origin = 0;
    if (origin != NULL && origin_of_file(origin, path, &loader->origin)) {
        log_error("%s: the pattern of --origin does not fit the file's name", path);
        return -1;
    }
    struct csv *csv = csv_open(path, loader->job->delimiter);
    if (csv == NULL)
        return -1;
    int rc = load_header(loader, csv);
    if (rc == 0)
        rc = load_rows(loader, csv);
    loader->bytes_before += csv_position(csv);
    csv_close(csv);
    return rc;
}

/* The bytes of all files; 0 if one of them does not say. */
static uint64_t total_bytes(const struct loader_job *job)
{
    uint64_t total = 0;
    struct stat st;

    for (size_t i = 0; i < job->file_count; i++) {
        const char *path = job->files[i];
        int rc = strcmp(path, "-") == 0 ? fstat(0, &st) : stat(path, &st);

        if (rc || !S_ISREG(st.st_mode))
            return 0;
        total += (uint64_t)st.st_size;
    }
    return total;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_summary(const struct loader *loader)
{
    struct import_summary summary = import_summary(loader->import);
    double seconds = progress_seconds();
    char first[11], last[11];

    printf("%s: %llu row%s", seriesdir_path(loader->series), (unsigned long long)summary.rows,
           plural(summary.rows));
    if (summary.days > 0)
        printf(" in %llu day%s, %s", (unsigned long long)summary.days, plural(summary.days),
               date_iso(summary.first, first));
    if (summary.days > 1)
        printf(" to %s", date_iso(summary.last, last));
    if (loader->job->skip_bad)
        printf("; %llu bad row%s skipped", (unsigned long long)loader->skipped,
               plural(loader->skipped));
    printf("; %.2f s, %.2f M rows/s\n", seconds, (double)summary.rows / seconds / 1e6);
}

/* The columns whose types the server does not take for granted. */
static void print_types(const struct loader_job *job)
{
    const struct columns *columns = &job->map->columns;
    char text[COLTYPE_NAME];

    for (size_t i = 0; i < columns->count; i++) {
        const struct column *column = &columns->at[i];
        struct coltype usual = columns_default_type(slice_of(column->name));

        if (column->type.kind == usual.kind && column->type.size == usual.size)
            continue;
        coltype_name(column->type, text);
        printf("%s is %s, which tickd must be told: tickd -o type=%s/%s/%s:%s\n", column->name,
               text, job->exchange, job->type, column->name, text);
    }
}

/* Whether nothing is left of files that are not empty: they are not what the map says. */
static int check_skipped(const struct loader *loader)
{
    if (loader->rows > 0 || loader->skipped == 0)
        return 0;
    if (loader->skipped == 1)
        log_error("the only row is bad: nothing was loaded");
    else
        log_error("all %llu rows are bad: nothing was loaded",
                  (unsigned long long)loader->skipped);
    return -1;
}

static int load_files(struct loader *loader)
{
    const struct loader_job *job = loader->job;
    int rc = 0;

    progress_start(total_bytes(job), job->quiet);
    for (size_t i = 0; rc == 0 && i < job->file_count; i++)
        rc = load_file(loader, job->files[i]);
    progress_clear();
    if (rc == 0)
        rc = check_skipped(loader);
    if (rc == 0)
        rc = import_publish(loader->import);
    if (rc == 0 && !job->quiet) {
        print_summary(loader);
        if (loader->rows > 0)
            print_types(job);
    }
    return rc;
}

int loader_run(const struct loader_job *job)
{
    const struct columns *columns = &job->map->columns;
    struct loader loader = { .job = job };
    int rc = -1;

    catch_signals();
    loader.series = seriesdir_open(job->data, job->exchange, job->symbol, job->type, true);
    if (loader.series == NULL)
        return -1;
    if ((loader.row = calloc(1, columns->row_size)) == NULL) {
        log_error("%m");
        goto out;
    }
    if ((loader.reader = rowreader_new(job->map)) == NULL ||
        (loader.import = import_new(loader.series, columns, job->mode)) == NULL)
        goto out;
    rc = load_files(&loader);

out:
    import_free(loader.import);
    if (loader.reader != NULL)
        rowreader_free(loader.reader);
    free(loader.row);
    seriesdir_close(loader.series);
    return rc;
}
