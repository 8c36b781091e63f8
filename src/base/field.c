#include "base/field.h"

#include <strings.h>

bool field_is(struct slice word, const char *wanted)
{
    return word.len == strlen(wanted) && strncasecmp(word.at, wanted, word.len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice field_trim(struct slice value)
{
    while (value.len > 0 && is_blank(value.at[value.len - 1]))
        value.len--;
    while (value.len > 0 && is_blank(*value.at)) {
        value.at++;
        value.len--;
    }
    return value;
}

bool field_member(struct slice *list, struct slice *member)
{
    if (list->at == NULL)
        return false;
    *member = field_trim(slice_cut(*list, ',', list));
    return true;
}
