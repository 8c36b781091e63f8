#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * UTC days, counted from 1970-01-01 (day 0), and their calendar dates (proleptic Gregorian).
 * Plain arithmetic: no time zone, no locale, no allocation.
 */

#define DATE_SECONDS 86400

/* The days a file name can carry: its two-digit year means 2000-2099. */
#define DATE_FIRST 10957 /* 2000-01-01 */
#define DATE_LAST 47481  /* 2099-12-31 */

struct date {
    int year, month, day; /* month 1-12, day 1-31 */
};

/**
 * date_valid(date):
 * Whether ${date} exists in the calendar (year 0-9999).
 */
bool date_valid(struct date date);

/**
 * date_to_day(date):
 * The day number of ${date}, which must be valid.
 */
int32_t date_to_day(struct date date);

/**
 * date_of_day(day):
 * The calendar date of the day number ${day}.
 */
struct date date_of_day(int32_t day);

/**
 * date_iso(day, text):
 * Write ${day} as "2025-01-31" and a NUL to ${text}; returns ${text}.
 */
char *date_iso(int32_t day, char text[11]);

/**
 * date_parse_iso(text, day):
 * Read "2025-01-31", all of ${text}, into ${day}. Returns 0, or -1 if it is no such date.
 */
int date_parse_iso(struct slice text, int32_t *day);

/**
 * date_parse_rfc3339(text, seconds, nanos, has_fraction):
 * Read a whole RFC 3339 date-time (section 5.6; 'T' may be a space; one to nine decimals of
 * a second) into ${seconds} since the epoch and ${nanos}; ${has_fraction} says whether decimals
 * were written at all. A leap second is the second after it. Returns 0, or -1 if it is no such
 * time.
 */
int date_parse_rfc3339(struct slice text, int64_t *seconds, uint32_t *nanos,
                       bool *has_fraction);

#endif
