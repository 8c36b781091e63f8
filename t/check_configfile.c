#include "unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "system/configfile.h"

static char problem[512];
static char path[4096];

/* Read ${len} bytes as a file into a fresh configuration; NULL if they are refused. */
static struct config *read_bytes(const char *text, size_t len)
{
    struct config *config = config_new();

    ck_assert_ptr_nonnull(config);
    files_write("a.conf", text, len);
    snprintf(path, sizeof(path), "%s/a.conf", files_root());
    memset(problem, 0, sizeof(problem));
    if (configfile_read(config, path, problem, sizeof(problem)) == 0)
        return config;
    config_free(config);
    return NULL;
}

static struct config *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static struct config *accept(const char *text)
{
    struct config *config = read_text(text);

    ck_assert_msg(config != NULL, "%s: %s", text, problem);
    return config;
}

/* Refused in one line "PATH:LINE: about". */
static void refuse(const char *text, unsigned line, const char *about)
{
    char start[4200];

    ck_assert_msg(read_text(text) == NULL, "%s", text);
    snprintf(start, sizeof(start), "%s:%u: %s", path, line, about);
    ck_assert_msg(strncmp(problem, start, strlen(start)) == 0, "%s: %s", text, problem);
    ck_assert_ptr_null(strchr(problem, '\n'));
}

START_TEST(configfile_reads_every_kind)
{
    struct config *config = accept("# a comment\n"
                                   "data = /srv/ticks   # and another one\n"
                                   "workers = 2\r\n"
                                   "keepalive_timeout = 80s\tsend_timeout = 500ms\n"
                                   "max_body=\"90k\"\n"
                                   "missing = skip\n"
                                   "cpus = \"0,1\"\n"
                                   "listen = {127.0.0.1:80, \"*:81\",\n"
                                   "          '[::1]:82', unix:/run/s,}\n"
                                   "type = 'a/*/b:u64'\n"
                                   "type += 'a/*/c:u8'#");

    ck_assert_str_eq(config->data, "/srv/ticks");
    ck_assert_uint_eq(config->workers, 2);
    ck_assert_uint_eq(config->keepalive_timeout, 80000);
    ck_assert_uint_eq(config->send_timeout, 500);
    ck_assert_uint_eq(config->max_body, 90 * 1024);
    ck_assert_uint_eq(config->missing, CONFIG_MISSING_SKIP);
    ck_assert_str_eq(config->cpus, "0,1");
    ck_assert_uint_eq(config->listen.count, 4);
    ck_assert_str_eq(config->listen.items[1], "*:81");
    ck_assert_str_eq(config->listen.items[3], "unix:/run/s");
    ck_assert_uint_eq(config->type.count, 2);
    ck_assert_uint_eq(coltypes_find(config->coltypes, SLICE("a"), SLICE("x"), SLICE("c")).size,
                      1);
    ck_assert_uint_eq(config->max_columns, 64);
    config_free(config);
}
END_TEST

START_TEST(configfile_takes_nothing_for_an_answer)
{
    static const char *const texts[] = { "", "\n", "#", "# x\n\n", " \t \r\n" };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct config *config = accept(texts[i]);

        ck_assert_uint_eq(config->backlog, 1024);
        ck_assert_uint_eq(config->listen.count, 0);
        config_free(config);
    }
}
END_TEST

START_TEST(configfile_quotes)
{
    static const struct {
        const char *text, *data;
    } cases[] = {
        { "data = \"/a b#c\"", "/a b#c" },
        { "data = '/a \"b\" \\'c\\' \\d'", "/a \"b\" 'c' \\d" },
        { "data = \"/a \\\"b\\\" 'c' \\\\d\"", "/a \"b\" 'c' \\d" },
        { "data = \"/\\${HOME}\"", "/${HOME}" },
        { "data = '/${HOME}'", "/${HOME}" },
        { "data = \"/$HOME\"", "/$HOME" },
        { "data = /$HOME", "/$HOME" },
        { "data = \"/\\x41\\x0a\\xFf\"", "/A\n\xff" },
        { "data = \"/\xc3\xa9\"", "/\xc3\xa9" },
        { "data = /\xc3\xa9", "/\xc3\xa9" },
        { "data = /a//b", "/a//b" },
        { "data = \"\"", "" },
        { "data = ''", "" },
        { "data = \"//a\"", "//a" },
        { "data = \"/* a */\"", "/* a */" },
    };

    setenv("HOME", "/nowhere", 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config *config = accept(cases[i].text);

        ck_assert_str_eq(config->data, cases[i].data);
        config_free(config);
    }
}
END_TEST

START_TEST(configfile_refuses_with_the_line)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *about;
    } cases[] = {
        { "no_such = 1", 1, "option no_such: " },
        { "# a\n# b\n\nno_such = 1\n", 4, "option no_such: " },
        { "__unknown = 1", 1, "option __unknown: " },
        { "workers = 2\nworkers = 3", 2,
          "option workers: it is given twice (first in line 1)" },
        { "# a\nworkers = two", 2, "option workers: 'two' is not a number" },
        { "\n\nkeepalive_timeout = 75sec", 3, "option keepalive_timeout: '75sec' is not" },
        { "listen = {\"a:1\"}\ntype = {\n'a/b/c:u8',\n'a/b'}", 4, "option type: 'a/b' is not" },
        { "missing = shrug", 1, "option missing: 'shrug' is none of" },
        { "workers = {1}", 1, "" },
        { "workers += 1", 1, "" },
        { "workers = 1 2", 1, "option 2: " },
        { "data = /x y", 1,
          "option y: there is no such option (tickd -h lists them); if it belongs to the value "
          "before it: that is written in quotes (\"...\")" },
        { "data = /x\ny = 1", 2, "option y: there is no such option (tickd -h lists them)" },
        { "listen = a:1,b:2", 1,
          "unexpected ',': a value with it belongs in quotes (\"...\")" },
        { "data = /x=y", 1, "unexpected '=': a value with it belongs in quotes" },
        { "workers 1", 1, "" },
        { "workers", 1, "" },
        { "workers =", 1, "" },
        { "workers = = 1", 1, "" },
        { "= 1", 1, "" },
        { "}", 1, "" },
        { "listen = {a:1 b:2}", 1, "" },
        { "listen = {a:1", 1, "" },
        { "server { workers = 1 }", 1, "option server: " },
        { "a|b = 1", 1, "" },
        /* What libconfuse would do, and nobody expects. */
        { "\ninclude(\"/etc/passwd\")", 2, "option include: " },
        { "include = \"/etc/passwd\"", 1, "option include: " },
        { "data = ${HOME}", 1, "variables" },
        { "data = /x${HOME}", 1, "variables" },
        { "data = \"${HOME}\"", 1, "variables" },
        { "data = \"/x\\\\${HOME:-y}\"", 1, "variables" },
        { "${HOME} = 1", 1, "variables" },
        { "listen = *:80", 1, "a value with *" },
        { "type = */*/x:u8", 1, "a value with *" },
        { "data = a+b", 1, "a value with +" },
        { "// a\n", 1, "a comment begins with #" },
        { "data = //a", 1, "a comment begins with #" },
        { "/* a */", 1, "a value with *" },
        /* What would keep its scanner inside of quotes for the next file. */
        { "\ndata = \"a", 2, "a value's closing \" is missing" },
        { "data = 'a\n", 1, "a value's closing ' is missing" },
        { "data = \"a\n\"", 1, "a value's closing \" is missing" },
        { "data = \"a\\\"", 1, "a value's closing \" is missing" },
        { "data = \"\\777\"", 1, "between double quotes" },
        { "data = \"\\n\"", 1, "between double quotes" },
        { "data = \"\\x00\"", 1, "between double quotes" },
        { "data = \"\\xg0\"", 1, "between double quotes" },
        { "data = \"\\x1\"", 1, "between double quotes" },
        { "data = \"a\tb\"", 1, "there is a control character" },
        { "data = a\001b", 1, "there is a control character" },
        { "data = a\rb", 1, "there is a control character" },
        { "data = a\177", 1, "there is a control character" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        refuse(cases[i].text, cases[i].line, cases[i].about);
        /* And the next file is read as if nothing had been. */
        struct config *config = accept("data = /x\n");
        ck_assert_str_eq(config->data, "/x");
        config_free(config);
    }
}
END_TEST

/* Any beginning, and any byte in place of another, ends in a configuration or in a message. */
START_TEST(configfile_survives_anything)
{
    static const char text[] = "data=\"/a\\\"b\" # c\nlisten={'a:1',*:2} type+=\"\\x41${\"\n";
    char changed[sizeof(text)];

    for (size_t len = 0; len < sizeof(text); len++)
        config_free(read_bytes(text, len));
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        for (int c = 0; c < 256; c += c < 128 ? 1 : 51) {
            memcpy(changed, text, sizeof(text));
            changed[i] = (char)c;
            struct config *config = read_bytes(changed, sizeof(text) - 1);
            ck_assert(config != NULL || problem[0] != '\0');
            config_free(config);
        }
    }
    config_free(accept("data = /x\n"));
}
END_TEST

START_TEST(configfile_says_why_a_file_cannot_be_read)
{
    static char large[CONFIGFILE_MAX + 2];
    struct config *config = config_new();
    char tiny[8] = "1234567";

    ck_assert_int_eq(configfile_read(config, "/nowhere/at/all", problem, sizeof(problem)), -1);
    ck_assert_str_eq(problem, "cannot read the configuration file /nowhere/at/all: "
                              "No such file or directory");
    ck_assert_int_eq(configfile_read(config, "/", problem, sizeof(problem)), -1);
    ck_assert_str_eq(problem, "cannot read the configuration file /: Is a directory");
    ck_assert_int_eq(configfile_read(config, "/nowhere", tiny, 4), -1);
    ck_assert_str_eq(tiny + 4, "567");
    config_free(config);

    ck_assert_ptr_null(read_bytes("data = a\0b\n", 11));
    ck_assert_ptr_nonnull(strstr(problem, "NUL"));
    memset(large, ' ', sizeof(large));
    ck_assert_ptr_null(read_bytes(large, CONFIGFILE_MAX + 1));
    ck_assert_ptr_nonnull(strstr(problem, "File too large"));
    config_free(read_bytes(large, CONFIGFILE_MAX));
}
END_TEST

/* What is written, as a text of the test's. */
static const char *written(const struct config *config)
{
    static char text[16384];
    FILE *file = fmemopen(text, sizeof(text), "w");

    ck_assert_ptr_nonnull(file);
    configfile_write(config, file);
    fclose(file);
    return text;
}

START_TEST(configfile_writes_what_it_reads)
{
    char first[16384];
    struct config *config = accept("data = \"/a \\\"b\\\"\\x0a\\\\ \\${X} $y \xc3\xa9 'z'\"\n"
                                   "type = {'*/*/a:u8', 'b/*/c:u64'} workers = 7\n"
                                   "missing = prefix max_body = 1025 live_grace = 0\n"
                                   "drain_timeout = 1500ms send_timeout = 1h\n"
                                   "max_header = 1m max_target = 2k live_window = 1d");

    ck_assert_int_eq(config_complete(config, problem, sizeof(problem)), 0);
    snprintf(first, sizeof(first), "%s", written(config));
    config_free(config);
    static const char *const lines[] = {
        "data = \"/a \\\"b\\\"\\x0a\\\\ \\${X} $y \xc3\xa9 'z'\"\n",
        "\ntype = {\"*/*/a:u8\", \"b/*/c:u64\"}\n",
        "\nlisten = {\"127.0.0.1:8080\"}\n",
        "\nworkers = 7\n",
        "\nmissing = prefix\n",
        "\nmax_body = 1025\n",
        "\nlive_grace = 0ms\n",
        "\ndrain_timeout = 1500ms\n",
        "\nsend_timeout = 1h\n",
        "\nmax_header = 1m\n",
        "\nmax_target = 2k\n",
        "\nlive_window = 1d\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        ck_assert_msg(strstr(first, lines[i]) != NULL, "%s not in %s", lines[i], first);

    config = accept(first);
    ck_assert_int_eq(config_complete(config, problem, sizeof(problem)), 0);
    ck_assert_str_eq(written(config), first);
    config_free(config);

    /* The defaults, too. */
    config = config_new();
    ck_assert_ptr_nonnull(strstr(written(config), "\ntype = {}\n"));
    snprintf(first, sizeof(first), "%s", written(config));
    config_free(config);
    config = accept(first);
    ck_assert_str_eq(written(config), first);
    config_free(config);
}
END_TEST

UNIT("configfile", configfile_reads_every_kind, configfile_takes_nothing_for_an_answer,
     configfile_quotes, configfile_refuses_with_the_line, configfile_survives_anything,
     configfile_says_why_a_file_cannot_be_read, configfile_writes_what_it_reads)
