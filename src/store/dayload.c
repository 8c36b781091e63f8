#include "store/dayload.h"

#include <errno.h>
#include <stdlib.h>

#include "base/guard.h"

struct dayload *dayload_new(unsigned count)
{
    struct dayload *dayload = calloc(1, sizeof(*dayload) + count * sizeof(struct dayload_file));

    if (dayload != NULL)
        dayload->count = count;
    return dayload;
}

/* Open and map one file; it is live if it was modified recently. */
static void open_file(const struct dayload *dayload, struct dayload_file *wanted)
{
    struct dayfile *file = dayfile_open(dayload->load.root, wanted->path);

    if (file != NULL &&
        dayfile_map(file, dayload->current || file->state.mtime > dayload->recent)) {
        wanted->error = errno;
        dayfile_close(file);
        return;
    }
    wanted->error = file == NULL ? errno : 0;
    wanted->file = file;
}

static void learn_rows(void *arg)
{
    struct dayload *dayload = arg;
    struct timeindex *index = &dayload->known.known.index;
    uint64_t fenced = index->rows;

    if (dayload->index.rows > fenced && dayload->index.rows <= dayload->rows)
        *index = dayload->index;
    timeindex_extend(index, dayload->times, dayload->rows);
    if (timeindex_fenceable(index))
        timeindex_fences(index, dayload->times, dayload->number, &dayload->known.fences,
                         fenced);
}

/* Know all rows: from what others know, as far as that is about this very file. */
static void bring_index(struct dayload *dayload)
{
    struct fact_index *known = &dayload->known.known;

    if (!filestate_grew(&known->state, &dayload->time) || known->index.rows > dayload->rows)
        known->index = (struct timeindex){ 0 };
    else if (filestate_same(&known->state, &dayload->time))
        return;
    known->state = dayload->time;
    dayload->known_is_news = true;
    dayload->index_broken = guard_run(learn_rows, dayload) != 0;
}

/* Whether the path of the time file leads to another file, or other contents, now. */
static bool time_was_replaced(const struct dayload *dayload)
{
    struct stat found;
    struct dayfile time = { .state = dayload->time, .mapped = SIZE_MAX };

    return root_stat(dayload->load.root, dayload->time_path, &found) ||
           dayfile_compare(&time, &found) == DAYFILE_OTHER;
}

void dayload_read(struct load *load)
{
    struct dayload *dayload = (struct dayload *)load;
    unsigned opened = 0;

    for (unsigned i = 0; i < dayload->count; i++) {
        open_file(dayload, &dayload->files[i]);
        if (dayload->day == NULL && i == 0) {
            const struct dayfile *time = dayload->files[0].file;

            if (time == NULL)
                return;
            dayload->time = time->state;
            dayload->times = (const void *)time->at;
            dayload->rows = time->state.size / sizeof(uint32_t);
        } else {
            opened++;
        }
    }
    if (dayload->index_wanted)
        bring_index(dayload);
    /* What was opened just now belongs to this day if the time file is still the same one. */
    dayload->replaced = opened > 0 && time_was_replaced(dayload);
}

void dayload_free(struct dayload *dayload)
{
    for (unsigned i = 0; i < dayload->count; i++)
        dayfile_close(dayload->files[i].file);
    root_free(dayload->load.root);
    free(dayload);
}
