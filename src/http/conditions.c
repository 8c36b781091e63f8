#include "http/conditions.h"

#include "base/field.h"
#include "base/httpdate.h"
#include "http/range.h"

/* The next line of a head, as a name and its value. Returns whether there is one. */
static bool next_field(struct slice *lines, struct slice *name, struct slice *value)
{
    if (lines->at == NULL)
        return false;
    struct slice line = slice_cut(*lines, '\n', lines);
    *name = slice_cut(line, ':', value);
    if (value->len > 0 && value->at[value->len - 1] == '\r')
        value->len--;
    *value = field_trim(*value);
    return true;
}

/* How often a field is there, without those that have no value; and the last one's value. */
static unsigned find_field(struct slice lines, const char *wanted, struct slice *found)
{
    struct slice name, value;
    unsigned count = 0;

    *found = (struct slice){ NULL, 0 };
    while (next_field(&lines, &name, &value)) {
        if (value.len == 0 || !field_is(name, wanted))
            continue;
        *found = value;
        count++;
    }
    return count;
}

/* A field that makes sense only once. */
static bool find_one(struct slice lines, const char *wanted, struct slice *found)
{
    return find_field(lines, wanted, found) == 1;
}

/* Take a tag off the front of a list: its text with the quotes, and whether it is a weak one.
 * Returns 0, or -1 if there is none. */
static int take_tag(struct slice *list, struct slice *tag, bool *weak)
{
    const char *end;

    *weak = list->len >= 2 && memcmp(list->at, "W/", 2) == 0;
    if (*weak) {
        list->at += 2;
        list->len -= 2;
    }
    if (list->len < 2 || *list->at != '"' ||
        (end = memchr(list->at + 1, '"', list->len - 1)) == NULL)
        return -1;
    *tag = (struct slice){ list->at, (size_t)(end + 1 - list->at) };
    list->at += tag->len;
    list->len -= tag->len;
    return 0;
}

/* Whether the list has our tag. What is malformed has it no more from there on. A tag may have
 * commas in it. */
static bool list_has(struct slice list, struct slice ours, bool weak_matches)
{
    struct slice tag;
    bool weak;

    if (slice_is(list, "*"))
        return true;
    for (;;) {
        while (list.len > 0 && strchr(" \t,", *list.at) != NULL) {
            list.at++;
            list.len--;
        }
        if (list.len == 0 || take_tag(&list, &tag, &weak))
            return false;
        if (list.len > 0 && strchr(" \t,", *list.at) == NULL)
            return false;
        if ((weak_matches || !weak) && slice_equal(tag, ours))
            return true;
    }
}

/* The same, over all fields of that name. */
static bool fields_have(struct slice lines, const char *wanted, struct slice ours,
                        bool weak_matches)
{
    struct slice name, value;

    while (next_field(&lines, &name, &value)) {
        if (field_is(name, wanted) && list_has(value, ours, weak_matches))
            return true;
    }
    return false;
}

/* A date in a field; false if there is none, or one that cannot be understood. */
static bool find_date(struct slice lines, const char *wanted, int64_t now, int64_t *date)
{
    struct slice value;

    return find_one(lines, wanted, &value) && httpdate_parse(value, now, date) == 0;
}

/* RFC 9110 section 13.2.2, as far as it goes with GET and HEAD. Returns the status, 200 if all
 * conditions hold. */
static int evaluate(struct slice lines, struct slice ours, int64_t modified, int64_t now)
{
    struct slice value;
    int64_t date;

    if (find_field(lines, "if-match", &value) > 0) {
        if (!fields_have(lines, "if-match", ours, false))
            return 412;
    } else if (modified >= 0 && find_date(lines, "if-unmodified-since", now, &date) &&
               modified > date) {
        return 412;
    }
    if (find_field(lines, "if-none-match", &value) > 0) {
        if (fields_have(lines, "if-none-match", ours, true))
            return 304;
    } else if (modified >= 0 && find_date(lines, "if-modified-since", now, &date) &&
               modified == date) {
        return 304;
    }
    return 200;
}

/* Whether the answer is still the one that a part is wanted of; a date is not trusted with
 * that. */
static bool range_applies(struct slice lines, struct slice ours)
{
    struct slice value;
    unsigned count = find_field(lines, "if-range", &value);

    return count == 0 || (count == 1 && slice_equal(value, ours));
}

static void fail(struct answer *answer, int status, const char *why)
{
    failure_set(&answer->failure, status, NULL, "%s", why);
    answer_failed(answer);
}

static void take_range(struct answer *answer, struct slice value)
{
    uint64_t whole = answer->body.length, from, to;

    switch (range_parse(value, whole, &from, &to)) {
    case RANGE_NONE:
        return;
    case RANGE_ONE:
        body_cut(&answer->body, from, to);
        answer->status = 206;
        answer->chunked = false;
        answer->from = from;
        break;
    case RANGE_OUTSIDE:
        fail(answer, 416, "the range begins behind the end");
        break;
    }
    answer->whole = whole;
}

void conditions_apply(const struct request *request, int64_t now, struct answer *answer)
{
    struct slice lines = request->conditions, value;
    char text[TAG_BYTES];
    struct slice ours = { text, sizeof(text) };

    if (lines.len == 0)
        return;
    tag_write(&answer->tag, text);
    switch (evaluate(lines, ours, answer->tag.modified, now)) {
    case 304:
        answer->status = 304;
        answer->content_type = NULL;
        answer->chunked = false;
        return;
    case 412:
        fail(answer, 412, "the answer is not the one that the request depends on");
        return;
    }
    if (request->method == REQUEST_GET && find_one(lines, "range", &value) &&
        range_applies(lines, ours))
        take_range(answer, value);
}
