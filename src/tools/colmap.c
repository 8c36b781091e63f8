#include "tools/colmap.h"

#include "base/log.h"
#include "base/num.h"

/* More fields than a row can have. */
#define FIELD_MAX 10000000

bool colmap_has_names(const struct colmap *map)
{
    for (size_t i = 0; i < map->columns.count; i++) {
        if (map->sources[i].name.at != NULL)
            return true;
    }
    return false;
}

/* The part of ${entry} after its last colon; at is NULL if there is none. ${entry} loses it. */
static struct slice cut_type(struct slice *entry)
{
    const char *colon = entry->len ? memrchr(entry->at, ':', entry->len) : NULL;

    if (colon == NULL)
        return (struct slice){ NULL, 0 };
    size_t before = (size_t)(colon - entry->at);
    struct slice type = { colon + 1, entry->len - before - 1 };
    entry->len = before;
    return type;
}

/* NULL, or what is wrong with a source's text. */
static const char *parse_source(struct slice text, struct colmap_source *source)
{
    uint64_t number;

    *source = (struct colmap_source){ 0 };
    if (text.len == 0)
        return "needs a source: a name of the header line, #N or @row";
    if (slice_is(text, "@row")) {
        source->is_row = true;
    } else if (text.at[0] == '#') {
        if (num_parse((struct slice){ text.at + 1, text.len - 1 }, &number) || number < 1 ||
            number > FIELD_MAX)
            return "needs the number of a field, from 1, behind its #";
        source->field = (size_t)number - 1;
    } else {
        source->name = text;
    }
    return NULL;
}

static const char *add_time(struct colmap *map, struct slice type,
                            const struct colmap_source *source)
{
    if (map->has_time)
        return "is there twice";
    if (source->is_row)
        return "cannot be @row";
    if (type.at == NULL || ticktime_parse_unit(type, &map->unit))
        return "needs a unit, as in time=name:ns (one of s ms us ns rfc3339)";
    map->sources[COLUMNS_TIME] = *source;
    map->has_time = true;
    return NULL;
}

static const char *add_column(struct colmap *map, struct slice name, struct slice type_text,
                              const struct colmap_source *source)
{
    struct coltype type = columns_default_type(name);

    if (slice_is(name, "nanos"))
        return "is not for the map: it comes from time";
    if (type_text.at != NULL && coltype_parse(type_text, &type))
        return "has no type behind its last colon (u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 "
               "bytesN)";
    if (source->is_row && type.kind == COLTYPE_BYTES)
        return "has a type that cannot count rows";
    const char *wrong = columns_add(&map->columns, name, type);
    if (wrong == NULL)
        map->sources[map->columns.count - 1] = *source;
    return wrong;
}

static int parse_entry(struct colmap *map, struct slice entry)
{
    struct slice rest, name = slice_cut(entry, '=', &rest), type = cut_type(&rest);
    struct colmap_source source;
    const char *wrong =
        rest.at == NULL ? "is not of the form column=source" : parse_source(rest, &source);

    if (wrong == NULL && slice_is(name, "time"))
        wrong = add_time(map, type, &source);
    else if (wrong == NULL)
        wrong = add_column(map, name, type, &source);
    if (wrong == NULL)
        return 0;
    log_error("-m: '%.*s' %s", SLICE_ARG(rest.at == NULL ? entry : name), wrong);
    return -1;
}

int colmap_parse(const char *text, struct colmap *map)
{
    memset(map, 0, sizeof(*map));
    columns_init(&map->columns);
    for (struct slice rest = slice_of(text); rest.at != NULL;) {
        struct slice entry = slice_cut(rest, ',', &rest);

        if (parse_entry(map, entry))
            return -1;
    }
    if (!map->has_time) {
        log_error("-m: the map needs time, as in time=name:ns");
        return -1;
    }
    return 0;
}

/* NULL, or what is wrong with a factor for the column ${name}. */
static const char *set_scale(struct colmap *map, struct slice name, struct slice factor)
{
    for (size_t i = COLUMNS_NANOS + 1; i < map->columns.count; i++) {
        enum coltype_kind kind = map->columns.at[i].type.kind;
        struct colmap_source *source = &map->sources[i];

        if (!slice_is(name, map->columns.at[i].name))
            continue;
        if ((kind != COLTYPE_F32 && kind != COLTYPE_F64) || source->is_row)
            return "is no f32 or f64 that is read from the file";
        if (factor.at == NULL || decimal_parse_scale(factor, &source->scale))
            return "needs a factor above 0 behind its =, as in price=0.0001";
        source->scaled = true;
        return NULL;
    }
    return "is not in the map";
}

int colmap_scale(struct colmap *map, const char *text)
{
    for (struct slice rest = slice_of(text); rest.at != NULL;) {
        struct slice factor, entry = slice_cut(rest, ',', &rest);
        struct slice name = slice_cut(entry, '=', &factor);
        const char *wrong = set_scale(map, name, factor);

        if (wrong != NULL) {
            log_error("--scale: '%.*s' %s", SLICE_ARG(name), wrong);
            return -1;
        }
    }
    return 0;
}
