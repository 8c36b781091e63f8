#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"
#include "system/config.h"

/* The rows once more, as they are written down. */
enum kind { STRING, LIST, NUMBER, SIZE, DURATION, CHOICE };

static const struct row {
    enum kind kind;
    const char *name, *standard;
    uint64_t least, most;
    const char *argument, *help;
    size_t offset;
} rows[] = {
#define OPTION(kind, name, standard, least, most, argument, help)                              \
    { kind, #name, standard, least, most, argument, help, offsetof(struct config, name) },
#include "system/options.def"
#undef OPTION
};

static char problem[512];

static const void *member(const struct config *config, const struct row *row)
{
    return (const char *)config + row->offset;
}

static uint64_t number(const struct config *config, const struct row *row)
{
    uint64_t value;

    memcpy(&value, member(config, row), sizeof(value));
    return value;
}

static bool is_number(const struct row *row)
{
    return row->kind == NUMBER || row->kind == SIZE || row->kind == DURATION;
}

static int set(struct config *config, const char *name, const char *value)
{
    memset(problem, 0, sizeof(problem));
    return config_set(config, name, value, problem, sizeof(problem));
}

/* ${value} is refused, in one line that names the option. */
static void refuse(struct config *config, const char *name, const char *value)
{
    ck_assert_msg(set(config, name, value) == -1, "%s=%s", name, value);
    ck_assert_msg(strstr(problem, name) != NULL, "%s", problem);
    ck_assert_ptr_null(strchr(problem, '\n'));
}

/* A number as the option's kind reads it back exactly. */
static const char *written(const struct row *row, uint64_t value)
{
    static char text[32];

    snprintf(text, sizeof(text), "%llu%s", (unsigned long long)value,
             row->kind == DURATION ? "ms" : "");
    return text;
}

START_TEST(config_defaults_are_as_written)
{
    struct config *config = config_new();

    ck_assert_ptr_nonnull(config);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        const void *at = member(config, row);
        uint64_t value = 0;

        if (row->kind == STRING) {
            ck_assert_str_eq(*(const config_string *)at, row->standard);
        } else if (row->kind == CHOICE) {
            int place = config_choice_named(row->argument, slice_of(row->standard));

            ck_assert_int_ge(place, 0);
            ck_assert_uint_eq(*(const config_choice *)at, (unsigned)place);
        } else if (is_number(row)) {
            struct slice text = slice_of(row->standard);

            ck_assert_int_eq(row->kind == SIZE       ? num_parse_size(text, &value)
                             : row->kind == DURATION ? num_parse_duration(text, &value)
                                                     : num_parse(text, &value),
                             0);
            ck_assert_uint_eq(number(config, row), value);
            ck_assert(value >= row->least && value <= row->most);
        }
    }
    config_free(config);
    config_free(NULL);
}
END_TEST

START_TEST(config_numbers_have_bounds)
{
    struct config *config = config_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        static const char *const bad[] = { "",    "x",    "-1",
                                           "+1",  " 1",   "1 ",
                                           "1.5", "0x10", "99999999999999999999",
                                           "1kb", "k",    "1e3" };

        if (!is_number(row))
            continue;
        ck_assert_uint_le(row->least, row->most);
        ck_assert_int_eq(set(config, row->name, written(row, row->least)), 0);
        ck_assert_uint_eq(number(config, row), row->least);
        ck_assert_int_eq(set(config, row->name, written(row, row->most)), 0);
        ck_assert_uint_eq(number(config, row), row->most);
        if (row->least > 0)
            refuse(config, row->name, written(row, row->least - 1));
        refuse(config, row->name, written(row, row->most + 1));
        for (size_t j = 0; j < COUNT_OF(bad); j++)
            refuse(config, row->name, bad[j]);
        if (row->kind == NUMBER)
            refuse(config, row->name, "1k");
        if (row->kind == SIZE)
            refuse(config, row->name, "1s");
    }
    ck_assert_int_eq(set(config, "max_header", "64K"), 0);
    ck_assert_uint_eq(config->max_header, 65536);
    ck_assert_int_eq(set(config, "drain_timeout", "2m"), 0);
    ck_assert_uint_eq(config->drain_timeout, 120000);
    ck_assert_int_eq(set(config, "drain_timeout", "3"), 0);
    ck_assert_uint_eq(config->drain_timeout, 3000);
    config_free(config);
}
END_TEST

START_TEST(config_choices_are_the_words)
{
    struct config *config = config_new();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct slice rest = slice_of(row->argument);
        unsigned place = 0;

        if (row->kind != CHOICE)
            continue;
        while (rest.at != NULL) {
            struct slice choice = slice_cut(rest, '|', &rest);
            char word[32];

            snprintf(word, sizeof(word), "%.*s", SLICE_ARG(choice));
            ck_assert_int_eq(set(config, row->name, word), 0);
            ck_assert_uint_eq(*(const config_choice *)member(config, row), place);
            place++;
        }
        ck_assert_uint_ge(place, 2);
        refuse(config, row->name, "");
        refuse(config, row->name, "no such word");
        refuse(config, row->name, row->argument);
        ck_assert_ptr_nonnull(strstr(problem, row->argument));
    }
    ck_assert_int_eq(config_choice_named("error|skip|prefix", SLICE("prefix")),
                     CONFIG_MISSING_PREFIX);
    ck_assert_int_eq(config_choice_named("error|skip|prefix", SLICE("pre")), -1);
    ck_assert_int_eq(set(config, "missing", "skip"), 0);
    ck_assert_uint_eq(config->missing, CONFIG_MISSING_SKIP);
    ck_assert_int_eq(set(config, "framing", "length"), 0);
    ck_assert_uint_eq(config->framing, CONFIG_FRAMING_LENGTH);
    ck_assert_int_eq(set(config, "unsorted", "error"), 0);
    ck_assert_uint_eq(config->unsorted, CONFIG_UNSORTED_ERROR);
    config_free(config);
}
END_TEST

START_TEST(config_checks_what_strings_mean)
{
    struct config *config = config_new();

    ck_assert_int_eq(set(config, "data", "/srv/ticks with a space"), 0);
    ck_assert_str_eq(config->data, "/srv/ticks with a space");
    ck_assert_int_eq(set(config, "data", "/other"), 0);
    ck_assert_str_eq(config->data, "/other");
    ck_assert_int_eq(set(config, "cpus", "0,2-3"), 0);
    ck_assert_str_eq(config->cpus, "0,2-3");
    ck_assert_int_eq(set(config, "cpus", ""), 0);
    refuse(config, "cpus", "first");
    ck_assert_str_eq(config->cpus, "");
    ck_assert_int_eq(set(config, "default_exchange", "kraken"), 0);
    refuse(config, "default_exchange", "");
    refuse(config, "default_exchange", "a/b");
    refuse(config, "default_exchange", "..");
    ck_assert_str_eq(config->default_exchange, "kraken");
    refuse(config, "allow_origin", "");
    refuse(config, "allow_origin", "https://a b");
    ck_assert_int_eq(set(config, "allow_origin", "https://a\r\nSet-Cookie: x"), -1);
    refuse(config, "allow_origin", "https://\xc3\xa9");
    config_free(config);
}
END_TEST

START_TEST(config_lists_have_defaults_while_empty)
{
    struct config *config = config_new();

    ck_assert_uint_eq(config->listen.count, 0);
    ck_assert_int_eq(config_complete(config, problem, sizeof(problem)), 0);
    ck_assert_uint_eq(config->listen.count, 1);
    ck_assert_str_eq(config->listen.items[0], "127.0.0.1:8080");
    ck_assert(config->listen.untouched);
    ck_assert_uint_eq(config->allow_origin.count, 1);
    ck_assert_str_eq(config->allow_origin.items[0], "*");
    ck_assert_uint_eq(config->type.count, 0);
    config_free(config);

    config = config_new();
    ck_assert_int_eq(set(config, "listen", "[::1]:1"), 0);
    ck_assert_int_eq(set(config, "listen", "unix:/x"), 0);
    ck_assert_int_eq(set(config, "allow_origin", "https://example.org"), 0);
    ck_assert_int_eq(set(config, "type", "a/MD/price:f64"), 0);
    ck_assert_int_eq(set(config, "type", "a/MD/id:u32"), 0);
    ck_assert_int_eq(set(config, "type", "a/MD/id"), -1);
    ck_assert_int_eq(config_complete(config, problem, sizeof(problem)), 0);
    ck_assert_uint_eq(config->listen.count, 2);
    ck_assert_str_eq(config->listen.items[0], "[::1]:1");
    ck_assert_str_eq(config->listen.items[1], "unix:/x");
    ck_assert(!config->listen.untouched && config->admin_listen.untouched);
    ck_assert_uint_eq(config->allow_origin.count, 1);
    ck_assert_uint_eq(config->type.count, 2);
    ck_assert_uint_eq(
        coltypes_find(config->coltypes, SLICE("a"), SLICE("MD"), SLICE("price")).size, 8);
    config_free(config);
}
END_TEST

START_TEST(config_reads_pairs)
{
    struct config *config = config_new();

    ck_assert_int_eq(config_set_pair(config, "data=/a=b", problem, sizeof(problem)), 0);
    ck_assert_str_eq(config->data, "/a=b");
    ck_assert_int_eq(config_set_pair(config, "data=", problem, sizeof(problem)), 0);
    ck_assert_str_eq(config->data, "");
    ck_assert_int_eq(config_set_pair(config, "data", problem, sizeof(problem)), -1);
    ck_assert_ptr_nonnull(strstr(problem, "data"));
    ck_assert_int_eq(config_set_pair(config, "=x", problem, sizeof(problem)), -1);
    ck_assert_int_eq(config_set_pair(config, "", problem, sizeof(problem)), -1);
    ck_assert_int_eq(config_set_pair(config, "no_such=1", problem, sizeof(problem)), -1);
    ck_assert_ptr_nonnull(strstr(problem, "no_such"));
    ck_assert_int_eq(config_set_pair(config, "workers=3", problem, sizeof(problem)), 0);
    ck_assert_uint_eq(config->workers, 3);

    /* Quotes that the shell has left. */
    static const char *const quoted[] = { "data=\"/x y\"", "data='/x y'", "workers=\"2\"",
                                          "data=''" };
    for (size_t i = 0; i < COUNT_OF(quoted); i++) {
        ck_assert_int_eq(config_set_pair(config, quoted[i], problem, sizeof(problem)), -1);
        ck_assert_ptr_nonnull(strstr(problem, ": leave the quotes out"));
    }
    ck_assert_int_eq(config_set_pair(config, "data=\"", problem, sizeof(problem)), 0);
    ck_assert_int_eq(config_set_pair(config, "data=\"x\"/'y'", problem, sizeof(problem)), 0);
    ck_assert_str_eq(config->data, "\"x\"/'y'");

    /* A short message is cut, not written past its end. */
    char tiny[8] = "1234567";
    ck_assert_int_eq(config_set(config, "workers", "many", tiny, 4), -1);
    ck_assert_str_eq(tiny + 4, "567");
    ck_assert_uint_lt(strlen(tiny), 4);
    config_free(config);
}
END_TEST

static size_t visited;

static void visit(void *arg, const char *name, const char *argument, const char *standard,
                  const char *help)
{
    const struct row *row = &rows[visited++];

    ck_assert_ptr_eq(arg, problem);
    ck_assert_str_eq(name, row->name);
    ck_assert_str_eq(argument, row->argument);
    ck_assert_str_eq(standard, row->standard);
    ck_assert_str_eq(help, row->help);
    ck_assert_uint_ge(strlen(help), 10);
    ck_assert_ptr_null(strchr(help, '\n'));
}

START_TEST(config_each_row_once)
{
    visited = 0;
    config_each(visit, problem);
    ck_assert_uint_eq(visited, COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(rows[i].name, rows[j].name);
    }
}
END_TEST

START_TEST(config_keeps_what_it_had_of_bad_values)
{
    struct config *config = config_new();

    ck_assert_int_eq(config_set(config, "workers", "999", problem, sizeof(problem)), -1);
    ck_assert_uint_eq(config->workers, 0);
    ck_assert_int_eq(config_set(config, "backlog", "12x", problem, sizeof(problem)), -1);
    ck_assert_uint_eq(config->backlog, 1024);
    config_free(config);
}
END_TEST

START_TEST(config_overrides_lists_only)
{
    struct config *config = config_new();

    ck_assert_int_eq(set(config, "listen", "a:1"), 0);
    ck_assert_int_eq(set(config, "listen", "b:2"), 0);
    ck_assert_int_eq(set(config, "type", "a/b/c:u64"), 0);
    ck_assert_int_eq(set(config, "allow_origin", "https://a.example"), 0);
    ck_assert_int_eq(set(config, "workers", "3"), 0);
    config_override(config);
    ck_assert_uint_eq(config->listen.count, 2);
    ck_assert_int_eq(set(config, "listen", "c:3"), 0);
    ck_assert_int_eq(set(config, "listen", "d:4"), 0);
    ck_assert_int_eq(set(config, "type", "a/b/d:u8"), 0);
    ck_assert_int_eq(config_complete(config, problem, sizeof(problem)), 0);
    ck_assert_uint_eq(config->listen.count, 2);
    ck_assert_str_eq(config->listen.items[0], "c:3");
    ck_assert_str_eq(config->listen.items[1], "d:4");
    ck_assert_uint_eq(config->allow_origin.count, 1);
    ck_assert_str_eq(config->allow_origin.items[0], "https://a.example");
    ck_assert_uint_eq(config->workers, 3);
    ck_assert_uint_eq(config->type.count, 1);
    ck_assert_uint_eq(coltypes_find(config->coltypes, SLICE("a"), SLICE("b"), SLICE("c")).size,
                      4);
    config_free(config);
}
END_TEST

static void take_values(void *arg, const char *name, enum config_form form, size_t count,
                        const char *const *values)
{
    const struct row *row = &rows[visited++];

    ck_assert_str_eq(name, row->name);
    ck_assert_int_eq(form == CONFIG_FORM_LIST, row->kind == LIST);
    ck_assert_int_eq(form == CONFIG_FORM_TEXT, row->kind == STRING);
    ck_assert_int_eq(config_is_list(name), row->kind == LIST);
    for (size_t i = 0; i < count; i++) {
        if (row->kind == STRING && values[i][0] == '\0')
            continue;
        ck_assert_int_eq(config_set(arg, name, values[i], problem, sizeof(problem)), 0);
    }
}

/* Their values, set again, make the same configuration. */
START_TEST(config_gives_its_values)
{
    static const uint64_t some[] = { 0, 1, 999, 1000, 1024, 1025, 60000, 61000, 3600000 };

    for (size_t s = 0; s < COUNT_OF(some); s++) {
        struct config *config = config_new(), *again = config_new();

        ck_assert_int_eq(set(config, "data", "/a b"), 0);
        ck_assert_int_eq(set(config, "listen", "a:1"), 0);
        ck_assert_int_eq(set(config, "listen", "b:2"), 0);
        ck_assert_int_eq(set(config, "unsorted", "error"), 0);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            if (is_number(&rows[i]))
                set(config, rows[i].name, written(&rows[i], some[s]));
        }
        visited = 0;
        config_values(config, take_values, again);
        ck_assert_uint_eq(visited, COUNT_OF(rows));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            if (is_number(&rows[i]))
                ck_assert_uint_eq(number(config, &rows[i]), number(again, &rows[i]));
        }
        ck_assert_str_eq(again->data, "/a b");
        ck_assert_uint_eq(again->listen.count, 2);
        ck_assert_uint_eq(again->unsorted, CONFIG_UNSORTED_ERROR);
        config_free(config);
        config_free(again);
    }
    ck_assert(!config_is_list("no_such"));
}
END_TEST

UNIT("config", config_defaults_are_as_written, config_numbers_have_bounds,
     config_choices_are_the_words, config_checks_what_strings_mean,
     config_lists_have_defaults_while_empty, config_reads_pairs, config_each_row_once,
     config_keeps_what_it_had_of_bad_values, config_overrides_lists_only,
     config_gives_its_values)
