#ifndef STORE_TROUBLE_H
#define STORE_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the log was told of files that cannot be served: so that it gets a line when that
 * begins, when it becomes something else and when it is over, however many requests meet with
 * it. One that still is met with is told again once an hour, as logs are rotated. A worker
 * keeps its own, of a fixed size: with more, those told longest ago make room, and may be told
 * again.
 */

#define TROUBLES_MAX 256

/* A path can have one of each. */
enum trouble_kind {
    TROUBLE_READING, /* it cannot be opened or read */
    TROUBLE_LISTING, /* likewise, as a directory whose files are counted */
    TROUBLE_DAMAGE,  /* it does not fit to the other files of its day */
};

struct trouble {
    uint64_t what;   /* hash of the kind and the path */
    uint64_t reason; /* hash of the words */
    uint64_t told;   /* when, in milliseconds */
};

/* All zeros: none. */
struct troubles {
    unsigned count;
    struct trouble rows[TROUBLES_MAX];
};

/**
 * trouble_tell(troubles, now, kind, path, reason):
 * At the time ${now} (clock_ms), somebody has met with trouble of this ${kind} with the file
 * ${path}: log the ${reason}, as an error, if that is news.
 */
void trouble_tell(struct troubles *troubles, uint64_t now, enum trouble_kind kind,
                  const char *path, const char *reason);

/**
 * trouble_known(troubles):
 * Whether there is any: only then there is something to be over.
 */
static inline bool trouble_known(const struct troubles *troubles)
{
    return troubles->count > 0;
}

/**
 * trouble_over(troubles, kind, path):
 * ${path} was found without trouble of this ${kind}: log that if there was some.
 */
void trouble_over(struct troubles *troubles, enum trouble_kind kind, const char *path);

#endif
