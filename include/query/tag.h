#ifndef QUERY_TAG_H
#define QUERY_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/waker.h"
#include "query/gather.h"
#include "query/plan.h"
#include "store/warm.h"

/*
 * What tells an answer from a later one to the same query, as a server of files would know it:
 * a tag, which is a hash of the line and of what is known of the rows sent, and when the files
 * were changed. Of a closed day, the rows' places and all files' sizes and times are known. A
 * live day's files grow, so there it is the rows' places and the last bytes sent of each
 * column, which are read; where rows have to be picked, the last bytes of the stretch that they
 * are picked from, also of the columns that choose them.
 *
 * Servers with copies of the same files, times included, make the same tags.
 */

/* Bytes of a tag as text: sixteen digits in double quotes. */
#define TAG_BYTES 18

/* Bytes looked at of each column of a live day. */
#define TAG_TAIL 4096

struct tag {
    uint64_t hash;
    int64_t modified; /* seconds since the epoch: the newest file; -1: there is none */
    bool closed;      /* API.md, "closed": nothing will ever change it */

    /* In the making. */
    struct gather *gather;
    const struct plan *plan;
    unsigned day;        /* the next one among the gathered days ... */
    unsigned planned;    /* ... and the place in the plan of that, or of one that follows */
    int32_t first, last; /* days with rows that are sent */
    unsigned column;     /* the next one of that day, if it is live */
    struct warm_wait wait;
};

enum tag_state {
    TAG_DONE,
    TAG_WAIT,   /* bytes are being read: call tag_step again once the waker was called */
    TAG_FAILED, /* the files are not those any more that were gathered */
};

/**
 * tag_begin(tag, gather, plan, line, waker):
 * Make ${tag} ready to find out about the answer of ${line} and the rows of ${plan} among what
 * ${gather} knows; both must outlive the making. ${waker} is called after TAG_WAIT. tag_end is
 * to be called at any time.
 */
void tag_begin(struct tag *tag, struct gather *gather, const struct plan *plan,
               struct slice line, struct waker waker);

/**
 * tag_step(tag):
 * Go on with it.
 */
enum tag_state tag_step(struct tag *tag);

/**
 * tag_write(tag, text):
 * Write the tag, which is DONE, to ${text}, without a NUL.
 */
void tag_write(const struct tag *tag, char text[TAG_BYTES]);

/**
 * tag_end(tag):
 * Wait no more. All zeros is fine.
 */
void tag_end(struct tag *tag);

#endif
