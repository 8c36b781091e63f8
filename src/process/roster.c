#include "process/roster.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/facts.h"
#include "system/stats.h"

/* Numbers: for so many generations of as many workers, and some more. */
#define GENERATIONS 4
#define SPARE_IDS 32

struct roster {
    unsigned uses;
    struct segment *segment;
    unsigned id_count;
    pid_t *pids; /* by number - 1; 0: free */
};

static struct segment *make_segment(const struct config *config, unsigned id_count)
{
    size_t bytes[SEGMENT_SECTIONS] = { 0 }, all = 0;

    bytes[SEGMENT_STATS] = stats_bytes(id_count);
    facts_sizes(config, bytes);
    for (int i = 0; i < SEGMENT_SECTIONS; i++)
        all += bytes[i];
    struct segment *segment = segment_create(bytes);
    if (segment == NULL)
        log_error("cannot make %zu bytes of memory that all workers share: %m", all);
    return segment;
}

struct roster *roster_new(const struct config *config, size_t workers)
{
    struct roster *roster = calloc(1, sizeof(*roster));

    if (roster == NULL)
        goto no_memory;
    roster->uses = 1;
    roster->id_count = (unsigned)(GENERATIONS * workers + SPARE_IDS);
    roster->pids = calloc(roster->id_count, sizeof(pid_t));
    if (roster->pids == NULL)
        goto no_memory;
    roster->segment = make_segment(config, roster->id_count);
    if (roster->segment == NULL) {
        roster_free(roster);
        return NULL;
    }
    stats_create(roster->segment);
    return roster;

no_memory:
    log_error("out of memory");
    roster_free(roster);
    return NULL;
}

struct roster *roster_share(struct roster *roster)
{
    roster->uses++;
    return roster;
}

void roster_count_here(const struct roster *roster)
{
    stats_resume(roster->segment);
}

size_t roster_size(const struct roster *roster)
{
    return roster->id_count;
}

size_t roster_room(const struct roster *roster)
{
    size_t room = 0;

    for (unsigned i = 0; i < roster->id_count; i++)
        room += roster->pids[i] == 0;
    return room;
}

struct segment *roster_segment(const struct roster *roster)
{
    return roster->segment;
}

unsigned roster_free_id(const struct roster *roster)
{
    for (unsigned i = 0; i < roster->id_count; i++) {
        if (roster->pids[i] == 0)
            return i + 1;
    }
    return 0;
}

void roster_enter(struct roster *roster, unsigned id, pid_t pid)
{
    assert(id > 0 && id <= roster->id_count && roster->pids[id - 1] == 0);
    roster->pids[id - 1] = pid;
}

void roster_leave(struct roster *roster, pid_t pid)
{
    for (unsigned i = 0; i < roster->id_count; i++) {
        struct facts facts;

        if (roster->pids[i] != pid)
            continue;
        facts_attach(&facts, roster->segment, i + 1);
        stats_add(STATS_sweeps, facts_sweep(&facts, i + 1));
        stats_fold(roster->segment, i + 1);
        roster->pids[i] = 0;
    }
}

void roster_free(struct roster *roster)
{
    if (roster == NULL || --roster->uses > 0)
        return;
    if (roster->segment != NULL && stats_counts_in(roster->segment))
        stats_detach();
    segment_free(roster->segment);
    free(roster->pids);
    free(roster);
}
