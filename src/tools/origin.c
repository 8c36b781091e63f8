#include "tools/origin.h"

#include "base/date.h"
#include "tools/ticktime.h"

#define DAY_NS (DATE_SECONDS * INT64_C(1000000000))

/* Whether ${pattern} goes on with ${letters}. */
static bool starts(struct slice pattern, const char *letters)
{
    size_t len = strlen(letters);

    return pattern.len >= len && memcmp(pattern.at, letters, len) == 0;
}

static struct slice without(struct slice s, size_t n)
{
    return (struct slice){ s.at + n, s.len - n };
}

static bool contains(struct slice s, const char *letters)
{
    for (; s.len > 0; s = without(s, 1)) {
        if (starts(s, letters))
            return true;
    }
    return false;
}

/* The zone at the end of a pattern, Z or +05:00: its length and its offset; 0 if none. */
static size_t zone_at_end(struct slice pattern, int64_t *ns)
{
    static const size_t lengths[] = { 1, 6 };
    char text[32] = "1970-01-01T00:00:00";

    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        size_t len = lengths[i];

        if (pattern.len < len)
            continue;
        memcpy(text + 19, pattern.at + pattern.len - len, len);
        if (ticktime_parse((struct slice){ text, 19 + len }, TICKTIME_RFC3339, ns) == 0)
            return len;
    }
    return 0;
}

const char *origin_parse(const char *text, struct origin *origin)
{
    struct slice all = slice_of(text);

    if (!starts(all, "name:")) {
        origin->pattern = (struct slice){ NULL, 0 };
        if (ticktime_parse(all, TICKTIME_RFC3339, &origin->ns))
            return "give a time as 2014-05-01T00:00:00-05:00, or a pattern of the file's name "
                   "as name:YYYYMMDD-05:00";
        return NULL;
    }
    origin->pattern = without(all, 5);
    size_t zone = zone_at_end(origin->pattern, &origin->ns);
    if (zone == 0)
        return "the pattern must end in the zone of that midnight, Z or as -05:00";
    origin->pattern.len -= zone;
    if (!contains(origin->pattern, "YYYY") || !contains(origin->pattern, "MM") ||
        !contains(origin->pattern, "DD"))
        return "the pattern needs YYYY, MM and DD";
    return NULL;
}

static int take_digits(struct slice *name, size_t digits, int *value)
{
    *value = 0;
    if (name->len < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        if (name->at[i] < '0' || name->at[i] > '9')
            return -1;
        *value = *value * 10 + (name->at[i] - '0');
    }
    *name = without(*name, digits);
    return 0;
}

/* Whether ${pattern} fits the front of ${name}, and the date there. */
static bool fits(struct slice pattern, struct slice name, struct date *date)
{
    while (pattern.len > 0) {
        int *part = starts(pattern, "YYYY") ? &date->year
                    : starts(pattern, "MM") ? &date->month
                    : starts(pattern, "DD") ? &date->day
                                            : NULL;
        size_t len = part == NULL ? 1 : part == &date->year ? 4 : 2;

        if (part != NULL) {
            if (take_digits(&name, len, part))
                return false;
        } else {
            if (name.len == 0 || name.at[0] != pattern.at[0])
                return false;
            name = without(name, 1);
        }
        pattern = without(pattern, len);
    }
    return date_valid(*date);
}

int origin_of_file(const struct origin *origin, const char *path, int64_t *ns)
{
    const char *slash = strrchr(path, '/');
    struct slice name = slice_of(slash == NULL ? path : slash + 1);
    struct date date;

    if (origin->pattern.at == NULL) {
        *ns = origin->ns;
        return 0;
    }
    for (; name.len > 0; name = without(name, 1)) {
        if (fits(origin->pattern, name, &date)) {
            *ns = date_to_day(date) * DAY_NS + origin->ns;
            return 0;
        }
    }
    return -1;
}
