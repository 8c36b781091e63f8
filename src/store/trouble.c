#include "store/trouble.h"

#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "store/lru.h"

#define AGAIN 3600000 /* milliseconds */

static uint64_t hash_of(const char *text, uint64_t seed)
{
    return lru_hash(text, strlen(text), seed);
}

static struct trouble *find(struct troubles *troubles, uint64_t what)
{
    for (unsigned i = 0; i < troubles->count; i++) {
        if (troubles->rows[i].what == what)
            return &troubles->rows[i];
    }
    return NULL;
}

/* A row for one more: of the trouble told longest ago if there is none left. */
static struct trouble *make_room(struct troubles *troubles)
{
    struct trouble *oldest = &troubles->rows[0];

    if (troubles->count < TROUBLES_MAX)
        return &troubles->rows[troubles->count++];
    for (unsigned i = 1; i < TROUBLES_MAX; i++) {
        if (troubles->rows[i].told < oldest->told)
            oldest = &troubles->rows[i];
    }
    return oldest;
}

void trouble_tell(struct troubles *troubles, uint64_t now, enum trouble_kind kind,
                  const char *path, const char *reason)
{
    struct trouble met = { .what = hash_of(path, kind), .reason = hash_of(reason, 0), now };
    struct trouble *known = find(troubles, met.what);

    if (known != NULL && known->reason == met.reason && now - known->told < AGAIN)
        return;
    *(known != NULL ? known : make_room(troubles)) = met;
    log_error("%s%s", kind == TROUBLE_DAMAGE ? "damaged day: " : "", reason);
}

void trouble_over(struct troubles *troubles, enum trouble_kind kind, const char *path)
{
    struct trouble *known = find(troubles, hash_of(path, kind));

    if (known == NULL)
        return;
    *known = troubles->rows[--troubles->count];
    log_notice("%s: no trouble with it any more", path);
}
