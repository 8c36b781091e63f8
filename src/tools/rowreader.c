#include "tools/rowreader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "tools/cell.h"

/* How much of a bad field a message shows. */
#define SHOWN_MAX 40

/* How much of a header line. */
#define HEADER_MAX 160

struct rowreader {
    const struct colmap *map;
    size_t fields[COLUMNS_MAX]; /* which field each column is */
    size_t least;               /* fields that a row must have for the map */
    size_t count;               /* fields of the file's rows; 0: not known yet */
    char reason[512];
};

struct rowreader *rowreader_new(const struct colmap *map)
{
    struct rowreader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        log_error("%m");
        return NULL;
    }
    reader->map = map;
    return reader;
}

void rowreader_free(struct rowreader *reader)
{
    free(reader);
}

__attribute__((format(printf, 2, 3))) static const char *because(struct rowreader *reader,
                                                                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reader->reason, sizeof(reader->reason), format, args);
    va_end(args);
    return reader->reason;
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && s.at[0] == ' ') {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && s.at[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* As much of ${field} as a message should show. */
static struct slice shown(struct slice field)
{
    return field.len <= SHOWN_MAX ? field : (struct slice){ field.at, SHOWN_MAX };
}

/* Write the names in the header to ${text}, as many as it holds; returns ${text}. */
static const char *list(const struct slice *header, size_t count, char text[HEADER_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        struct slice name = shown(trim(header[i]));

        /* Each leaves room for what says that more would follow. */
        if (len + name.len + sizeof("'', ...") > HEADER_MAX) {
            memcpy(text + len, "...", sizeof("..."));
            return text;
        }
        len +=
            (size_t)sprintf(text + len, "'%.*s'%s", SLICE_ARG(name), i + 1 < count ? ", " : "");
    }
    return text;
}

/* Find ${name} in the header; NULL or what is wrong. */
static const char *find(struct rowreader *reader, struct slice name, const struct slice *header,
                        size_t count, size_t *field)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        if (slice_equal(trim(header[i]), name)) {
            *field = i;
            found++;
        }
    }
    char text[HEADER_MAX];

    if (found == 1)
        return NULL;
    if (found > 1)
        return because(reader,
                       "the header line has more than one '%.*s'; use #N for the Nth field",
                       SLICE_ARG(shown(name)));
    return because(reader, "the header line has no '%.*s', but %s; use #N for the Nth field",
                   SLICE_ARG(shown(name)), list(header, count, text));
}

const char *rowreader_bind(struct rowreader *reader, const struct slice *header, size_t count)
{
    const struct colmap *map = reader->map;

    reader->least = 0;
    reader->count = count;
    for (size_t i = 0; i < map->columns.count; i++) {
        const struct colmap_source *source = &map->sources[i];
        size_t *field = &reader->fields[i];

        if (i == COLUMNS_NANOS || source->is_row)
            continue;
        *field = source->field;
        if (source->name.at != NULL) {
            const char *wrong = find(reader, source->name, header, count, field);

            if (wrong != NULL)
                return wrong;
        }
        if (*field >= reader->least)
            reader->least = *field + 1;
    }
    if (count > 0 && reader->least > count)
        return because(reader, "the header line has %zu fields, and the map needs #%zu", count,
                       reader->least);
    return NULL;
}

static const char *check_count(struct rowreader *reader, size_t count)
{
    if (count < reader->least)
        return because(reader, "the row has %zu field%s, and the map needs #%zu", count,
                       count == 1 ? "" : "s", reader->least);
    if (reader->count != 0 && count != reader->count)
        return because(reader, "the row has %zu field%s, not %zu as the file's first", count,
                       count == 1 ? "" : "s", reader->count);
    return NULL;
}

static const char *read_cell(struct rowreader *reader, size_t i, const struct slice *fields,
                             uint64_t number, char *row)
{
    const struct column *column = &reader->map->columns.at[i];
    const struct colmap_source *source = &reader->map->sources[i];
    char *at = row + column->offset;
    struct slice field = { "@row", 4 };
    const char *wrong;

    if (source->is_row) {
        wrong = cell_put_count(number, column->type, at);
    } else {
        field = trim(fields[reader->fields[i]]);
        wrong = cell_parse(field, column->type, source->scaled ? &source->scale : NULL, at);
    }
    if (wrong == NULL)
        return NULL;
    return because(reader, "%s '%.*s' %s", column->name, SLICE_ARG(shown(field)), wrong);
}

const char *rowreader_read(struct rowreader *reader, const struct slice *fields, size_t count,
                           uint64_t number, int64_t *ns, char *row)
{
    const struct colmap *map = reader->map;
    const char *wrong;

    if (count != reader->count && (wrong = check_count(reader, count)) != NULL)
        return wrong;
    struct slice time = trim(fields[reader->fields[COLUMNS_TIME]]);
    if (ticktime_parse(time, map->unit, ns))
        return because(reader, "time '%.*s' is no time in %s%s", SLICE_ARG(shown(time)),
                       ticktime_unit_name(map->unit), ticktime_hint(time, map->unit));
    for (size_t i = COLUMNS_NANOS + 1; i < map->columns.count; i++) {
        if ((wrong = read_cell(reader, i, fields, number, row)) != NULL)
            return wrong;
    }
    reader->count = count;
    return NULL;
}
