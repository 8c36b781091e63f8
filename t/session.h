#ifndef T_SESSION_H
#define T_SESSION_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/failure.h"
#include "files.h"
#include "query/body.h"
#include "query/gather.h"
#include "query/plan.h"
#include "query/query.h"
#include "store/store.h"

/* A store on files_root, and one query at a time, step by step as the server takes them. */
struct session {
    struct config *config;
    struct store *store;
    uint64_t now; /* its clock; to be moved by session_later only */
    int64_t wall;
    struct arena arena;
    struct failure failure;
    struct query query;
    struct gather gather;
    struct plan plan;
    struct body body;
    struct slice line;
    uint64_t data_bytes;
};

/**
 * session_begin(session, config):
 * Begin with an empty store, at FILES_WALL. ${config}, of files_config, is the session's.
 */
void session_begin(struct session *session, struct config *config);

/**
 * session_begin_with(session, config, facts, helper):
 * The same, with a view of shared ${facts} and with a ${helper} (NULL: none), which must
 * outlive the session.
 */
void session_begin_with(struct session *session, struct config *config,
                        const struct facts *facts, struct helper *helper);

/**
 * session_later(session, ms):
 * Let time pass.
 */
void session_later(struct session *session, uint64_t ms);

/**
 * session_query(session, text):
 * Take the query ${text} up to where its body can be had, waiting for what has to be waited
 * for. Returns 0, or -1 with session->failure. Afterwards, session_done.
 */
int session_query(struct session *session, const char *text);

/**
 * session_body(session, len):
 * All bytes of the body, in memory to be freed; and their number in ${len}. NULL if it broke
 * off.
 */
char *session_body(struct session *session, size_t *len);

/**
 * session_done(session):
 * Let go of the query.
 */
void session_done(struct session *session);

/**
 * session_end(session):
 * Let go of everything; nothing may be left open.
 */
void session_end(struct session *session);

#endif
