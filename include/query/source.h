#ifndef QUERY_SOURCE_H
#define QUERY_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "query/body.h"

/* Where a body comes to: the rows of one column of one day of its plan. */

struct source {
    const struct gather_day *facts;
    const struct plan_day *planned;
    struct day *day; /* held */
    struct dayfile *file;
    struct dayfile *nanos_file; /* NULL: not needed */
    unsigned place;
    uint64_t size; /* bytes of a record */
    uint64_t left; /* rows to go on with */
    bool dense;    /* all rows between the first and the last one are in the range */
    bool together; /* the rows to send lie side by side in the file */
};

/**
 * source_open(body, source):
 * Make ${source} that of the cursor of ${body}: BODY_PIECES, and its day is held, to be given
 * to day_release; BODY_WAIT; or BODY_BROKEN (logged).
 */
enum body_state source_open(struct body *body, struct source *source);

/**
 * source_next_row(body, source):
 * The row to go on with, where the rows are dense.
 */
static inline uint64_t source_next_row(const struct body *body, const struct source *source)
{
    return source->facts->span.from + source->planned->skip + body->taken * body->plan->step;
}

/**
 * source_warm(body, source, rows, wait):
 * Whether what the next ${rows} rows, which are dense, touch of the column is in memory; if
 * not, ${wait} is woken when it is (NULL: nobody).
 */
bool source_warm(struct body *body, const struct source *source, uint64_t rows,
                 struct warm_wait *wait);

/**
 * source_copy(body, source, to, room, copied):
 * Copy the next rows, ${room} of them at most, to ${to}, and store in ${copied} how many; the
 * cursor stays. BODY_PIECES; BODY_WAIT, until the body's waker is called; or BODY_BROKEN
 * (logged).
 */
enum body_state source_copy(struct body *body, const struct source *source, char *to,
                            uint64_t room, uint64_t *copied);

#endif
