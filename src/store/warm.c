#include "store/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "system/helper.h"

#define FRESH 4000   /* ms for which what was seen is believed */
#define STARTS_MAX 4 /* reads begun at once for one range */
#define READ_BYTES (64 << 10)

/* One stretch after another being read by a helper, which knows the descriptor only: the file
 * stays open since its day is held. */
struct warm_job {
    struct helper_job job;
    int fd;
    uint64_t from, to; /* whole stretches */
    struct store *store;
    struct day *day;
    struct dayfile *file;
    struct warm_job *next; /* of the file */
    struct warm_wait *waits;
};

static void begin_wait(struct warm_wait **list, struct warm_wait *wait)
{
    if (wait == NULL)
        return;
    warm_forget(wait);
    wait->next = *list;
    wait->link = list;
    if (*list != NULL)
        (*list)->link = &wait->next;
    *list = wait;
}

void warm_forget(struct warm_wait *wait)
{
    if (wait->link == NULL)
        return;
    *wait->link = wait->next;
    if (wait->next != NULL)
        wait->next->link = wait->link;
    wait->link = NULL;
}

static void wake_first(struct warm_wait **list)
{
    struct warm_wait *wait = *list;

    warm_forget(wait);
    wait->waker.wake(wait->waker.arg);
}

static void wake_all(struct warm_wait **list)
{
    while (*list != NULL)
        wake_first(list);
}

/* --- What was seen, by stretch: a stamp, or one of these */

enum { NEVER, COLD };

/* Milliseconds. */
static uint32_t now_stamp(const struct store *store)
{
    uint32_t now = (uint32_t)store->now;

    return now <= COLD ? COLD + 1 : now;
}

static uint64_t next_stretch(uint64_t at)
{
    return (at / WARM_STRETCH + 1) * WARM_STRETCH;
}

/* Whether the kernel has the byte at ${at}. A file system that cannot tell without waiting has
 * not; what is not there at all needs no reading. */
static bool is_resident(int fd, uint64_t at)
{
    char byte;
    struct iovec iov = { &byte, 1 };

    return preadv2(fd, &iov, 1, (off_t)at, RWF_NOWAIT) >= 0;
}

/*
 * The same for the bytes up to ${end}, by two of them: the last one, since what is being read
 * is there in its order; and any, since having been asked for what it does not have, the kernel
 * reads that page and no more.
 */
static bool is_likely_resident(int fd, uint64_t at, uint64_t end)
{
    static uint32_t turn;

    turn += UINT32_C(0x9e3779b1);
    return is_resident(fd, end - 1) && is_resident(fd, at + (turn >> 8) % (end - at));
}

/* The job that reads the byte at ${at}, if there is one; what the next job may read ends before
 * ${limit}. */
static struct warm_job *find_job(const struct dayfile *file, uint64_t at, uint64_t *limit)
{
    for (struct warm_job *job = file->warming; job != NULL; job = job->next) {
        if (at >= job->from && at < job->to)
            return job;
        if (job->from > at && job->from < *limit)
            *limit = job->from;
    }
    return NULL;
}

/* Whether the part of ${range}, and of what will be needed soon, that lies in one stretch, from
 * ${at} on, is in memory. What was found cold is until it was read. */
static bool is_warm(const struct warm_range *range, uint64_t at, uint32_t now)
{
    uint32_t *seen = &range->file->warm[at / WARM_STRETCH];
    uint64_t end = next_stretch(at);
    uint64_t limit = 0;

    if (*seen == COLD)
        return false;
    if (*seen != NEVER && now - *seen < FRESH)
        return true;
    if (range->step > WARM_STRETCH)
        end = at + 1;
    else if (range->end < end)
        end = range->end;
    bool warm = find_job(range->file, at, &limit) == NULL &&
                is_likely_resident(range->file->fd, at, end);
    *seen = warm ? now : COLD;
    return warm;
}

/* --- Reading */

/* The loop may be waiting for this core, and would until a slice of time is over: it is let in
 * after each portion, be it read or only announced to the kernel. */
static void run(struct helper_job *helper_job)
{
    const struct warm_job *job = (const struct warm_job *)helper_job;
    char bytes[READ_BYTES];
    uint64_t at;

    for (at = job->from; at < job->to; at += READ_BYTES) {
        uint64_t left = job->to - at;

        posix_fadvise(job->fd, (off_t)at, (off_t)(left < READ_BYTES ? left : READ_BYTES),
                      POSIX_FADV_WILLNEED);
        sched_yield();
    }
    for (at = job->from; at < job->to;) {
        ssize_t count = pread(job->fd, bytes, sizeof(bytes), (off_t)at);

        if (count == 0 || (count < 0 && errno != EINTR))
            return;
        at += count > 0 ? (uint64_t)count : 0;
        sched_yield();
    }
}

static void done(struct helper_job *helper_job)
{
    struct warm_job *job = (struct warm_job *)helper_job, **link = &job->file->warming;
    struct store *store = job->store;
    uint32_t now = now_stamp(store);

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    for (uint64_t at = job->from; at < job->to; at += WARM_STRETCH)
        job->file->warm[at / WARM_STRETCH] = now;
    wake_all(&job->waits);
    day_release(store, job->day);
    free(job);
    /* Those for whom there was no room: one for each that has gone. */
    store->warming--;
    if (store->warming == 0)
        wake_all(&store->crowd);
    else if (store->crowd != NULL)
        wake_first(&store->crowd);
}

/* Have the stretch of ${at}, and those behind it up to ${end}, read. NULL if there is no room.
 */
static struct warm_job *read_from(struct store *store, const struct warm_range *range,
                                  uint64_t at, uint64_t end)
{
    uint64_t from = at / WARM_STRETCH * WARM_STRETCH;
    uint64_t to = next_stretch(end - 1);
    struct warm_job *job;

    to = to < from + WARM_AHEAD ? to : from + WARM_AHEAD;
    if ((job = find_job(range->file, at, &to)) != NULL)
        return job;
    job = malloc(sizeof(*job));
    if (job == NULL)
        return NULL;
    *job = (struct warm_job){ .job = { .run = run, .done = done },
                              .fd = range->file->fd,
                              .from = from,
                              .to = to,
                              .store = store,
                              .day = range->day,
                              .file = range->file,
                              .next = range->file->warming };
    if (!helper_submit(store->helper, &job->job)) {
        free(job);
        return NULL;
    }
    range->file->warming = job;
    store->warming++;
    day_hold(store, range->day);
    return job;
}

/* From the cold byte at ${at} on, have helpers read the range and what comes behind it. False
 * if there is nothing to wait for. */
static bool read_range(struct store *store, const struct warm_range *range, uint64_t at,
                       uint32_t now, struct warm_wait *wait)
{
    bool apart = range->step > WARM_STRETCH;
    uint64_t limit = apart ? range->to : range->to + WARM_AHEAD;

    limit = limit < range->end ? limit : range->end;
    for (int started = 0; at < limit && started < STARTS_MAX; started++) {
        struct warm_job *job = read_from(store, range, at, apart ? at + 1 : limit);

        if (job == NULL && started == 0 && store->warming == 0)
            return false;
        if (started == 0)
            begin_wait(job == NULL ? &store->crowd : &job->waits, wait);
        if (job == NULL)
            return true;
        do {
            at = apart ? at + range->step : next_stretch(at);
        } while (at < limit && (at < job->to || is_warm(range, at, now)));
    }
    return true;
}

/* Begin to read what comes behind a range that is there, so that it is when its turn comes. */
static void read_ahead(struct store *store, const struct warm_range *range, uint32_t now)
{
    uint64_t ahead = range->from + WARM_AHEAD;

    if (range->step <= WARM_STRETCH && ahead >= range->to && ahead < range->end &&
        !is_warm(range, ahead, now))
        read_from(store, range, ahead, range->end);
}

/* Begin to remember what was seen of a file; and the kernel is not to read ahead by itself,
 * which would have whoever sends wait for what is under way. */
static bool begin_file(struct dayfile *file)
{
    if (file->warm == NULL) {
        file->warm = calloc(file->mapped / WARM_STRETCH + 1, sizeof(*file->warm));
        posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM);
    }
    return file->warm != NULL;
}

bool warm_ready(struct store *store, const struct warm_range *range, struct warm_wait *wait)
{
    struct dayfile *file = range->file;
    uint32_t now = now_stamp(store);

    if (store->helper == NULL || !begin_file(file))
        return true;
    for (uint64_t at = range->from; at < range->to;) {
        if (!is_warm(range, at, now) && read_range(store, range, at, now, wait))
            return false;
        at = range->step > WARM_STRETCH ? at + range->step : next_stretch(at);
    }
    read_ahead(store, range, now);
    return true;
}
