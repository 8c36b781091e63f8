#include "base/httpdate.h"

#include "base/date.h"

static const char weekdays[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void write_two(char *to, int number)
{
    to[0] = (char)('0' + number / 10);
    to[1] = (char)('0' + number % 10);
}

void httpdate_write(int64_t seconds, char text[HTTPDATE_BYTES])
{
    int32_t day = (int32_t)(seconds / DATE_SECONDS);
    int rest = (int)(seconds % DATE_SECONDS);
    struct date date = date_of_day(day);

    memcpy(text, "Sun, 00 Jan 0000 00:00:00 GMT", HTTPDATE_BYTES);
    memcpy(text, weekdays + (day + 4) % 7 * 3, 3);
    write_two(text + 5, date.day);
    memcpy(text + 8, months + (date.month - 1) * 3, 3);
    write_two(text + 12, date.year / 100);
    write_two(text + 14, date.year % 100);
    write_two(text + 17, rest / 3600);
    write_two(text + 20, rest / 60 % 60);
    write_two(text + 23, rest % 60);
}

/* What was read of a date. */
struct parts {
    struct date date;
    int hour, minute, second;
};

/* Take a number of exactly ${digits} digits off the front of ${s}. */
static int take_number(struct slice *s, int digits, int *value)
{
    *value = 0;
    if (s->len < (size_t)digits)
        return -1;
    for (int i = 0; i < digits; i++) {
        char c = *s->at++;

        if (c < '0' || c > '9')
            return -1;
        *value = *value * 10 + (c - '0');
    }
    s->len -= (size_t)digits;
    return 0;
}

static int take_text(struct slice *s, const char *text)
{
    size_t len = strlen(text);

    if (s->len < len || memcmp(s->at, text, len) != 0)
        return -1;
    s->at += len;
    s->len -= len;
    return 0;
}

/* The place of the three letters ahead in a list of such. */
static int take_name(struct slice *s, const char *names, int *place)
{
    for (*place = 0; s->len >= 3 && names[*place * 3] != '\0'; ++*place) {
        if (memcmp(s->at, names + *place * 3, 3) == 0) {
            s->at += 3;
            s->len -= 3;
            return 0;
        }
    }
    return -1;
}

static int take_month(struct slice *s, struct parts *parts)
{
    int place;

    if (take_name(s, months, &place))
        return -1;
    parts->date.month = place + 1;
    return 0;
}

static int take_clock(struct slice *s, struct parts *parts)
{
    return take_number(s, 2, &parts->hour) || take_text(s, ":") ||
                   take_number(s, 2, &parts->minute) || take_text(s, ":") ||
                   take_number(s, 2, &parts->second) || parts->hour > 23 ||
                   parts->minute > 59 || parts->second > 60
               ? -1
               : 0;
}

/* What follows "Sun, " of "Sun, 06 Nov 1994 08:49:37 GMT". */
static int take_fixed(struct slice *s, struct parts *parts)
{
    return take_number(s, 2, &parts->date.day) || take_text(s, " ") || take_month(s, parts) ||
           take_text(s, " ") || take_number(s, 4, &parts->date.year) || take_text(s, " ") ||
           take_clock(s, parts) || take_text(s, " GMT");
}

/* What follows "Sun" of "Sunday, 06-Nov-94 08:49:37 GMT". */
static int take_old(struct slice *s, int64_t now, struct parts *parts)
{
    int year_now = date_of_day((int32_t)(now / DATE_SECONDS)).year;
    struct slice rest;

    slice_cut(*s, ',', &rest);
    if (rest.at == NULL)
        return -1;
    *s = rest;
    if (take_text(s, " ") || take_number(s, 2, &parts->date.day) || take_text(s, "-") ||
        take_month(s, parts) || take_text(s, "-") || take_number(s, 2, &parts->date.year) ||
        take_text(s, " ") || take_clock(s, parts) || take_text(s, " GMT"))
        return -1;
    parts->date.year += year_now - year_now % 100 + 100;
    while (parts->date.year > year_now + 50)
        parts->date.year -= 100;
    return 0;
}

/* What follows "Sun " of "Sun Nov  6 08:49:37 1994". */
static int take_asctime(struct slice *s, struct parts *parts)
{
    if (take_month(s, parts) || take_text(s, " "))
        return -1;
    bool one_digit = take_text(s, " ") == 0;
    return take_number(s, one_digit ? 1 : 2, &parts->date.day) || take_text(s, " ") ||
           take_clock(s, parts) || take_text(s, " ") || take_number(s, 4, &parts->date.year);
}

int httpdate_parse(struct slice text, int64_t now, int64_t *seconds)
{
    struct parts parts = { 0 };
    int weekday;
    int failed = take_name(&text, weekdays, &weekday);

    if (failed)
        return -1;
    if (take_text(&text, ", ") == 0)
        failed = take_fixed(&text, &parts);
    else if (take_text(&text, " ") == 0)
        failed = take_asctime(&text, &parts);
    else
        failed = take_old(&text, now, &parts);
    if (failed || text.len > 0 || !date_valid(parts.date))
        return -1;
    *seconds = (int64_t)date_to_day(parts.date) * DATE_SECONDS + parts.hour * 3600 +
               parts.minute * 60 + parts.second;
    return 0;
}
