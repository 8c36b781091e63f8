#ifndef T_PLANTED_H
#define T_PLANTED_H

/*
 * For t/races_planted, included before anything else: stores to shared memory that are plain
 * ones. If ThreadSanitizer did not report these, its silence about t/races would mean nothing.
 */

#include "system/shared.h"
#include "system/stats.h"

#define shared_store(at, value) ((void)(*(at) = (value)))

#endif
