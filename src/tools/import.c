#include "tools/import.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/date.h"
#include "base/log.h"
#include "tools/dayappend.h"
#include "tools/dayswap.h"
#include "tools/daywriter.h"

#define DAY_NS (DATE_SECONDS * INT64_C(1000000000))
#define OPEN_MAX 64

struct entry {
    struct daywriter *writer;
    int64_t begin; /* the day's first nanosecond */
    bool appends;  /* the day exists and grows */
    bool open;     /* its writer holds rows in memory */
    uint64_t used; /* when it was last turned to */
    struct dayappend_end end;
};

/* Entries stand in the order of their days. */
struct import {
    const struct seriesdir *series;
    const struct columns *columns;
    enum import_mode mode;
    struct entry *entries;
    size_t count;
    struct entry *current; /* the one that took the last row */
    uint64_t turns;
    char reason[160];
};

struct import *import_new(const struct seriesdir *series, const struct columns *columns,
                          enum import_mode mode)
{
    struct import *import = calloc(1, sizeof(*import));

    if (import == NULL) {
        log_error("%m");
        return NULL;
    }
    import->series = series;
    import->columns = columns;
    import->mode = mode;
    return import;
}

void import_free(struct import *import)
{
    if (import == NULL)
        return;
    for (size_t i = 0; i < import->count; i++)
        daywriter_free(import->entries[i].writer);
    free(import->entries);
    free(import);
}

/* Where the entry that begins at ${begin} is, or belongs. */
static size_t place(const struct import *import, int64_t begin)
{
    size_t low = 0, high = import->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (import->entries[middle].begin < begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the day may take rows at all, and after which row. */
static enum import_result admit(struct import *import, int32_t day, struct entry *entry,
                                const char **reason)
{
    int exists = seriesdir_has_day(import->series, day);
    char iso[11];

    if (exists < 0)
        return IMPORT_FAILED;
    if (!exists || import->mode == IMPORT_REPLACE)
        return IMPORT_OK;
    if (import->mode == IMPORT_NEW) {
        snprintf(import->reason, sizeof(import->reason),
                 "the day %s exists already: say --replace or --append", date_iso(day, iso));
        *reason = import->reason;
        return IMPORT_REFUSED;
    }
    entry->appends = true;
    return dayappend_check(import->series, import->columns, day, &entry->end) ? IMPORT_FAILED
                                                                              : IMPORT_OK;
}

static enum import_result add_entry(struct import *import, size_t at, int64_t begin,
                                    const char **reason)
{
    struct entry entry = { .begin = begin };
    int32_t day = (int32_t)(begin / DAY_NS);
    enum import_result result = admit(import, day, &entry, reason);

    if (result != IMPORT_OK)
        return result;
    void *grown = realloc(import->entries, (import->count + 1) * sizeof(entry));
    if (grown == NULL) {
        log_error("%m");
        return IMPORT_FAILED;
    }
    import->entries = grown;
    entry.writer = daywriter_new(import->series, import->columns, day);
    if (entry.writer == NULL)
        return IMPORT_FAILED;
    struct entry *place_of = &import->entries[at];
    memmove(place_of + 1, place_of, (import->count - at) * sizeof(entry));
    *place_of = entry;
    import->count++;
    return IMPORT_OK;
}

/* Give back the memory of the day that was not turned to for longest, if there are many. */
static int park_one(struct import *import)
{
    struct entry *oldest = NULL;
    size_t open = 0;

    for (size_t i = 0; i < import->count; i++) {
        struct entry *entry = &import->entries[i];

        if (!entry->open)
            continue;
        open++;
        if (oldest == NULL || entry->used < oldest->used)
            oldest = entry;
    }
    if (open < OPEN_MAX)
        return 0;
    oldest->open = false;
    return daywriter_park(oldest->writer);
}

/* Make the day of ${ns} the current one. */
static enum import_result turn_to(struct import *import, int64_t ns, const char **reason)
{
    int64_t begin = ns - ns % DAY_NS;

    import->current = NULL;
    if (ns < DATE_FIRST * DAY_NS || ns >= (DATE_LAST + 1) * DAY_NS) {
        *reason = "the time is not in 2000-2099 (is its unit right?)";
        return IMPORT_BAD;
    }
    size_t at = place(import, begin);
    if (at == import->count || import->entries[at].begin != begin) {
        enum import_result result = add_entry(import, at, begin, reason);

        if (result != IMPORT_OK)
            return result;
    }
    struct entry *entry = &import->entries[at];
    if (!entry->open && park_one(import))
        return IMPORT_FAILED;
    entry->open = true;
    entry->used = ++import->turns;
    import->current = entry;
    return IMPORT_OK;
}

enum import_result import_put(struct import *import, int64_t ns, const char *row,
                              const char **reason)
{
    struct entry *entry = import->current;

    if (entry == NULL || ns < entry->begin || ns - entry->begin >= DAY_NS) {
        enum import_result result = turn_to(import, ns, reason);

        if (result != IMPORT_OK)
            return result;
        entry = import->current;
    }
    if ((uint64_t)ns < entry->end.ns) {
        *reason = "the time is before the last row of the day that is to be appended to";
        return IMPORT_REFUSED;
    }
    return daywriter_put(entry->writer, (uint64_t)ns, row) ? IMPORT_FAILED : IMPORT_OK;
}

int import_publish(struct import *import)
{
    for (size_t i = 0; i < import->count; i++) {
        if (daywriter_finish(import->entries[i].writer))
            return -1;
    }
    for (size_t i = 0; i < import->count; i++) {
        const struct entry *entry = &import->entries[i];
        int32_t day = daywriter_day(entry->writer);
        int rc = entry->appends
                     ? dayappend_run(import->series, import->columns, day, entry->end.rows)
                     : dayswap_run(import->series, import->columns, day);

        if (rc)
            return -1;
    }
    return 0;
}

struct import_summary import_summary(const struct import *import)
{
    struct import_summary summary = { .days = import->count };

    if (import->count == 0)
        return summary;
    for (size_t i = 0; i < import->count; i++)
        summary.rows += daywriter_rows(import->entries[i].writer);
    summary.first = daywriter_day(import->entries[0].writer);
    summary.last = daywriter_day(import->entries[import->count - 1].writer);
    return summary;
}
