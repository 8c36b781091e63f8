#ifndef QUERY_BODY_H
#define QUERY_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/piece.h"
#include "base/slice.h"
#include "query/gather.h"
#include "query/plan.h"
#include "store/warm.h"

/*
 * The body of an answer, handed out piece by piece: some memory, and after it, if there is a
 * plan, the rows of the plan, column after column. Rows that lie together in a file are handed
 * out where they are mapped; rows of a step, and of a day whose times step back, are copied
 * together. Nothing is handed out or touched that is not in memory, as far as is known.
 */

/* What a batch of pieces refers to: files to look at once the pieces were handed over, and days
 * to let go. */
#define BODY_BATCH 64

struct body_use {
    struct day *day;
    const struct dayfile *file;
    unsigned place; /* its column's, in the series */
    uint64_t
        size; /* bytes that the file must still have, if these were its last rows; else 0 */
};

struct body {
    struct slice lead;
    int lead_fd; /* the file that it is better sent from; -1: none */
    off_t lead_offset;
    uint64_t length; /* bytes of everything */
    bool cut;        /* only a part of what there was: */
    bool by_file;    /* see body_by_file */
    uint64_t left;   /* bytes not handed out yet */
    uint64_t begun;  /* bytes of the next row that are not wanted */

    struct gather *gather; /* NULL: only the lead */
    const struct plan *plan;
    struct arena *arena;
    struct warm_wait wait; /* of who takes the pieces */

    /* The next row: of a column, of a day of the plan. */
    unsigned column, day;
    uint64_t taken;  /* rows of that day handed out, or cut off */
    bool placed;     /* these are known, of rows that are picked from among others: */
    uint64_t row;    /* where the next one is looked for */
    uint64_t passed; /* rows of the range passed before it */

    char *scratch; /* of copied rows, in the arena */
    size_t scratch_used;
    unsigned use_count;
    struct body_use uses[BODY_BATCH];
};

/**
 * body_of(body, lead):
 * Make ${body} one of the bytes of ${lead} only.
 */
void body_of(struct body *body, struct slice lead);

/**
 * body_of_file(body, lead, fd, offset):
 * The same where these bytes lie in the file ${fd} as well, from ${offset} on, from which they
 * are better sent.
 */
void body_of_file(struct body *body, struct slice lead, int fd, off_t offset);

/**
 * body_of_rows(body, lead, gather, plan, data_bytes, arena):
 * Make ${body} one of ${lead} and, behind it, the ${data_bytes} bytes of the rows of ${plan}
 * from the files of ${gather}; all of them, and ${arena}, must outlive the body. To be ended
 * with body_end.
 */
void body_of_rows(struct body *body, struct slice lead, struct gather *gather,
                  const struct plan *plan, uint64_t data_bytes, struct arena *arena);

/**
 * body_cut(body, from, to):
 * Have only the bytes of ${body} from ${from} on and before ${to} handed out; there must be
 * some, and none may have been handed out yet. What lies before them is not read, but for the
 * times of a day whose rows have to be picked.
 */
void body_cut(struct body *body, uint64_t from, uint64_t to);

enum body_state {
    BODY_PIECES, /* there are some */
    BODY_END,    /* there was nothing left */
    BODY_WAIT,   /* they are being read: the waker is woken when this is to be called again */
    BODY_BROKEN, /* the rest cannot be had as it was promised (logged) */
};

/* Bytes that lie together in a file from which on it can be better to send them from the file
 * than from memory. See bench/BENCHMARKS.md. */
#define BODY_LARGE (1 << 20)

/**
 * body_by_file(body):
 * Hand out rows that lie together for BODY_LARGE or more with the descriptor of their file, to
 * be sent without being copied: only such pieces have one, and each is the last of its batch.
 */
void body_by_file(struct body *body);

/**
 * body_next(body, pieces, most, quota, count):
 * Hand out the next bytes, at most about ${quota} of them, as up to ${most} ${pieces}, which
 * are valid until body_sent, and store in ${count} how many.
 */
enum body_state body_next(struct body *body, struct piece *pieces, int most, uint64_t quota,
                          int *count);

/**
 * body_wakes(body, waker):
 * Have ${waker} woken after BODY_WAIT. To be called before the first body_next if the store has
 * helpers.
 */
void body_wakes(struct body *body, struct waker waker);

/**
 * body_whole(body):
 * Whether the files whose last rows the last body_next handed out still have them; if not, that
 * is logged.
 */
bool body_whole(struct body *body);

/**
 * body_lost(body):
 * What the last body_next handed out could not be read: whoever asks for the days it is of next
 * is to have them opened anew.
 */
void body_lost(struct body *body);

/**
 * body_sent(body):
 * The pieces of the last body_next are not needed any more.
 */
void body_sent(struct body *body);

/**
 * body_end(body):
 * Let go of everything, at any time. All zeros is fine.
 */
void body_end(struct body *body);

#endif
