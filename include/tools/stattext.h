#ifndef TOOLS_STATTEXT_H
#define TOOLS_STATTEXT_H

#include <stdio.h>

#include "tools/statview.h"

/**
 * stattext_print(out, view, before):
 * Write the figures of ${view} as a table of processes and a list of all counters to ${out}.
 * Rates, ratios and times are those since ${before}; if that is NULL, since each process began.
 */
void stattext_print(FILE *out, const struct statview *view, const struct statview *before);

#endif
