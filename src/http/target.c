#include "http/target.h"

#include <string.h>
#include <strings.h>

/* Targets are long: no branch for each byte, so that the compiler takes many at once. */
bool target_sound(struct slice target)
{
    unsigned char bad_byte = 0;

    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.at[i];

        bad_byte |= (unsigned char)((c <= 0x20) | (c >= 0x7f) | (c == '#'));
    }
    return !bad_byte;
}

int target_check(struct slice target, uint64_t most, struct failure *failure)
{
    if (target.len > most)
        return failure_set(failure, 414, NULL, "the target is longer than %llu bytes",
                           (unsigned long long)most);
    if (target.len == 0)
        return failure_set(failure, 400, NULL, "the request line has no target");
    if (!target_sound(target))
        return failure_set(failure, 400, NULL,
                           "the target has a byte that must be percent-encoded");
    return 0;
}

/* How long the scheme of an absolute target is; 0: it is not absolute. A proxy that has taken
 * off the TLS may pass on what the client asked it for. */
static size_t scheme_bytes(struct slice target)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        size_t len = strlen(schemes[i]);

        if (target.len > len && strncasecmp(target.at, schemes[i], len) == 0)
            return len;
    }
    return 0;
}

/* RFC 9112 section 3.2: origin-form, absolute-form, or "*" of OPTIONS. */
int target_split(struct slice target, struct request *request)
{
    size_t scheme = scheme_bytes(target);

    if (scheme > 0) {
        const char *path = memchr(target.at + scheme, '/', target.len - scheme);
        const char *query = memchr(target.at + scheme, '?', target.len - scheme);

        if (path == NULL || (query != NULL && query < path))
            path = query == NULL ? target.at + target.len : query;
        if (path == target.at + scheme)
            return -1;
        target.len -= (size_t)(path - target.at);
        target.at = path;
        if (target.len == 0 || *target.at == '?') {
            request->path = SLICE("/");
            slice_cut(target, '?', &request->query);
            return 0;
        }
    } else if (!(target.at[0] == '/' ||
                 (request->method == REQUEST_OPTIONS && slice_is(target, "*")))) {
        return -1;
    }
    request->path = slice_cut(target, '?', &request->query);
    return 0;
}
