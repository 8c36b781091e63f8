#include "query/instant.h"

#include <errno.h>
#include <stdbool.h>

#include "base/date.h"
#include "base/num.h"

#define FORMS "Unix seconds, an RFC 3339 time such as 2025-01-31T07:22:00Z, or a date"

static bool looks_like_milliseconds(uint64_t value)
{
    /* From 1973 to 5138, as milliseconds. */
    return value >= UINT64_C(100000000000) && value < UINT64_C(100000000000000);
}

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    return text.len > 0;
}

static int out_of_range(struct slice text, const char *parameter, struct failure *failure)
{
    char quoted[FAILURE_QUOTED];

    return failure_set(failure, 400, parameter,
                       "%s: %s is outside 1970-01-01T00:00:00Z to 2106-02-07T06:28:15Z",
                       parameter, failure_quote(text, quoted));
}

/* What is wrong with a number that is no Unix second. */
static int refuse_number(struct slice text, const char *parameter, struct failure *failure)
{
    char quoted[FAILURE_QUOTED];
    uint64_t value;

    if (num_parse(text, &value) == 0 && looks_like_milliseconds(value))
        return failure_set(failure, 400, parameter,
                           "%s: %s looks like milliseconds; times are Unix seconds", parameter,
                           failure_quote(text, quoted));
    return out_of_range(text, parameter, failure);
}

/* Whether only a zone lacks to make it a time. */
static bool lacks_zone(struct slice text)
{
    char zoned[sizeof("2025-01-31T07:22:00.123456789Z")];
    bool has_fraction;
    int64_t seconds;
    uint32_t nanos;

    if (text.len == 0 || text.len > sizeof(zoned) - 2)
        return false;
    memcpy(zoned, text.at, text.len);
    zoned[text.len] = 'Z';
    return date_parse_rfc3339((struct slice){ zoned, text.len + 1 }, &seconds, &nanos,
                              &has_fraction) == 0;
}

/* What is wrong with what is neither a number nor a time. */
static int refuse_form(struct slice text, const char *parameter, struct failure *failure)
{
    char quoted[FAILURE_QUOTED];

    failure_quote(text, quoted);
    if (lacks_zone(text))
        return failure_set(failure, 400, parameter,
                           "%s: '%s' has no time zone: write %sZ for UTC, or an offset such as "
                           "+01:00 behind it",
                           parameter, quoted, quoted);
    return failure_set(failure, 400, parameter, "%s: '%s' is not %s", parameter, quoted, FORMS);
}

int instant_parse(struct slice text, const char *parameter, int is_end, struct instant *instant,
                  struct failure *failure)
{
    uint32_t whole = is_end ? INSTANT_LAST_NANO : 0;
    uint64_t number;
    int64_t seconds;
    int32_t day;
    bool has_fraction = false;

    instant->nanos = whole;
    if (num_parse(text, &number) == 0 && number <= UINT32_MAX) {
        instant->second = (uint32_t)number;
        return 0;
    }
    if (all_digits(text))
        return refuse_number(text, parameter, failure);
    if (text.len > 1 && text.at[0] == '-' &&
        all_digits((struct slice){ text.at + 1, text.len - 1 }))
        return out_of_range(text, parameter, failure);

    if (date_parse_iso(text, &day) == 0) {
        seconds = (int64_t)day * DATE_SECONDS + (is_end ? DATE_SECONDS - 1 : 0);
    } else if (date_parse_rfc3339(text, &seconds, &instant->nanos, &has_fraction) == 0) {
        if (!has_fraction)
            instant->nanos = whole;
    } else {
        return refuse_form(text, parameter, failure);
    }
    if (seconds < 0 || seconds > UINT32_MAX)
        return out_of_range(text, parameter, failure);
    instant->second = (uint32_t)seconds;
    return 0;
}
