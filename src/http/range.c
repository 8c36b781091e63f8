#include "http/range.h"

#include <errno.h>
#include <strings.h>

#include "base/num.h"

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The only element of a list, of which empty ones do not count; without bytes if there are none
 * or several. */
static struct slice only_one(struct slice list)
{
    struct slice found = { NULL, 0 };

    while (list.at != NULL) {
        struct slice element = trim(slice_cut(list, ',', &list));

        if (element.len == 0)
            continue;
        if (found.len > 0)
            return (struct slice){ NULL, 0 };
        found = element;
    }
    return found;
}

/* A number; one that is too large is as good as the largest. */
static int parse_place(struct slice text, uint64_t *place)
{
    if (num_parse(text, place) == 0)
        return 0;
    *place = UINT64_MAX;
    return errno == ERANGE ? 0 : -1;
}

enum range_result range_parse(struct slice value, uint64_t length, uint64_t *from, uint64_t *to)
{
    struct slice last, first;
    uint64_t place, end = UINT64_MAX;

    if (value.len < 6 || strncasecmp(value.at, "bytes=", 6) != 0)
        return RANGE_NONE;
    first = slice_cut(only_one((struct slice){ value.at + 6, value.len - 6 }), '-', &last);
    if (last.at == NULL)
        return RANGE_NONE;
    if (first.len == 0) {
        if (parse_place(last, &place))
            return RANGE_NONE;
        if (place == 0 || length == 0)
            return RANGE_OUTSIDE;
        *from = place < length ? length - place : 0;
        *to = length;
        return RANGE_ONE;
    }
    if (parse_place(first, &place) || (last.len > 0 && parse_place(last, &end)) || end < place)
        return RANGE_NONE;
    if (place >= length)
        return RANGE_OUTSIDE;
    *from = place;
    *to = end < length ? end + 1 : length;
    return RANGE_ONE;
}
