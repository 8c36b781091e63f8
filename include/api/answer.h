#ifndef API_ANSWER_H
#define API_ANSWER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/request.h"
#include "base/slice.h"
#include "base/text.h"
#include "base/waker.h"
#include "query/body.h"
#include "query/gather.h"
#include "query/plan.h"
#include "query/prepared.h"
#include "query/query.h"
#include "query/tag.h"
#include "query/ranking.h"
#include "query/survey.h"
#include "store/load.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "system/segment.h"
#include "system/stats.h"

/* What every endpoint needs: one for each worker. */
struct api {
    const struct config *config;
    struct store *store;
    struct prepared *prepared;     /* answers that are asked for again */
    const struct segment *segment; /* where all processes count; for /metrics */
    bool draining;                 /* connections end with their next answer */
    bool leaving;                  /* the server is stopping: nobody should come any more */
};

enum answer_state {
    ANSWER_READY,
    ANSWER_MORE, /* call route_more after others had their turn */
    ANSWER_WAIT, /* call route_more once the answer's waker was called */
};

/* What an answer can hold of what is known of all that is on disk. */
#define ANSWER_HELD 3

/* One answer, from the request to its last byte. Endpoints fill it in; whoever speaks the
 * protocol sends it. */
struct answer {
    struct arena arena;
    struct waker waker;     /* of whoever waits for it */
    struct failure failure; /* with a status: the answer is this error */

    enum stats_endpoint endpoint; /* as what it is counted */
    int status;
    const char *content_type; /* NULL: without a body */
    const char *allow;        /* the Allow header field; NULL: none */
    bool preflight;           /* say what browsers may do */
    bool chunked;             /* may be sent in chunks where the protocol has them */
    struct body body;
    bool tagged;          /* the whole body is like a file, of which tag tells */
    struct tag tag;       /* if it is tagged */
    uint64_t from, whole; /* of a 206: the body begins at byte ${from} of so many; of a 416:
                             there are so many */

    /* In the making. */
    bool planned;
    struct prepared_answer *prepared; /* held; NULL: it is made anew */
    struct query query;
    struct gather gather;
    struct plan plan;
    enum answer_state (*more)(struct api *api, struct answer *answer); /* goes on with it */

    /* Likewise, of answers about what is on disk. */
    struct load_waiter waiter;
    bool waited; /* something had to be read */
    struct snapshot *held[ANSWER_HELD];
    struct slice exchange; /* only this one; at is NULL: all */
    bool details;
    struct slice search_text;
    struct ranking *ranking; /* in the arena */
    struct survey *survey;   /* likewise; NULL: none */
    struct text text;        /* what is written of it so far */
};

/**
 * answer_init(answer, arena_bytes):
 * Make ${answer} ready for its first request, with a block of ${arena_bytes} that is kept
 * between requests.
 */
void answer_init(struct answer *answer, size_t arena_bytes);

/**
 * answer_memory(answer, status, content_type, body):
 * Answer with the bytes of ${body}, which must live as long as the answer.
 */
void answer_memory(struct answer *answer, int status, const char *content_type,
                   struct slice body);

/**
 * answer_file(answer, status, content_type, body, fd, offset):
 * The same where the bytes lie in the file ${fd}, too, from ${offset} on, which must live as
 * long and stay as it is: they are sent from there.
 */
void answer_file(struct answer *answer, int status, const char *content_type, struct slice body,
                 int fd, off_t offset);

/**
 * answer_failed(answer):
 * Turn the answer's failure into an answer: a line of JSON. Whatever it was before is let go.
 */
void answer_failed(struct answer *answer);

/**
 * answer_clear(answer):
 * Let go of everything but the first block of memory: ready for the next request.
 */
void answer_clear(struct answer *answer);

/**
 * answer_free(answer):
 * Let go of everything.
 */
void answer_free(struct answer *answer);

#endif
