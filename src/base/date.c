#include "base/date.h"

#include <stdio.h>

static const int month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool date_valid(struct date date)
{
    if (date.year < 0 || date.year > 9999 || date.month < 1 || date.month > 12 || date.day < 1)
        return false;
    int days = month_days[date.month - 1] + (date.month == 2 && is_leap(date.year));
    return date.day <= days;
}

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": days_from_civil. */
int32_t date_to_day(struct date date)
{
    int year = date.year - (date.month <= 2);
    int era = (year >= 0 ? year : year - 399) / 400;
    int year_of_era = year - era * 400;
    int day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

/* The same paper: civil_from_days. */
struct date date_of_day(int32_t day)
{
    int z = day + 719468;
    int era = (z >= 0 ? z : z - 146096) / 146097;
    int day_of_era = z - era * 146097;
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted = (5 * day_of_year + 2) / 153; /* months since March */
    int month = shifted < 10 ? shifted + 3 : shifted - 9;

    return (struct date){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * shifted + 2) / 5 + 1,
    };
}

char *date_iso(int32_t day, char text[11])
{
    struct date date = date_of_day(day);

    snprintf(text, 11, "%04u-%02u-%02u", (unsigned)date.year % 10000,
             (unsigned)date.month % 100, (unsigned)date.day % 100);
    return text;
}

/* Take exactly ${digits} digits off the front of ${s}. */
static int take(struct slice *s, int digits, int *value)
{
    *value = 0;
    if (s->len < (size_t)digits)
        return -1;
    for (int i = 0; i < digits; i++) {
        if (s->at[i] < '0' || s->at[i] > '9')
            return -1;
        *value = *value * 10 + (s->at[i] - '0');
    }
    s->at += digits;
    s->len -= (size_t)digits;
    return 0;
}

/* Take one byte that stands in ${set} off the front of ${s}; 0 if there is none. */
static char take_one(struct slice *s, const char *set)
{
    if (s->len == 0 || s->at[0] == '\0' || strchr(set, s->at[0]) == NULL)
        return '\0';
    s->len--;
    return *s->at++;
}

static int take_date(struct slice *s, int32_t *day)
{
    struct date date;

    if (take(s, 4, &date.year) || !take_one(s, "-") || take(s, 2, &date.month) ||
        !take_one(s, "-") || take(s, 2, &date.day) || !date_valid(date))
        return -1;
    *day = date_to_day(date);
    return 0;
}

int date_parse_iso(struct slice text, int32_t *day)
{
    return take_date(&text, day) == 0 && text.len == 0 ? 0 : -1;
}

/* One to nine decimals, as nanoseconds. */
static int take_fraction(struct slice *s, uint32_t *nanos)
{
    uint32_t value = 0;
    int digits = 0;

    for (; s->len > 0 && s->at[0] >= '0' && s->at[0] <= '9'; s->at++, s->len--) {
        if (++digits > 9)
            return -1;
        value = value * 10 + (uint32_t)(s->at[0] - '0');
    }
    if (digits == 0)
        return -1;
    for (; digits < 9; digits++)
        value *= 10;
    *nanos = value;
    return 0;
}

/* "Z" or "+05:30", as seconds to take away. */
static int take_zone(struct slice *s, int *offset)
{
    int hours, minutes;
    char sign = take_one(s, "Zz+-");

    *offset = 0;
    if (sign == 'Z' || sign == 'z')
        return 0;
    if (sign == '\0' || take(s, 2, &hours) || !take_one(s, ":") || take(s, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return -1;
    *offset = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return 0;
}

int date_parse_rfc3339(struct slice text, int64_t *seconds, uint32_t *nanos, bool *has_fraction)
{
    int32_t day;
    int hour, minute, second, offset;

    if (take_date(&text, &day) || !take_one(&text, "Tt ") || take(&text, 2, &hour) ||
        !take_one(&text, ":") || take(&text, 2, &minute) || !take_one(&text, ":") ||
        take(&text, 2, &second) || hour > 23 || minute > 59 || second > 60)
        return -1;
    *nanos = 0;
    *has_fraction = take_one(&text, ".") != '\0';
    if (*has_fraction && take_fraction(&text, nanos))
        return -1;
    if (take_zone(&text, &offset) || text.len != 0)
        return -1;
    *seconds = (int64_t)day * DATE_SECONDS + hour * 3600 + minute * 60 + second - offset;
    return 0;
}
