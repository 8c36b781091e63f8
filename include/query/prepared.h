#ifndef QUERY_PREPARED_H
#define QUERY_PREPARED_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "query/gather.h"
#include "query/plan.h"
#include "query/query.h"
#include "query/tag.h"
#include "store/day.h"
#include "store/lru.h"
#include "store/store.h"

/*
 * What was found out about queries that are asked again and again: which rows of which days,
 * the line that comes first, the tag. Asked once more, such a query is neither parsed nor
 * gathered nor planned.
 *
 * Only answers from closed days are kept, and one is used no longer than the looks at the disk
 * that it rests on are trusted ("revalidate"), nor after anything that it rests on was looked
 * at again: it is what the query would find if it were asked as a new one.
 *
 * Rows stay in their files and are sent from there. Only those picked at a distance, which are
 * dear to come by, are kept as well, and a page of rows at most, which costs less to have than
 * to ask its files for their lengths before each answer. A query is kept when it is asked for
 * the second time. All that is kept is bounded ("answer_cache"), the oldest use goes first. One
 * thread only.
 */

/* What is known of one query. Days are held only while an answer sends their rows. */
struct prepared_answer {
    struct lru_entry entry;
    struct prepared *owner;
    size_t bytes; /* of all of it */
    struct slice text;
    uint64_t checked; /* store time of the oldest look at the disk */
    int64_t kept;     /* the wall clock then; and ... */
    int64_t until;    /* ... when the calendar has the next day closed */
    unsigned framing; /* CONFIG_FRAMING_* */
    struct slice line;
    uint64_t data_bytes; /* of rows behind the line: in the files, or ... */
    bool copied;         /* ... in memory, where they follow the line's bytes */
    struct gather gather;
    struct plan plan;
    struct tag tag;         /* done */
    struct day_mark *marks; /* of the days that were looked at, whether they have rows or not */
    unsigned mark_count;
};

struct prepared;

/**
 * prepared_new(store, most):
 * Room for answers from ${store}, which must outlive it, in at most ${most} bytes; 0: none are
 * kept. NULL without memory. To be given to prepared_free.
 */
struct prepared *prepared_new(struct store *store, size_t most);

/**
 * prepared_find(prepared, text, again):
 * What is known of the query ${text} (query_parse's), if that can be used now: to be given to
 * prepared_release. Else NULL, and ${again} says whether it has been asked before, so that it
 * is to be kept.
 */
struct prepared_answer *prepared_find(struct prepared *prepared, struct slice text,
                                      bool *again);

/**
 * prepared_keep(prepared, text, query, gather, plan, line, data_bytes, tag):
 * Keep what was found out about the query ${text}, which is not known, if it is of a kind to be
 * kept: all of it is copied. ${gather} and ${tag} are done, and all was found out since the
 * last store_begin, so that nothing can have been looked at again in the meantime.
 */
void prepared_keep(struct prepared *prepared, struct slice text, const struct query *query,
                   const struct gather *gather, const struct plan *plan, struct slice line,
                   uint64_t data_bytes, const struct tag *tag);

/**
 * prepared_release(answer):
 * Undo a prepared_find; NULL is fine.
 */
void prepared_release(struct prepared_answer *answer);

/**
 * prepared_free(prepared):
 * Give back ${prepared}, of which nothing may be in use. NULL is fine.
 */
void prepared_free(struct prepared *prepared);

#endif
