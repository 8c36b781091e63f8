#include "unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "system/commandline.h"

#define ARGUMENTS_MAX 32

static char problem[512];

/* The words of ${text}, after the name of the program; NULL with a problem. */
static struct commandline *read_words(const char *text)
{
    static char words[1024];
    char *argv[ARGUMENTS_MAX + 1] = { (char[]){ "tickd" } }, *rest = words;
    int argc = 1;

    snprintf(words, sizeof(words), "%s", text);
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        ck_assert_int_lt(argc, ARGUMENTS_MAX);
        argv[argc++] = word;
    }
    memset(problem, 0, sizeof(problem));
    return commandline_read(argc, argv, problem, sizeof(problem));
}

static struct commandline *accept(const char *text)
{
    struct commandline *made = read_words(text);

    ck_assert_msg(made != NULL, "%s: %s", text, problem);
    return made;
}

static struct config *configure(const struct commandline *commandline)
{
    struct config *config = commandline_config(commandline, problem, sizeof(problem));

    ck_assert_msg(config != NULL, "%s", problem);
    return config;
}

/* The files of the tests, and the current directory. */
static void begin(const char *text)
{
    files_write("a.conf", text, strlen(text));
    ck_assert_int_eq(chdir(files_root()), 0);
}

START_TEST(commandline_tells_tasks)
{
    static const struct {
        const char *text;
        enum commandline_task task;
    } cases[] = {
        { "-d x", COMMANDLINE_RUN },
        { "-t -d x", COMMANDLINE_CHECK },
        { "-d x --test", COMMANDLINE_CHECK },
        { "-T -d x", COMMANDLINE_PRINT },
        { "-s stop -d x", COMMANDLINE_SIGNAL },
        { "--signal=status -d x", COMMANDLINE_SIGNAL },
        { "-V", COMMANDLINE_VERSION },
        { "-h surplus", COMMANDLINE_HELP },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct commandline *made = accept(cases[i].text);

        ck_assert_int_eq(made->task, cases[i].task);
        ck_assert(!made->foreground);
        ck_assert_ptr_null(made->file);
        if (made->task == COMMANDLINE_SIGNAL)
            ck_assert(strcmp(made->signal, "stop") == 0 || strcmp(made->signal, "status") == 0);
        commandline_free(made);
    }
}
END_TEST

START_TEST(commandline_refuses)
{
    static const char *const cases[][2] = {
        { "-Z", "-Z" },
        { "--nonsense", "--nonsense" },
        { "-d x surplus", "surplus" },
        { "-d", "-d" },
        { "-c", "-c" },
        { "-s hop", "hop" },
        { "-o workers", "workers" },
        { "-w two", "two" },
        { "-o no_such=1", "no_such" },
        { "-o missing=shrug", "shrug" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(read_words(cases[i][0]) == NULL, "%s", cases[i][0]);
        ck_assert_msg(strstr(problem, cases[i][1]) != NULL, "%s", problem);
    }
}
END_TEST

START_TEST(commandline_flags_go_before_the_file)
{
    static const char *const orders[] = {
        "-c a.conf -f -w 3 -l a:1 -l b:2 -o type=a/b/c:u8 -o max_days=7",
        "-w 3 -o type=a/b/c:u8 -l a:1 -f --option max_days=7 -l b:2 --config a.conf",
    };

    begin("workers = 5 backlog = 9 data = /x\nlisten = {c:3, d:4, e:5}\n"
          "type = {a/b/c:u64, a/b/d:u64}");
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct commandline *made = accept(orders[i]);
        struct config *config = configure(made);

        ck_assert(made->foreground);
        ck_assert_uint_eq(config->workers, 3);
        ck_assert_uint_eq(config->max_days, 7);
        ck_assert_uint_eq(config->backlog, 9);
        ck_assert_str_eq(config->data, "/x");
        ck_assert_uint_eq(config->listen.count, 2);
        ck_assert_str_eq(config->listen.items[0], "a:1");
        ck_assert_str_eq(config->listen.items[1], "b:2");
        ck_assert_uint_eq(config->type.count, 1);
        ck_assert_uint_eq(
            coltypes_find(config->coltypes, SLICE("a"), SLICE("b"), SLICE("c")).size, 1);
        ck_assert_uint_eq(
            coltypes_find(config->coltypes, SLICE("a"), SLICE("b"), SLICE("d")).size, 4);
        config_free(config);
        commandline_free(made);
    }
}
END_TEST

START_TEST(commandline_configures_anew)
{
    begin("workers = 5\nlisten = {c:3}\n");
    struct commandline *made = accept("-c a.conf -d data");
    struct config *config = configure(made);
    ck_assert_uint_eq(config->workers, 5);
    config_free(config);

    /* The file has changed, and we are a daemon meanwhile. */
    files_write("a.conf", "workers = 6", 11);
    ck_assert_int_eq(chdir("/"), 0);
    config = configure(made);
    ck_assert_uint_eq(config->workers, 6);
    ck_assert_uint_eq(config->listen.count, 1);
    ck_assert_str_eq(config->listen.items[0], "127.0.0.1:8080");
    config_free(config);

    files_write("a.conf", "\nworkers = six", 14);
    ck_assert_ptr_null(commandline_config(made, problem, sizeof(problem)));
    ck_assert_ptr_nonnull(strstr(problem, "a.conf:2: option workers: "));
    files_remove("a.conf");
    ck_assert_ptr_null(commandline_config(made, problem, sizeof(problem)));
    ck_assert_ptr_nonnull(strstr(problem, "a.conf: No such file"));
    files_write("a.conf", "", 0);
    config_free(configure(made));
    commandline_free(made);
}
END_TEST

START_TEST(commandline_makes_paths_absolute)
{
    char expected[4096];

    begin(
        "error_log = logs/error\npid_file = pid\naccess_log = logs/access\nsymbols_dir = .\n");
    struct commandline *made = accept("-c a.conf -d ticks");
    struct config *config = configure(made);
    snprintf(expected, sizeof(expected), "%s/ticks", files_root());
    ck_assert_str_eq(config->data, expected);
    snprintf(expected, sizeof(expected), "%s/logs/error", files_root());
    ck_assert_str_eq(config->error_log, expected);
    ck_assert_int_eq(config_error_log(config), CONFIG_ERROR_LOG_FILE);
    snprintf(expected, sizeof(expected), "%s/pid", files_root());
    ck_assert_str_eq(config->pid_file, expected);
    snprintf(expected, sizeof(expected), "%s/logs/access", files_root());
    ck_assert_str_eq(config->access_log, expected);
    snprintf(expected, sizeof(expected), "%s/.", files_root());
    ck_assert_str_eq(config->symbols_dir, expected);
    snprintf(expected, sizeof(expected), "%s/a.conf", files_root());
    ck_assert_str_eq(made->file, expected);
    config_free(config);
    commandline_free(made);

    made = accept("-d /a -o error_log=syslog -o pid_file=/b");
    config = configure(made);
    ck_assert_str_eq(config->error_log, "syslog");
    ck_assert_int_eq(config_error_log(config), CONFIG_ERROR_LOG_SYSLOG);
    ck_assert_str_eq(config->pid_file, "/b");
    ck_assert_str_eq(config->data, "/a");
    config_free(config);
    commandline_free(made);
}
END_TEST

/* What only looks for a server does not need what may be broken. */
START_TEST(commandline_needs_no_file_for_a_signal)
{
    begin("workers = broken");
    struct commandline *made = accept("-s stop -c a.conf -o pid_file=/run/x");
    ck_assert_ptr_null(made->file);
    struct config *config = configure(made);
    ck_assert_str_eq(config->pid_file, "/run/x");
    config_free(config);
    commandline_free(made);

    made = accept("-s stop -c a.conf");
    ck_assert_ptr_nonnull(made->file);
    ck_assert_ptr_null(commandline_config(made, problem, sizeof(problem)));
    commandline_free(made);
}
END_TEST

UNIT("commandline", commandline_tells_tasks, commandline_refuses,
     commandline_flags_go_before_the_file, commandline_configures_anew,
     commandline_makes_paths_absolute, commandline_needs_no_file_for_a_signal)
