#include "base/name.h"

#include "base/date.h"

/* ".DD.MM.YY.bin" */
#define SUFFIX_BYTES 13

static const bool name_bytes[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['.'] = true,
    ['_'] = true,         [':'] = true,         ['-'] = true,
};

bool name_valid(struct slice name)
{
    if (name.len < 1 || name.len > NAME_MAX_BYTES || name.at[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!name_bytes[(unsigned char)name.at[i]] ||
            (name.at[i] == '.' && name.at[i - 1] == '.'))
            return false;
    }
    return true;
}

static char *put_two(char *at, int value)
{
    at[0] = '.';
    at[1] = (char)('0' + value / 10);
    at[2] = (char)('0' + value % 10);
    return at + 3;
}

char *name_file(struct slice column, int32_t day, char file[NAME_FILE])
{
    struct date date = date_of_day(day);
    char *at = file;

    memcpy(at, column.at, column.len);
    at = put_two(at + column.len, date.day);
    at = put_two(at, date.month);
    at = put_two(at, date.year % 100);
    memcpy(at, ".bin", 5);
    return file;
}

static int two(const char *at, int *value)
{
    if (at[0] != '.' || at[1] < '0' || at[1] > '9' || at[2] < '0' || at[2] > '9')
        return -1;
    *value = (at[1] - '0') * 10 + (at[2] - '0');
    return 0;
}

int name_parse_file(struct slice file, struct slice *column, int32_t *day)
{
    struct date date;

    if (file.len <= SUFFIX_BYTES)
        return -1;
    const char *suffix = file.at + file.len - SUFFIX_BYTES;
    if (two(suffix, &date.day) || two(suffix + 3, &date.month) || two(suffix + 6, &date.year) ||
        memcmp(suffix + 9, ".bin", 4) != 0)
        return -1;
    date.year += 2000;
    *column = (struct slice){ file.at, file.len - SUFFIX_BYTES };
    if (!date_valid(date) || !name_valid(*column))
        return -1;
    *day = date_to_day(date);
    return 0;
}
