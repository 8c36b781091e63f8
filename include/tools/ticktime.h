#ifndef TOOLS_TICKTIME_H
#define TOOLS_TICKTIME_H

#include <stdint.h>

#include "base/slice.h"

/* Times as they stand in a file, and what they count from. */

enum ticktime_unit {
    TICKTIME_S,
    TICKTIME_MS,
    TICKTIME_US,
    TICKTIME_NS,
    TICKTIME_RFC3339,
};

/**
 * ticktime_parse_unit(text, unit):
 * Read one of s ms us ns rfc3339. Returns 0, or -1 if it is none of them.
 */
int ticktime_parse_unit(struct slice text, enum ticktime_unit *unit);

/**
 * ticktime_unit_name(unit):
 * What ticktime_parse_unit reads.
 */
const char *ticktime_unit_name(enum ticktime_unit unit);

/**
 * ticktime_parse(text, unit, ns):
 * Read all of ${text} into ${ns}: digits, with decimals if need be (what is finer than a
 * nanosecond is dropped), or RFC 3339 with up to nine decimals. Returns 0, or -1 if it is no
 * such time or does not fit.
 */
int ticktime_parse(struct slice text, enum ticktime_unit unit, int64_t *ns);

/**
 * ticktime_hint(text, unit):
 * What may be the matter with a ${text} that ticktime_parse refused, to be put behind the
 * message that says so; "" if nothing comes to mind.
 */
const char *ticktime_hint(struct slice text, enum ticktime_unit unit);

#endif
