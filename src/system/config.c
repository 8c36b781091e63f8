#include "system/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "base/name.h"
#include "base/num.h"

enum kind { STRING, LIST, NUMBER, SIZE, DURATION, CHOICE };

struct option_row {
    enum kind kind;
    const char *name;
    size_t offset; /* of its member in struct config */
    const char *standard;
    uint64_t least, most;
    const char *argument, *help;
};

static const struct option_row rows[] = {
#define OPTION(kind, name, standard, least, most, argument, help)                              \
    { kind, #name, offsetof(struct config, name), standard, least, most, argument, help },
#include "system/options.def"
#undef OPTION
};

#define ROWS (sizeof(rows) / sizeof(*rows))

static void *member(struct config *config, const struct option_row *row)
{
    return (char *)config + row->offset;
}

static int set_string(config_string *string, const char *value)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return -1;
    free(*string);
    *string = copy;
    return 0;
}

static void empty_list(struct config_list *list)
{
    while (list->count > 0)
        free(list->items[--list->count]);
}

static int add_item(struct config_list *list, const char *value, unsigned line)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

    if (items == NULL)
        return -1;
    list->items = items;
    unsigned *lines = realloc(list->lines, (list->count + 1) * sizeof(*lines));
    if (lines == NULL)
        return -1;
    list->lines = lines;
    if ((items[list->count] = strdup(value)) == NULL)
        return -1;
    lines[list->count++] = line;
    return 0;
}

struct unit {
    uint64_t worth;
    const char *name;
};

static const struct unit of_size[] = {
    { 1 << 30, "g" }, { 1 << 20, "m" }, { 1 << 10, "k" }, { 1, "" }
};
static const struct unit of_duration[] = {
    { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" }
};
static const struct unit of_number[] = { { 1, "" } };

/* Write ${value} in the largest unit that it is a whole number of. */
static void write_number(char *text, size_t size, const struct unit *unit, uint64_t value)
{
    while (value % unit->worth != 0 || (value == 0 && unit->worth > 1))
        unit++;
    snprintf(text, size, "%llu%s", (unsigned long long)(value / unit->worth), unit->name);
}

static const struct unit *units_of(enum kind kind)
{
    return kind == SIZE ? of_size : kind == DURATION ? of_duration : of_number;
}

static const char *unit_hint(enum kind kind)
{
    switch (kind) {
    case SIZE:
        return " (of bytes, or with a unit: k m g)";
    case DURATION:
        return " (of seconds, or with a unit: ms s m h d)";
    default:
        return "";
    }
}

/* A number in its bounds, whatever its unit. */
static int set_number(const struct option_row *row, uint64_t *number, const char *value,
                      char *problem, size_t size)
{
    struct slice text = slice_of(value);
    char least[32], most[32];
    uint64_t parsed;
    int failed = row->kind == SIZE       ? num_parse_size(text, &parsed)
                 : row->kind == DURATION ? num_parse_duration(text, &parsed)
                                         : num_parse(text, &parsed);

    if (failed) {
        snprintf(problem, size, "%s: '%s' is not a number%s", row->name, value,
                 unit_hint(row->kind));
        return -1;
    }
    if (parsed < row->least || parsed > row->most) {
        write_number(least, sizeof(least), units_of(row->kind), row->least);
        write_number(most, sizeof(most), units_of(row->kind), row->most);
        snprintf(problem, size, "%s: %s is not between %s and %s%s", row->name, value, least,
                 most, unit_hint(row->kind));
        return -1;
    }
    *number = parsed;
    return 0;
}

static int set_choice(const struct option_row *row, unsigned *choice, const char *value,
                      char *problem, size_t size)
{
    int place = config_choice_named(row->argument, slice_of(value));

    if (place < 0) {
        snprintf(problem, size, "%s: '%s' is none of %s", row->name, value, row->argument);
        return -1;
    }
    *choice = (unsigned)place;
    return 0;
}

/* "*", or a scheme and a host, and no byte that could begin another header field. */
static bool is_origin(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c <= 0x20 || *c >= 0x7f)
            return false;
    }
    return strcmp(value, "*") == 0 || (strstr(value, "://") != NULL && strlen(value) <= 256);
}

/* What can stand behind the colon of a header field, and does. */
static bool is_field_value(const char *value)
{
    size_t len = strlen(value);

    for (const char *c = value; *c != '\0'; c++) {
        if (*c < 0x20 || *c >= 0x7f)
            return false;
    }
    return len > 0 && len <= 256 && value[0] != ' ' && value[len - 1] != ' ';
}

/* A row for the table of types, which is the list once more. */
static int check_type(struct config *config, const char *value, char *problem, size_t size)
{
    char fault[256];

    if (coltypes_add(config->coltypes, value, fault, sizeof(fault)) == 0)
        return 0;
    snprintf(problem, size, "type: %s", fault);
    return -1;
}

/* What a value of the right kind may still get wrong. */
static int check_meaning(struct config *config, const char *name, const char *value,
                         char *problem, size_t size)
{
    struct cpu_list cpus;

    if (strcmp(name, "type") == 0)
        return check_type(config, value, problem, size);
    if (strcmp(name, "cpus") == 0 && value[0] != '\0' && cpu_parse(slice_of(value), &cpus)) {
        snprintf(problem, size, "cpus: '%s' is not a list of cores such as 0,2-3", value);
        return -1;
    }
    if (strcmp(name, "default_exchange") == 0 && !name_valid(slice_of(value))) {
        snprintf(problem, size, "default_exchange: '%s' is not a valid name", value);
        return -1;
    }
    if (strcmp(name, "allow_origin") == 0 && !is_origin(value)) {
        snprintf(problem, size,
                 "allow_origin: '%s' is neither * nor an origin such as https://example.org",
                 value);
        return -1;
    }
    if (strcmp(name, "closed_cache_control") == 0 && !is_field_value(value)) {
        snprintf(problem, size, "closed_cache_control: '%s' is not the value of a header field",
                 value);
        return -1;
    }
    return 0;
}

/* A list whose items are from below what is set now. */
static int begin_anew(struct config *config, const struct option_row *row)
{
    struct config_list *list = member(config, row);

    list->stale = false;
    empty_list(list);
    if (strcmp(row->name, "type") == 0) {
        coltypes_free(config->coltypes);
        config->coltypes = coltypes_new();
    }
    return config->coltypes == NULL ? -1 : 0;
}

static int set_row(struct config *config, const struct option_row *row, const char *value,
                   char *problem, size_t size)
{
    void *into = member(config, row);
    int failed = -1;

    if (row->kind == LIST && ((struct config_list *)into)->stale && begin_anew(config, row)) {
        snprintf(problem, size, "%s: out of memory", row->name);
        return -1;
    }
    if (check_meaning(config, row->name, value, problem, size))
        return -1;
    snprintf(problem, size, "%s: out of memory", row->name);
    switch (row->kind) {
    case STRING:
        failed = set_string(into, value);
        break;
    case LIST:
        failed = add_item(into, value, config->line);
        break;
    case NUMBER:
    case SIZE:
    case DURATION:
        failed = set_number(row, into, value, problem, size);
        break;
    case CHOICE:
        failed = set_choice(row, into, value, problem, size);
        break;
    }
    config->lines[row - rows] = config->line;
    return failed;
}

struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));
    char problem[256];

    if (config == NULL || (config->coltypes = coltypes_new()) == NULL ||
        (config->lines = calloc(ROWS, sizeof(*config->lines))) == NULL)
        goto failed;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == LIST)
            continue; /* see config_complete() */
        if (rows[i].kind == STRING && rows[i].standard[0] == '\0') {
            if (set_string(member(config, &rows[i]), ""))
                goto failed;
        } else if (set_row(config, &rows[i], rows[i].standard, problem, sizeof(problem))) {
            goto failed;
        }
    }
    return config;

failed:
    config_free(config);
    return NULL;
}

static const struct option_row *find_row(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

int config_set(struct config *config, const char *name, const char *value, char *problem,
               size_t size)
{
    const struct option_row *row = find_row(name);

    if (row != NULL)
        return set_row(config, row, value, problem, size);
    snprintf(problem, size, "there is no option '%s' (tickd -h lists them)", name);
    return -1;
}

/* Whether quotes stand around ${value}: as in a file, but the shell takes away only its own. */
static bool is_quoted(const char *value)
{
    size_t len = strlen(value);

    return len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0];
}

int config_set_pair(struct config *config, const char *pair, char *problem, size_t size)
{
    const char *equals = strchr(pair, '=');

    if (equals == NULL) {
        snprintf(problem, size, "'%s' is not NAME=VALUE", pair);
        return -1;
    }
    if (is_quoted(equals + 1)) {
        snprintf(problem, size,
                 "%s: leave the quotes out: only in a file they are not part of the value",
                 pair);
        return -1;
    }
    char *name = strndup(pair, (size_t)(equals - pair));
    if (name == NULL) {
        snprintf(problem, size, "out of memory");
        return -1;
    }
    int result = config_set(config, name, equals + 1, problem, size);
    free(name);
    return result;
}

int config_reading(struct config *config, const char *file, unsigned line)
{
    config->line = line;
    return config->file == NULL ? set_string(&config->file, file) : 0;
}

const char *config_place(const struct config *config, const char *name, size_t item,
                         char place[CONFIG_PLACE])
{
    const struct option_row *row = find_row(name);
    const char *at = (const char *)config + row->offset;
    unsigned line = row->kind == LIST
                        ? ((const struct config_list *)(const void *)at)->lines[item]
                        : config->lines[row - rows];

    if (line == 0)
        return NULL;
    snprintf(place, CONFIG_PLACE, "%s:%u: option ", config->file, line);
    return place;
}

void config_override(struct config *config)
{
    config->line = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == LIST)
            ((struct config_list *)member(config, &rows[i]))->stale = true;
    }
}

int config_complete(struct config *config, char *problem, size_t size)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind != LIST || rows[i].standard[0] == '\0')
            continue;
        struct config_list *list = member(config, &rows[i]);
        if (list->count > 0)
            continue;
        if (set_row(config, &rows[i], rows[i].standard, problem, size))
            return -1;
        list->untouched = true;
    }
    return 0;
}

int config_choice_named(const char *choices, struct slice word)
{
    struct slice rest = slice_of(choices);

    for (int place = 0; rest.at != NULL; place++) {
        if (slice_equal(slice_cut(rest, '|', &rest), word))
            return place;
    }
    return -1;
}

void config_each(void (*visit)(void *arg, const char *name, const char *argument,
                               const char *standard, const char *help),
                 void *arg)
{
    for (size_t i = 0; i < ROWS; i++)
        visit(arg, rows[i].name, rows[i].argument, rows[i].standard, rows[i].help);
}

bool config_is_list(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == LIST && strcmp(rows[i].name, name) == 0)
            return true;
    }
    return false;
}

/* The value of what is neither a LIST nor a STRING, in the ${size} bytes of ${text}. */
static void write_word(char *text, size_t size, const struct option_row *row, const void *from)
{
    if (row->kind == CHOICE) {
        struct slice rest = slice_of(row->argument), word;

        for (unsigned i = 0; word = slice_cut(rest, '|', &rest), i < *(const unsigned *)from;)
            i++;
        snprintf(text, size, "%.*s", SLICE_ARG(word));
    } else {
        write_number(text, size, units_of(row->kind), *(const uint64_t *)from);
    }
}

void config_values(const struct config *config,
                   void (*visit)(void *arg, const char *name, enum config_form form,
                                 size_t count, const char *const *values),
                   void *arg)
{
    for (size_t i = 0; i < ROWS; i++) {
        const void *from = (const char *)config + rows[i].offset;
        const struct config_list *list = from;
        char text[64];
        const char *word = text;

        if (rows[i].kind == LIST) {
            visit(arg, rows[i].name, CONFIG_FORM_LIST, list->count,
                  (const char *const *)list->items);
        } else if (rows[i].kind == STRING) {
            visit(arg, rows[i].name, CONFIG_FORM_TEXT, 1, (const char *const *)from);
        } else {
            write_word(text, sizeof(text), &rows[i], from);
            visit(arg, rows[i].name, CONFIG_FORM_WORD, 1, &word);
        }
    }
}

bool config_listens_nowhere(const char *address)
{
    return strcmp(address, "off") == 0;
}

enum config_error_log config_error_log(const struct config *config)
{
    if (config->error_log[0] == '\0')
        return CONFIG_ERROR_LOG_UNSET;
    if (strcmp(config->error_log, "stderr") == 0)
        return CONFIG_ERROR_LOG_STDERR;
    if (strcmp(config->error_log, "syslog") == 0)
        return CONFIG_ERROR_LOG_SYSLOG;
    return CONFIG_ERROR_LOG_FILE;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == STRING) {
            free(*(config_string *)member(config, &rows[i]));
        } else if (rows[i].kind == LIST) {
            struct config_list *list = member(config, &rows[i]);

            empty_list(list);
            free(list->items);
            free(list->lines);
        }
    }
    coltypes_free(config->coltypes);
    free(config->file);
    free(config->lines);
    free(config);
}
