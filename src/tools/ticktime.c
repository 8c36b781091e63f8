#include "tools/ticktime.h"

#include "base/date.h"

#define BILLION 1000000000

static const struct {
    const char *name;
    unsigned decimals; /* how many make nanoseconds of it */
} units[] = {
    [TICKTIME_S] = { "s", 9 },
    [TICKTIME_MS] = { "ms", 6 },
    [TICKTIME_US] = { "us", 3 },
    [TICKTIME_NS] = { "ns", 0 },
    [TICKTIME_RFC3339] = { "rfc3339", 0 },
};

int ticktime_parse_unit(struct slice text, enum ticktime_unit *unit)
{
    for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (slice_is(text, units[i].name)) {
            *unit = (enum ticktime_unit)i;
            return 0;
        }
    }
    return -1;
}

const char *ticktime_unit_name(enum ticktime_unit unit)
{
    return units[unit].name;
}

static int parse_rfc3339(struct slice text, int64_t *ns)
{
    int64_t seconds;
    uint32_t nanos;
    bool has_fraction;

    if (date_parse_rfc3339(text, &seconds, &nanos, &has_fraction) ||
        __builtin_mul_overflow(seconds, BILLION, ns) || __builtin_add_overflow(*ns, nanos, ns))
        return -1;
    return 0;
}

/* Take digits off the front of ${text}, at most ${most}, onto the end of ${value}. */
static int take_digits(struct slice *text, size_t most, uint64_t *value, size_t *taken)
{
    size_t n = 0;

    for (; n < text->len && n < most; n++) {
        unsigned digit = (unsigned char)(text->at[n] - '0');

        if (digit > 9)
            break;
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, digit, value))
            return -1;
    }
    text->at += n;
    text->len -= n;
    *taken = n;
    return 0;
}

/* Drop digits off the front of ${text}. */
static size_t drop_digits(struct slice *text)
{
    size_t n = 0;

    while (n < text->len && text->at[n] >= '0' && text->at[n] <= '9')
        n++;
    text->at += n;
    text->len -= n;
    return n;
}

int ticktime_parse(struct slice text, enum ticktime_unit unit, int64_t *ns)
{
    size_t finer = units[unit].decimals, whole, decimals = 0;
    uint64_t value = 0;

    if (unit == TICKTIME_RFC3339)
        return parse_rfc3339(text, ns);
    if (take_digits(&text, SIZE_MAX, &value, &whole) || whole == 0)
        return -1;
    if (text.len > 0 && text.at[0] == '.') {
        text.at++;
        text.len--;
        if (take_digits(&text, finer, &value, &decimals) || drop_digits(&text) + decimals == 0)
            return -1;
    }
    for (; decimals < finer; decimals++) {
        if (__builtin_mul_overflow(value, 10, &value))
            return -1;
    }
    if (text.len > 0 || value > INT64_MAX)
        return -1;
    *ns = (int64_t)value;
    return 0;
}

/* Whether ${text} is a time as RFC 3339 wants it but for the zone. */
static bool lacks_zone(struct slice text)
{
    char zoned[32];
    int64_t ns;

    if (text.len >= sizeof(zoned))
        return false;
    memcpy(zoned, text.at, text.len);
    zoned[text.len] = 'Z';
    return parse_rfc3339((struct slice){ zoned, text.len + 1 }, &ns) == 0;
}

const char *ticktime_hint(struct slice text, enum ticktime_unit unit)
{
    int64_t ns;

    for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (i != unit && ticktime_parse(text, (enum ticktime_unit)i, &ns) == 0)
            return " (is its unit right?)";
    }
    if (lacks_zone(text))
        return unit == TICKTIME_RFC3339 ? ": its zone is missing, Z or as -05:00"
                                        : " (is its unit right?)";
    return "";
}
