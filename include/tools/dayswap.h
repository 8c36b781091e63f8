#ifndef TOOLS_DAYSWAP_H
#define TOOLS_DAYSWAP_H

#include <stdint.h>

#include "tools/columns.h"
#include "tools/seriesdir.h"

/**
 * dayswap_run(series, columns, day):
 * Make the temporary files of ${day}, one for each of ${columns}, the day. Its old `time` goes
 * first and the new one comes last, with all columns of the old day that are not in ${columns}
 * gone by then, and each step is on the disk before the next: whoever looks, also after a kill
 * or a power failure, finds the old day, no day, or the new one. Returns 0, or -1 after a
 * message.
 */
int dayswap_run(const struct seriesdir *series, const struct columns *columns, int32_t day);

#endif
