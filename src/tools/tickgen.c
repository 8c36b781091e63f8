/* tickgen: made-up days of any size, always the same for the same seed. See tickgen(1). */

#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/date.h"
#include "base/log.h"
#include "base/num.h"
#include "tools/columns.h"
#include "tools/dayswap.h"
#include "tools/daywriter.h"
#include "tools/seriesdir.h"
#include "tools/walk.h"

#define SYMBOLS_MAX 10000
#define SYMBOLS_DEFAULT 2
#define ROWS_MAX UINT64_C(4000000000)

enum kind {
    KIND_QUOTES,
    KIND_TRADES,
};

static const char *data, *exchange = "coinbase", *type;
static uint64_t days = 7, symbol_count, rows_per_day = 250000, seed = 1;
static int32_t start = -1;
static bool replace, quiet;
static const char **named; /* --symbol, in order */
static size_t named_count;

static void print_help(void)
{
    printf(
        "Usage: tickgen -d DATA [options]\n"
        "Make up days of quotes (MD) and trades (TRADES), the same for the same seed.\n\n"
        "  -d, --data DATA         directory of the series; made if it is missing\n"
        "  -e, --exchange NAME     exchange (coinbase)\n"
        "  -t, --type TYPE         only MD, QUOTES or TRADES (both MD and TRADES)\n"
        "  -n, --days N            days of each series (7)\n"
        "  -S, --symbols N         the first N of BTC-USD, ETH-USD, ... (2)\n"
        "  -s, --symbol NAME       this symbol; may be given several times\n"
        "  -r, --rows-per-day N    rows of each day, k and m for thousands, millions (250k)\n"
        "      --seed N            another seed makes other data (1)\n"
        "      --start YYYY-MM-DD  first day (such that the last one is yesterday, UTC)\n"
        "      --replace           replace days that exist\n"
        "  -q, --quiet             no summary\n"
        "  -h, --help              print this and stop\n"
        "  -V, --version           print the version and stop\n");
}

/* Tell what is wrong with the call and how to learn more; does not return. */
#define USAGE(...)                                                                             \
    do {                                                                                       \
        log_error(__VA_ARGS__);                                                                \
        log_error("try 'tickgen --help'");                                                     \
        exit(2);                                                                               \
    } while (0)

/* A count, with k or m for its thousands or millions. */
static uint64_t parse_count(const char *option, const char *text, uint64_t least, uint64_t most)
{
    struct slice s = slice_of(text);
    uint64_t value, factor = 1;

    if (s.len > 0 && (s.at[s.len - 1] == 'k' || s.at[s.len - 1] == 'm'))
        factor = s.at[--s.len] == 'k' ? 1000 : 1000000;
    if (num_parse(s, &value) || __builtin_mul_overflow(value, factor, &value) ||
        value < least || value > most)
        USAGE("--%s '%s': give a number from %llu to %llu", option, text,
              (unsigned long long)least, (unsigned long long)most);
    return value;
}

static void parse_start(const char *text)
{
    if (date_parse_iso(slice_of(text), &start) || start < DATE_FIRST || start > DATE_LAST)
        USAGE("--start '%s': give a date as 2025-01-31, in 2000-2099", text);
}

static void add_symbol(const char *name)
{
    const char **grown = realloc(named, (named_count + 1) * sizeof(*named));

    if (grown == NULL) {
        log_error("%m");
        exit(1);
    }
    named = grown;
    named[named_count++] = name;
}

enum {
    OPTION_SEED = 256,
    OPTION_START,
    OPTION_REPLACE,
};

static const struct option options[] = {
    { "data", required_argument, NULL, 'd' },
    { "exchange", required_argument, NULL, 'e' },
    { "type", required_argument, NULL, 't' },
    { "days", required_argument, NULL, 'n' },
    { "symbols", required_argument, NULL, 'S' },
    { "symbol", required_argument, NULL, 's' },
    { "rows-per-day", required_argument, NULL, 'r' },
    { "seed", required_argument, NULL, OPTION_SEED },
    { "start", required_argument, NULL, OPTION_START },
    { "replace", no_argument, NULL, OPTION_REPLACE },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static void parse_option(int option)
{
    switch (option) {
    case 'd':
        data = optarg;
        break;
    case 'e':
        exchange = optarg;
        break;
    case 't':
        type = optarg;
        break;
    case 'n':
        days = parse_count("days", optarg, 1, DATE_LAST - DATE_FIRST + 1);
        break;
    case 'S':
        symbol_count = parse_count("symbols", optarg, 1, SYMBOLS_MAX);
        break;
    case 's':
        add_symbol(optarg);
        break;
    case 'r':
        rows_per_day = parse_count("rows-per-day", optarg, 1, ROWS_MAX);
        break;
    case OPTION_SEED:
        seed = parse_count("seed", optarg, 0, UINT64_MAX);
        break;
    case OPTION_START:
        parse_start(optarg);
        break;
    case OPTION_REPLACE:
        replace = true;
        break;
    case 'q':
        quiet = true;
        break;
    case 'h':
        print_help();
        exit(0);
    case 'V':
        printf("tickgen (tickd) %s\n", PACKAGE_VERSION);
        exit(0);
    default:
        log_error("try 'tickgen --help'");
        exit(2);
    }
}

static void parse_options(int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "d:e:t:n:S:s:r:qhV", options, NULL)) != -1)
        parse_option(option);
    if (optind < argc)
        USAGE("'%s' is one word too many", argv[optind]);
    if (data == NULL)
        USAGE("where to? Name the directory with -d DATA");
    if (symbol_count > 0 && named_count > 0)
        USAGE("--symbols and --symbol do not go together");
    if (symbol_count == 0)
        symbol_count = SYMBOLS_DEFAULT;
    if (type != NULL && strcmp(type, "MD") != 0 && strcmp(type, "QUOTES") != 0 &&
        strcmp(type, "TRADES") != 0)
        USAGE("-t '%s': the types are MD, QUOTES and TRADES", type);
    for (size_t i = 0; i <= named_count; i++) {
        const char *symbol = i < named_count ? named[i] : "any";

        if (seriesdir_check_names(exchange, symbol, "any")) {
            log_error("try 'tickgen --help'");
            exit(2);
        }
    }
    if (start < 0)
        start = (int32_t)(time(NULL) / DATE_SECONDS - (int64_t)days);
    if (start < DATE_FIRST || start + (int64_t)days - 1 > DATE_LAST)
        USAGE("%llu day%s from --start do not fit into 2000-2099", (unsigned long long)days,
              days == 1 ? "" : "s");
}

static void add_columns(struct columns *columns, enum kind kind)
{
    static const char *const names[][5] = {
        [KIND_QUOTES] = { "best_bid", "best_ask", NULL },
        [KIND_TRADES] = { "id", "price", "volume", "side", NULL },
    };

    columns_init(columns);
    for (size_t i = 0; names[kind][i] != NULL; i++) {
        struct slice name = slice_of(names[kind][i]);

        columns_add(columns, name, columns_default_type(name));
    }
}

/* Fill ${row} but for its time, in the order of add_columns. */
static void put_quote(char *row, const struct walk_tick *tick, double scale)
{
    columns_put_f32(row + 8, (float)((double)tick->bid / scale));
    columns_put_f32(row + 12, (float)((double)tick->ask / scale));
}

static void put_trade(char *row, const struct walk_tick *tick, double scale, uint64_t id)
{
    uint64_t random = tick->random;
    uint32_t sell = random & 1;
    /* Mostly small, now and then a thousand times that. */
    uint64_t lots = ((random >> 8 & 255) + 1) << __builtin_ctzll(random >> 16 | 1024);

    columns_put_u64(row + 8, id);
    columns_put_f32(row + 16, (float)((double)(sell ? tick->bid : tick->ask) / scale));
    columns_put_f32(row + 20, (float)((double)lots / 10000));
    columns_put_u32(row + 24, sell);
}

static int write_rows(struct daywriter *writer, const char *symbol, enum kind kind)
{
    int32_t day = daywriter_day(writer);
    uint64_t id = (uint64_t)(day - DATE_FIRST) * rows_per_day;
    struct walk_tick tick;
    struct walk walk;
    char row[28];

    walk_start(&walk, seed, symbol, day, rows_per_day);
    for (uint64_t i = 0; i < rows_per_day; i++) {
        walk_next(&walk, &tick);
        if (kind == KIND_QUOTES)
            put_quote(row, &tick, walk.scale);
        else
            put_trade(row, &tick, walk.scale, ++id);
        if (daywriter_put(writer, tick.ns, row))
            return -1;
    }
    return daywriter_finish(writer);
}

static int make_day(const struct seriesdir *series, const struct columns *columns,
                    const char *symbol, enum kind kind, int32_t day)
{
    struct daywriter *writer = daywriter_new(series, columns, day);

    if (writer == NULL)
        return -1;
    int rc = write_rows(writer, symbol, kind);
    daywriter_free(writer);
    return rc ? -1 : dayswap_run(series, columns, day);
}

/* Refuse all of a series rather than half of it. */
static int refuse_existing(const struct seriesdir *series)
{
    char text[11];

    for (int32_t day = start; !replace && day < start + (int32_t)days; day++) {
        int found = seriesdir_has_day(series, day);

        if (found < 0)
            return -1;
        if (found) {
            log_error("%s has %s already: choose another --start or say --replace",
                      seriesdir_path(series), date_iso(day, text));
            return -1;
        }
    }
    return 0;
}

static int make_series(const char *symbol, const char *type_name, enum kind kind)
{
    struct columns columns;
    /* Made-up data can be made again: it need not wait for the disk. */
    struct seriesdir *series = seriesdir_open(data, exchange, symbol, type_name, false);

    if (series == NULL)
        return -1;
    add_columns(&columns, kind);
    int rc = refuse_existing(series);
    for (int32_t day = start; rc == 0 && day < start + (int32_t)days; day++)
        rc = make_day(series, &columns, symbol, kind, day);
    seriesdir_close(series);

    char first[11], last[11];
    if (rc == 0 && !quiet)
        printf("%s/%s/%s: %llu day%s of %llu row%s, %s%s%s\n", exchange, symbol, type_name,
               (unsigned long long)days, days == 1 ? "" : "s", (unsigned long long)rows_per_day,
               rows_per_day == 1 ? "" : "s", date_iso(start, first), days == 1 ? "" : " to ",
               days == 1 ? "" : date_iso(start + (int32_t)days - 1, last));
    return rc;
}

static int make_symbol(const char *symbol)
{
    if (type == NULL)
        return make_series(symbol, "MD", KIND_QUOTES) ||
                       make_series(symbol, "TRADES", KIND_TRADES)
                   ? -1
                   : 0;
    return make_series(symbol, type, strcmp(type, "TRADES") == 0 ? KIND_TRADES : KIND_QUOTES);
}

int main(int argc, char **argv)
{
    static char name[] = "tickgen";
    char symbol[NAME_MAX_BYTES + 1];
    int rc = 0;

    log_to_stderr("tickgen");
    if (argc > 0)
        argv[0] = name; /* as getopt's messages begin */
    parse_options(argc, argv);

    if (mkdir(data, 0777) && errno != EEXIST) {
        log_error("%s: %m", data);
        return 1;
    }
    for (size_t i = 0; rc == 0 && i < named_count; i++)
        rc = make_symbol(named[i]);
    for (unsigned i = 0; rc == 0 && named_count == 0 && i < symbol_count; i++)
        rc = make_symbol(walk_symbol(i, symbol, sizeof(symbol)));
    free(named);
    return rc ? 1 : 0;
}
