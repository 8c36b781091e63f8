#ifndef TOOLS_STATJSON_H
#define TOOLS_STATJSON_H

#include <stdio.h>

#include "tools/statview.h"

/**
 * statjson_print(out, view):
 * Write the figures of ${view} as one JSON object, which tickstat(1) describes, to ${out}.
 * Returns 0, or -1 if that failed.
 */
int statjson_print(FILE *out, const struct statview *view);

#endif
