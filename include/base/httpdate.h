#ifndef BASE_HTTPDATE_H
#define BASE_HTTPDATE_H

#include <stdint.h>

#include "base/slice.h"

/* Dates as HTTP has them (RFC 9110 section 5.6.7), in seconds since the epoch. */

#define HTTPDATE_BYTES 29

/**
 * httpdate_write(seconds, text):
 * Write ${seconds}, in the years 1970 to 9999, to ${text} as "Sun, 06 Nov 1994 08:49:37 GMT",
 * without a NUL.
 */
void httpdate_write(int64_t seconds, char text[HTTPDATE_BYTES]);

/**
 * httpdate_parse(text, now, seconds):
 * Read all of ${text}, in any of the three forms, into ${seconds}. A year of two digits is the
 * one that is at most 50 years after ${now}. Returns 0, or -1 if it is no date.
 */
int httpdate_parse(struct slice text, int64_t now, int64_t *seconds);

#endif
