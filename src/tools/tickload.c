/* tickload: from CSV to day files. See tickload(1). */

#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tools/loader.h"
#include "tools/seriesdir.h"

static void print_help(void)
{
    printf("Usage: tickload -d DATA -e EXCHANGE -s SYMBOL -t TYPE -m MAP [options] FILE...|-\n"
           "Load CSV files, plain or gzip, into the day files that tickd serves.\n"
           "\n"
           "  -d, --data DATA          directory of the series\n"
           "  -e, --exchange NAME      exchange, symbol and type of the series\n"
           "  -s, --symbol NAME\n"
           "  -t, --type NAME\n"
           "  -m, --map MAP            column=source[:type],...  source: a name of the header\n"
           "                           line, #N (the Nth field) or @row (1, 2, ...);\n"
           "                           time=source:unit, unit: s ms us ns rfc3339\n"
           "  -o, --origin TIME        times count from this RFC 3339 time, or from the\n"
           "                           midnight in the file's name: name:YYYYMMDD-05:00\n"
           "      --scale COL=FACTOR   multiply a column: price=0.0001,...\n"
           "      --delimiter CHAR     between fields, one byte or 'tab' (,)\n"
           "      --skip-header        drop the first line of each file\n"
           "      --skip-bad           skip bad rows, tell and count them\n"
           "      --replace            replace days that exist\n"
           "      --append             append to days that exist\n"
           "  -q, --quiet              no progress bar, no summary\n"
           "  -h, --help               print this and stop\n"
           "  -V, --version            print the version and stop\n"
           "\n"
           "Example:\n"
           "  tickload -d data -e fxcm -s EURUSD -t QUOTES --origin name:YYYYMMDD-05:00 \\\n"
           "      -m 'time=#1:ms,best_bid=#2,best_ask=#3' 2014*_quote.csv.gz\n");
}

/* How to learn more about a call that was wrong. */
static _Noreturn void refer(void)
{
    log_error("try 'tickload --help'");
    exit(2);
}

enum {
    OPTION_SCALE = 256,
    OPTION_DELIMITER,
    OPTION_SKIP_HEADER,
    OPTION_SKIP_BAD,
    OPTION_REPLACE,
    OPTION_APPEND,
};

static const struct option options[] = {
    { "data", required_argument, NULL, 'd' },
    { "exchange", required_argument, NULL, 'e' },
    { "symbol", required_argument, NULL, 's' },
    { "type", required_argument, NULL, 't' },
    { "map", required_argument, NULL, 'm' },
    { "origin", required_argument, NULL, 'o' },
    { "scale", required_argument, NULL, OPTION_SCALE },
    { "delimiter", required_argument, NULL, OPTION_DELIMITER },
    { "skip-header", no_argument, NULL, OPTION_SKIP_HEADER },
    { "skip-bad", no_argument, NULL, OPTION_SKIP_BAD },
    { "replace", no_argument, NULL, OPTION_REPLACE },
    { "append", no_argument, NULL, OPTION_APPEND },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

/* What the options said, before it is looked at together. */
struct arguments {
    struct loader_job job;
    const char *map, *origin;
    const char *scales[COLUMNS_MAX];
    size_t scale_count;
};

static char parse_delimiter(const char *text)
{
    if (strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0)
        return '\t';
    if (strlen(text) == 1 && strchr("\"\r\n", text[0]) == NULL)
        return text[0];
    log_error("--delimiter '%s': give one character but quote and line end, or 'tab'", text);
    refer();
}

static void set_mode(struct loader_job *job, enum import_mode mode)
{
    if (job->mode != IMPORT_NEW && job->mode != mode) {
        log_error("--replace and --append do not go together");
        refer();
    }
    job->mode = mode;
}

static void add_scale(struct arguments *arguments, const char *text)
{
    if (arguments->scale_count == COLUMNS_MAX) {
        log_error("--scale: too many of them");
        refer();
    }
    arguments->scales[arguments->scale_count++] = text;
}

static void take_option(struct arguments *arguments, int option)
{
    struct loader_job *job = &arguments->job;

    switch (option) {
    case 'd':
        job->data = optarg;
        break;
    case 'e':
        job->exchange = optarg;
        break;
    case 's':
        job->symbol = optarg;
        break;
    case 't':
        job->type = optarg;
        break;
    case 'm':
        arguments->map = optarg;
        break;
    case 'o':
        arguments->origin = optarg;
        break;
    case OPTION_SCALE:
        add_scale(arguments, optarg);
        break;
    case OPTION_DELIMITER:
        job->delimiter = parse_delimiter(optarg);
        break;
    case OPTION_SKIP_HEADER:
        job->skip_header = true;
        break;
    case OPTION_SKIP_BAD:
        job->skip_bad = true;
        break;
    case OPTION_REPLACE:
        set_mode(job, IMPORT_REPLACE);
        break;
    case OPTION_APPEND:
        set_mode(job, IMPORT_APPEND);
        break;
    case 'q':
        job->quiet = true;
        break;
    case 'h':
        print_help();
        exit(0);
    case 'V':
        printf("tickload (tickd) %s\n", PACKAGE_VERSION);
        exit(0);
    default:
        refer();
    }
}

static void need(const char *value, const char *what)
{
    if (value == NULL) {
        log_error("%s is missing", what);
        refer();
    }
}

/* Look at the origin together with what else there is. */
static void check_origin(struct arguments *arguments, struct origin *origin)
{
    const struct loader_job *job = &arguments->job;
    const char *wrong = origin_parse(arguments->origin, origin);

    if (wrong == NULL && job->map->unit == TICKTIME_RFC3339)
        wrong = "times in RFC 3339 have no origin";
    for (size_t i = 0; wrong == NULL && i < job->file_count; i++) {
        if (origin->pattern.at != NULL && strcmp(job->files[i], "-") == 0)
            wrong = "standard input has no name";
    }
    if (wrong != NULL) {
        log_error("--origin '%s': %s", arguments->origin, wrong);
        refer();
    }
}

static void parse_arguments(int argc, char **argv, struct arguments *arguments,
                            struct colmap *map, struct origin *origin)
{
    static char name[] = "tickload";
    struct loader_job *job = &arguments->job;
    int option;

    if (argc > 0)
        argv[0] = name; /* as getopt's messages begin */
    while ((option = getopt_long(argc, argv, "d:e:s:t:m:o:qhV", options, NULL)) != -1)
        take_option(arguments, option);
    need(job->data, "-d DATA, the directory of the series,");
    need(job->exchange, "-e EXCHANGE");
    need(job->symbol, "-s SYMBOL");
    need(job->type, "-t TYPE");
    need(arguments->map, "-m MAP, which field is which column,");
    need(argv[optind], "FILE, or - for standard input,");
    job->files = argv + optind;
    job->file_count = (size_t)(argc - optind);

    if (seriesdir_check_names(job->exchange, job->symbol, job->type) ||
        colmap_parse(arguments->map, map))
        refer();
    for (size_t i = 0; i < arguments->scale_count; i++) {
        if (colmap_scale(map, arguments->scales[i]))
            refer();
    }
    job->map = map;
    if (arguments->origin != NULL) {
        check_origin(arguments, origin);
        job->origin = origin;
    }
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .job = { .delimiter = ',', .mode = IMPORT_NEW } };
    struct colmap map;
    struct origin origin;

    log_to_stderr("tickload");
    parse_arguments(argc, argv, &arguments, &map, &origin);
    return loader_run(&arguments.job) ? 1 : 0;
}
