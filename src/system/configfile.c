#include "system/configfile.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

/*
 * libconfuse reads what this file lets through. Its scanner drops bytes that it does not know
 * ("*:80" would be ":80"), puts variables of the environment into values, counts the lines of
 * comments twice, and after an unclosed quote goes on inside it when it reads the next file. So
 * the text is gone over first: comments become spaces, and all of that is refused.
 */

struct reading {
    struct config *config;
    const char *path;
    char *problem;
    size_t size;
    bool failed;      /* problem is written; the first one stays */
    unsigned *line;   /* of each option, where it was first given; 0: not yet */
    unsigned value;   /* the line of the last value; 0: none yet */
    cfg_opt_t *opts;  /* libconfuse's description of them, its end included */
    size_t opt_count; /* without the end */
};

/* Neither callback of libconfuse is given a pointer of ours. */
static struct reading *current;

static void fail(struct reading *reading, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct reading *reading, unsigned line, const char *format, ...)
{
    va_list args;

    if (reading->failed)
        return;
    reading->failed = true;
    int n = snprintf(reading->problem, reading->size, "%s:%u: ", reading->path, line);
    if (n < 0 || (size_t)n >= reading->size)
        return;
    va_start(args, format);
    vsnprintf(reading->problem + n, reading->size - (size_t)n, format, args);
    va_end(args);
}

/* --- Going over the text */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* In double quotes, after a backslash: how many bytes it speaks for; 0 if it is none of ours.
 */
static size_t escape_length(const char *at)
{
    if (*at == '"' || *at == '\\' || *at == '$')
        return 1;
    if (*at != 'x' || num_hex_value(at[1]) < 0 || num_hex_value(at[2]) < 0)
        return 0;
    return at[1] == '0' && at[2] == '0' ? 0 : 3;
}

/* Find the end of what begins at the quote ${at}: one byte after its other quote; or NULL. */
static const char *skip_quoted(struct reading *reading, const char *at, unsigned line)
{
    char quote = *at++;

    for (; *at != quote; at++) {
        if (*at == '\0' || *at == '\n') {
            fail(reading, line, "a value's closing %c is missing", quote);
            return NULL;
        }
        if (is_control(*at)) {
            fail(reading, line, "there is a control character between quotes");
            return NULL;
        }
        if (quote == '"' && at[0] == '$' && at[1] == '{') {
            fail(reading, line, "variables are not expanded; for the text itself write \\${");
            return NULL;
        }
        if (*at != '\\')
            continue;
        size_t length = quote == '"' ? escape_length(at + 1) : strspn(at + 1, "\\'") > 0;
        if (quote == '"' && length == 0) {
            fail(reading, line, "between double quotes a backslash is written \\\\");
            return NULL;
        }
        at += length;
    }
    return at + 1;
}

/* Whether the byte at ${at}, outside of quotes, is one that libconfuse takes as it stands. */
static bool check_bare(struct reading *reading, const char *at, bool in_word, unsigned line)
{
    if (at[0] == '$' && at[1] == '{')
        fail(reading, line, "variables are not expanded; a value with ${ belongs in '...'");
    else if (at[0] == '/' && at[1] == '/' && !in_word)
        fail(reading, line, "a comment begins with #, and a value with // belongs in quotes");
    else if (at[0] == '*' || (at[0] == '+' && at[1] != '='))
        fail(reading, line, "a value with %c belongs in quotes", at[0]);
    else if (is_control(at[0]) && at[0] != '\t' && !(at[0] == '\r' && at[1] == '\n'))
        fail(reading, line, "there is a control character");
    return !reading->failed;
}

/* Refuse what libconfuse would misread, and blank the comments of ${text}. */
static int go_over(struct reading *reading, char *text)
{
    unsigned line = 1;
    bool in_word = false;

    for (char *at = text; *at != '\0';) {
        if (*at == '\n') {
            line++;
            in_word = false;
            at++;
        } else if (*at == '#') {
            size_t length = strcspn(at, "\n");

            memset(at, ' ', length);
            at += length;
        } else if (*at == '"' || *at == '\'') {
            const char *end = skip_quoted(reading, at, line);

            if (end == NULL)
                return -1;
            at += end - at;
            in_word = false;
        } else if (!check_bare(reading, at, in_word, line)) {
            return -1;
        } else {
            in_word = strchr(" \t\r={}(),+", *at) == NULL;
            at++;
        }
    }
    return 0;
}

/* --- libconfuse */

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[256];

    /* Its own words, but in our form where it is about an option, and with what is to be done.
     */
    if (strcmp(format, "no such option '%s'") == 0) {
        fail(current, (unsigned)cfg->line,
             "option %s: there is no such option (tickd -h lists them%s)",
             va_arg(args, const char *),
             current->value == (unsigned)cfg->line
                 ? "); if it belongs to the value before it: that is written in quotes (\"...\""
                 : "");
        return;
    }
    if (strcmp(format, "unexpected token '%s'") == 0) {
        const char *token = va_arg(args, const char *);

        fail(current, (unsigned)cfg->line,
             "unexpected '%s': a value with it belongs in quotes (\"...\"), a list in braces",
             token);
        return;
    }
    vsnprintf(text, sizeof(text), format, args);
    fail(current, (unsigned)cfg->line, "%s", text);
}

/* A value, in the order of the file. Returns nonzero to stop. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    unsigned *first = &current->line[opt - cfg->opts], line = (unsigned)cfg->line;
    char problem[512];

    if (*first != 0 && !(opt->flags & CFGF_LIST)) {
        fail(current, line, "option %s: it is given twice (first in line %u)", opt->name,
             *first);
        return -1;
    }
    *first = current->value = line;
    if (config_reading(current->config, current->path, line)) {
        fail(current, line, "out of memory");
        return -1;
    }
    if (config_set(current->config, opt->name, value, problem, sizeof(problem))) {
        fail(current, line, "option %s", problem);
        return -1;
    }
    memcpy(result, &value, sizeof(value));
    return 0;
}

static void describe(void *arg, const char *name, const char *argument, const char *standard,
                     const char *help)
{
    struct reading *reading = arg;
    cfg_opt_t *grown =
        realloc(reading->opts, (reading->opt_count + 2) * sizeof(*reading->opts));
    int list = config_is_list(name) ? CFGF_LIST : CFGF_NONE;
    const cfg_opt_t row = CFG_STR_CB(name, NULL, CFGF_NODEFAULT | list, on_value);
    const cfg_opt_t end = CFG_END();

    (void)argument;
    (void)standard;
    (void)help;
    if (grown == NULL) {
        reading->failed = true;
        return;
    }
    reading->opts = grown;
    reading->opts[reading->opt_count++] = row;
    reading->opts[reading->opt_count] = end;
}

static int parse(struct reading *reading, const char *text)
{
    cfg_t *cfg;
    int result = -1;

    snprintf(reading->problem, reading->size, "%s: out of memory", reading->path);
    config_each(describe, reading);
    if (reading->failed)
        goto out;
    reading->line = calloc(reading->opt_count, sizeof(*reading->line));
    cfg = cfg_init(reading->opts, CFGF_NONE);
    if (reading->line == NULL || cfg == NULL)
        goto out_cfg;
    cfg_set_error_function(cfg, on_error);
    current = reading;
    if (cfg_parse_buf(cfg, text) == CFG_SUCCESS && !reading->failed)
        result = 0;
    current = NULL;

out_cfg:
    cfg_free(cfg);
out:
    free(reading->line);
    free(reading->opts);
    return result;
}

/* --- The file */

/* All of it, terminated; to be freed. */
static char *slurp(const char *path, size_t *len)
{
    char *text = malloc(CONFIGFILE_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = -1;

    *len = 0;
    if (text != NULL && fd >= 0) {
        while ((n = read(fd, text + *len, CONFIGFILE_MAX + 1 - *len)) > 0)
            *len += (size_t)n;
        if (*len > CONFIGFILE_MAX) {
            errno = EFBIG;
            n = -1;
        }
    }
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        free(text);
        text = NULL;
    } else {
        text[*len] = '\0';
    }
    errno = saved;
    return text;
}

int configfile_read(struct config *config, const char *path, char *problem, size_t size)
{
    struct reading reading = {
        .config = config, .path = path, .problem = problem, .size = size
    };
    size_t len;
    char *text = slurp(path, &len);
    int result = -1;

    if (text == NULL) {
        snprintf(problem, size, "cannot read the configuration file %s: %s", path,
                 strerror(errno));
        return -1;
    }
    if (strlen(text) != len)
        snprintf(problem, size, "%s: there is a NUL byte: this is no text", path);
    else if (go_over(&reading, text) == 0)
        result = parse(&reading, text);
    free(text);
    return result;
}

/* --- Writing */

static void write_quoted(FILE *file, const char *value)
{
    putc('"', file);
    for (; *value != '\0'; value++) {
        if (is_control(*value))
            fprintf(file, "\\x%02x", (unsigned char)*value);
        else if (*value == '"' || *value == '\\' || (*value == '$' && value[1] == '{'))
            fprintf(file, "\\%c", *value);
        else
            putc(*value, file);
    }
    putc('"', file);
}

static void write_option(void *arg, const char *name, enum config_form form, size_t count,
                         const char *const *values)
{
    FILE *file = arg;

    fprintf(file, "%s = %s", name, form == CONFIG_FORM_LIST ? "{" : "");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            fputs(", ", file);
        if (form == CONFIG_FORM_WORD)
            fputs(values[i], file);
        else
            write_quoted(file, values[i]);
    }
    fputs(form == CONFIG_FORM_LIST ? "}\n" : "\n", file);
}

void configfile_write(const struct config *config, FILE *file)
{
    config_values(config, write_option, file);
}
