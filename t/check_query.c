#include "unit.h"

#include <string.h>

#include "dice.h"
#include "query/instant.h"
#include "query/query.h"

static struct config *config;
static struct arena arena;
static struct query query;
static struct failure failure;

static void begin(void)
{
    config = config_new();
    ck_assert_ptr_nonnull(config);
    arena_init(&arena, 4096);
}

static void end(void)
{
    arena_free(&arena);
    config_free(config);
}

static void parse(const char *text)
{
    arena_reset(&arena);
    failure = (struct failure){ 0 };
    ck_assert_msg(query_parse(&query, slice_of(text), config, &arena, &failure) == 0, "%s: %s",
                  text, failure.reason);
    ck_assert_int_eq(failure.status, 0);
}

/* ${text} is a 400 that names ${parameter}. */
static void refuse_slice(struct slice text, const char *parameter)
{
    arena_reset(&arena);
    failure = (struct failure){ 0 };
    ck_assert_msg(query_parse(&query, text, config, &arena, &failure) == -1, "%.*s",
                  SLICE_ARG(text));
    ck_assert_int_eq(failure.status, 400);
    ck_assert_msg(strcmp(failure.parameter, parameter) == 0, "%.*s: %s", SLICE_ARG(text),
                  failure.parameter);
    ck_assert_uint_gt(strlen(failure.reason), 5);
}

static void refuse(const char *text, const char *parameter)
{
    refuse_slice(slice_of(text), parameter);
}

#define GOOD "symbol=BTC-USD&type=MD&columns=time,best_bid&start=100&end=200"

START_TEST(query_reads_the_usual)
{
    begin();
    parse(GOOD);
    ck_assert(slice_is(query.exchange, "coinbase"));
    ck_assert(slice_is(query.symbol, "BTC-USD"));
    ck_assert(slice_is(query.type, "MD"));
    ck_assert_uint_eq(query.column_count, 2);
    ck_assert(slice_is(query.columns[0], "time"));
    ck_assert(slice_is(query.columns[1], "best_bid"));
    ck_assert_uint_eq(query.range.start, 100);
    ck_assert_uint_eq(query.range.start_nanos, 0);
    ck_assert_uint_eq(query.range.end, 200);
    ck_assert_uint_eq(query.range.end_nanos, INSTANT_LAST_NANO);
    ck_assert(!query.fractional);
    ck_assert_uint_eq(query.limit, 0);
    ck_assert_uint_eq(query.tail, 0);
    ck_assert_uint_eq(query.max_points, 0);
    ck_assert_uint_eq(query.missing, CONFIG_MISSING_ERROR);
    ck_assert_uint_eq(query.framing, CONFIG_FRAMING_CHUNKED);

    parse(GOOD
          "&exchange=kraken&limit=7&missing=skip&framing=length&format=raw&downsample=stride");
    ck_assert(slice_is(query.exchange, "kraken"));
    ck_assert_uint_eq(query.limit, 7);
    ck_assert_uint_eq(query.missing, CONFIG_MISSING_SKIP);
    ck_assert_uint_eq(query.framing, CONFIG_FRAMING_LENGTH);
    parse(GOOD "&missing=prefix&max_points=18446744073709551615");
    ck_assert_uint_eq(query.missing, CONFIG_MISSING_PREFIX);
    ck_assert_uint_eq(query.max_points, UINT64_MAX);
    end();
}
END_TEST

START_TEST(query_takes_defaults_of_the_configuration)
{
    char problem[128];

    begin();
    config_set(config, "default_exchange", "binance", problem, sizeof(problem));
    config_set(config, "missing", "prefix", problem, sizeof(problem));
    config_set(config, "framing", "length", problem, sizeof(problem));
    parse(GOOD);
    ck_assert(slice_is(query.exchange, "binance"));
    ck_assert_uint_eq(query.missing, CONFIG_MISSING_PREFIX);
    ck_assert_uint_eq(query.framing, CONFIG_FRAMING_LENGTH);
    parse(GOOD "&missing=error&framing=chunked");
    ck_assert_uint_eq(query.missing, CONFIG_MISSING_ERROR);
    ck_assert_uint_eq(query.framing, CONFIG_FRAMING_CHUNKED);
    end();
}
END_TEST

/* An optional parameter that is empty is not there. */
START_TEST(query_passes_over_what_is_empty)
{
    begin();
    parse(GOOD "&exchange=&limit=&tail=&max_points=&downsample=&format=&missing=&framing=");
    ck_assert(slice_is(query.exchange, "coinbase"));
    ck_assert_uint_eq(query.limit + query.tail + query.max_points, 0);
    parse(GOOD "&limit=5&max_points=0");
    parse(GOOD "&tail=5&max_points=&limit");
    parse("&&" GOOD "&&");
    parse(GOOD "&_=1234&_x&__=%41&_=again");
    end();
}
END_TEST

START_TEST(query_decodes)
{
    begin();
    parse("s%79mbol=BTC%2dUSD&type=%4D%44&columns=time%2C%20best_bid%20,price&start=%31&end=2");
    ck_assert(slice_is(query.symbol, "BTC-USD"));
    ck_assert(slice_is(query.type, "MD"));
    ck_assert_uint_eq(query.column_count, 3);
    ck_assert(slice_is(query.columns[1], "best_bid"));
    ck_assert(slice_is(query.columns[2], "price"));
    ck_assert_uint_eq(query.range.start, 1);
    parse("symbol=a&type=b&columns=c&start=2025-01-01%2000:00:00Z&end=2025-01-01T00:00:00%2B00:"
          "00");

    refuse("symbol=a+b&type=b&columns=c&start=1&end=2", "symbol"); /* a plus is a plus */
    refuse("symbol=a&type=b&columns=c,+d&start=1&end=2", "columns");
    refuse("symbol=a&type=b&columns=c&start=2025-01-01T00:00:00+00:00x&end=2", "start");
    parse("symbol=a&type=b&columns=c&start=1970-01-01T00:00:00+00:00&end=2");

    refuse(GOOD "&limit=%", "limit");
    refuse(GOOD "&limit=%3", "limit");
    refuse(GOOD "&limit=%g1", "limit");
    refuse(GOOD "&limit=%1g", "limit");
    refuse(GOOD "&li%mit=1", "li%mit");
    refuse("symbol=a%00b&type=b&columns=c&start=1&end=2", "symbol");
    refuse("symbol=a%2fb&type=b&columns=c&start=1&end=2", "symbol");
    refuse("symbol=%2e%2e&type=b&columns=c&start=1&end=2", "symbol");
    end();
}
END_TEST

START_TEST(query_misses_what_is_required)
{
    begin();
    refuse("", "symbol");
    refuse_slice((struct slice){ NULL, 0 }, "symbol");
    refuse("type=MD&columns=time&start=1&end=2", "symbol");
    refuse("symbol=&type=MD&columns=time&start=1&end=2", "symbol");
    refuse("symbol&type=MD&columns=time&start=1&end=2", "symbol");
    refuse("symbol=a&columns=time&start=1&end=2", "type");
    refuse("symbol=a&type=MD&start=1&end=2", "columns");
    refuse("symbol=a&type=MD&columns=&start=1&end=2", "columns");
    refuse("symbol=a&type=MD&columns=time&end=2", "start");
    refuse("symbol=a&type=MD&columns=time&start=&end=2", "start");
    refuse("symbol=a&type=MD&columns=time&start=1", "end");
    refuse("symbol=a&type=MD&columns=time&end=2&limit=3", "start");
    refuse("symbol=a&type=MD&columns=time&tail=3", "end");
    parse("symbol=a&type=MD&columns=time&end=2&tail=3");
    ck_assert_uint_eq(query.range.start, 0);
    ck_assert_uint_eq(query.range.start_nanos, 0);
    ck_assert_uint_eq(query.tail, 3);
    end();
}
END_TEST

START_TEST(query_refuses_what_is_unknown_or_twice)
{
    static const char *const names[] = { "exchange",   "symbol",     "type",   "columns",
                                         "start",      "end",        "limit",  "tail",
                                         "max_points", "downsample", "format", "missing",
                                         "framing" };
    char text[512], name[200];

    begin();
    refuse(GOOD "&colums=x", "colums");
    refuse(GOOD "&Limit=1", "Limit");
    refuse(GOOD "&limit%00=1", "limit?"); /* shown without surprises */
    refuse(GOOD "&=1", "");
    refuse(GOOD "&callback", "callback");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(text, sizeof(text), "%s=1&%s=1&" GOOD, names[i], names[i]);
        refuse(text, names[i]);
        snprintf(text, sizeof(text), "%s=&%s=&" GOOD, names[i], names[i]);
        refuse(text, names[i]);
    }
    /* A long name is cut, not written past its end. */
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(text, sizeof(text), GOOD "&%s=1", name);
    name[64] = '\0';
    refuse(text, name);
    end();
}
END_TEST

START_TEST(query_refuses_bad_names)
{
    static const char *const bad[] = { "..",  ".a",       "a/b",   "a%0ab", "a b", "@row",
                                       "a,b", "\xc3\xa9", "a%7fb", "*",     "a..b" };
    char text[512], longest[66];

    begin();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof(text), GOOD "&exchange=%s", bad[i]);
        refuse(text, "exchange");
        snprintf(text, sizeof(text), "symbol=%s&type=MD&columns=a&start=1&end=2", bad[i]);
        refuse(text, "symbol");
        snprintf(text, sizeof(text), "symbol=a&type=%s&columns=a&start=1&end=2", bad[i]);
        refuse(text, "type");
        if (strcmp(bad[i], "a,b") == 0)
            continue;
        snprintf(text, sizeof(text), "symbol=a&type=MD&columns=time,%s&start=1&end=2", bad[i]);
        refuse(text, "columns");
    }
    /* The name is said, so that it can be told from others. */
    refuse("symbol=a&type=MD&columns=time,best%20bid,x&start=1&end=2", "columns");
    ck_assert_ptr_nonnull(strstr(failure.reason, "column 'best bid' is not a name"));
    refuse("symbol=a&type=MD&columns=time,,x&start=1&end=2", "columns");
    ck_assert_ptr_nonnull(strstr(failure.reason, "column '' is not a name"));
    refuse("symbol=A%2fB%0a%22&type=MD&columns=a&start=1&end=2", "symbol");
    ck_assert_ptr_nonnull(strstr(failure.reason, "symbol 'A/B?\"' is not a name"));
    memset(longest, 'x', 65);
    longest[65] = '\0';
    snprintf(text, sizeof(text), "symbol=%s&type=MD&columns=a&start=1&end=2", longest);
    refuse(text, "symbol");
    longest[64] = '\0';
    snprintf(text, sizeof(text), "symbol=%s&type=MD&columns=%s&start=1&end=2", longest,
             longest);
    parse(text);
    end();
}
END_TEST

START_TEST(query_reads_lists_of_columns)
{
    char text[4096];
    int len;

    begin();
    refuse("symbol=a&type=b&columns=c,&start=1&end=2", "columns");
    refuse("symbol=a&type=b&columns=,c&start=1&end=2", "columns");
    refuse("symbol=a&type=b&columns=c,,d&start=1&end=2", "columns");
    refuse("symbol=a&type=b&columns=,&start=1&end=2", "columns");
    refuse("symbol=a&type=b&columns=%20&start=1&end=2", "columns");
    refuse("symbol=a&type=b&columns=c,d,c&start=1&end=2", "columns");
    ck_assert_ptr_nonnull(strstr(failure.reason, "'c'"));
    refuse("symbol=a&type=b&columns=c,%20c&start=1&end=2", "columns");
    refuse("symbol=a&type=b&columns=c%20d&start=1&end=2", "columns");
    for (int count = 63; count <= 66; count++) {
        len = sprintf(text, "symbol=a&type=b&start=1&end=2&columns=c0");
        for (int i = 1; i < count; i++)
            len += sprintf(text + len, ",c%d", i);
        if (count <= 64) {
            parse(text);
            ck_assert_uint_eq(query.column_count, (unsigned)count);
        } else {
            refuse(text, "columns");
            ck_assert_ptr_nonnull(strstr(failure.reason, "64"));
        }
    }
    end();
}
END_TEST

START_TEST(query_reads_amounts)
{
    static const char *const bad[] = { "-1", "x", "1.0", "1k", "18446744073709551616", "%201" };
    static const char *const names[] = { "limit", "tail", "max_points" };
    char text[256];

    begin();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        for (size_t j = 0; j < COUNT_OF(bad); j++) {
            snprintf(text, sizeof(text), GOOD "&%s=%s", names[i], bad[j]);
            refuse(text, names[i]);
        }
    }
    refuse(GOOD "&limit=0", "limit");
    refuse(GOOD "&tail=0", "tail");
    parse(GOOD "&max_points=0");
    refuse(GOOD "&limit=1&tail=1", "tail");
    refuse(GOOD "&limit=1&max_points=1", "max_points");
    refuse(GOOD "&tail=1&max_points=1", "max_points");
    refuse(GOOD "&downsample=lttb", "downsample");
    refuse(GOOD "&format=csv", "format");
    refuse(GOOD "&missing=none", "missing");
    ck_assert_str_eq(failure.reason, "missing can be error|skip|prefix, not 'none'");
    refuse(GOOD "&limit=1.0", "limit");
    ck_assert_str_eq(failure.reason, "limit '1.0' is not a number of at least 1");
    refuse(GOOD "&framing=none", "framing");
    refuse(GOOD "&framing=error|", "framing");
    end();
}
END_TEST

START_TEST(query_reads_ranges)
{
#define RANGE(start, end) "symbol=a&type=b&columns=c&start=" start "&end=" end
    begin();
    parse(RANGE("5", "5"));
    refuse(RANGE("6", "5"), "start");
    refuse(RANGE("x", "5"), "start");
    refuse(RANGE("5", "x"), "end");
    refuse(RANGE("1735689600000", "5"), "start");
    ck_assert_ptr_nonnull(strstr(failure.reason, "milliseconds"));
    parse(RANGE("2025-01-01", "2025-01-01"));
    ck_assert_uint_eq(query.range.end - query.range.start, 86399);
    ck_assert(!query.fractional);

    /* Within one second; whole seconds are no matter of nanoseconds. */
    parse(RANGE("2025-01-01T00:00:00.2Z", "2025-01-01T00:00:00.7Z"));
    ck_assert(query.fractional);
    ck_assert_uint_eq(query.range.start_nanos, 200000000);
    ck_assert_uint_eq(query.range.end_nanos, 700000000);
    refuse(RANGE("2025-01-01T00:00:00.7Z", "2025-01-01T00:00:00.2Z"), "start");
    parse(RANGE("2025-01-01T00:00:00.0Z", "2025-01-01T00:00:00Z"));
    ck_assert(!query.fractional);
    parse(RANGE("2025-01-01T00:00:00Z", "2025-01-01T00:00:00.999999999Z"));
    ck_assert(query.fractional); /* a leap second may have more nanoseconds than that */
    parse(RANGE("1735689600", "2025-01-01T00:00:00.0Z"));
    ck_assert(query.fractional);
    end();
}
END_TEST

/* What it read stays when the request's bytes go. */
START_TEST(query_outlives_its_text)
{
    char text[] = "symbol=BTC-USD&exchange=kraken&type=%4dD&columns=time,%62&start=100&end=200";

    begin();
    parse(text);
    memset(text, '#', sizeof(text) - 1);
    ck_assert(slice_is(query.symbol, "BTC-USD"));
    ck_assert(slice_is(query.exchange, "kraken"));
    ck_assert(slice_is(query.type, "MD"));
    ck_assert(slice_is(query.columns[0], "time"));
    ck_assert(slice_is(query.columns[1], "b"));
    end();
}
END_TEST

/* Whichever bytes are encoded, of names or of values, the query is the same. */
START_TEST(query_does_not_mind_encoding)
{
    static const char plain[] = GOOD "&exchange=kraken&limit=7&missing=skip&_=1&framing=length";
    struct dice dice = dice_new(1);
    char text[3 * sizeof(plain)];

    begin();
    for (int round = 0; round < 5000; round++) {
        unsigned one_in = 1 + dice_roll(&dice, 40);
        size_t len = 0;

        for (size_t i = 0; i < sizeof(plain) - 1; i++) {
            if (plain[i] != '&' && plain[i] != '=' && dice_roll(&dice, one_in) == 0)
                len += (size_t)sprintf(text + len, "%%%02x", (unsigned char)plain[i]);
            else
                text[len++] = plain[i];
        }
        arena_reset(&arena);
        MUST(query_parse(&query, (struct slice){ text, len }, config, &arena, &failure) == 0);
        MUST(slice_is(query.exchange, "kraken") && slice_is(query.symbol, "BTC-USD"));
        MUST(slice_is(query.type, "MD") && query.column_count == 2);
        MUST(slice_is(query.columns[0], "time") && slice_is(query.columns[1], "best_bid"));
        MUST(query.range.start == 100 && query.range.end == 200 && query.limit == 7);
        MUST(query.missing == CONFIG_MISSING_SKIP && query.framing == CONFIG_FRAMING_LENGTH);
    }
    parse(GOOD "&limit&tail=3"); /* without a value: absent, but given */
    ck_assert_uint_eq(query.tail, 3);
    refuse(GOOD "&limit&limit=1", "limit");
    refuse(GOOD "&li%6dit=1&limit", "limit");
    refuse(GOOD "&limit%3d=1", "limit=");
    refuse(GOOD "&limit%3d1", "limit=1");
    refuse(GOOD "&limits=1", "limits");
    refuse(GOOD "&=1", "");
    end();
}
END_TEST

UNIT("query", query_does_not_mind_encoding, query_reads_the_usual,
     query_takes_defaults_of_the_configuration, query_passes_over_what_is_empty, query_decodes,
     query_misses_what_is_required, query_refuses_what_is_unknown_or_twice,
     query_refuses_bad_names, query_reads_lists_of_columns, query_reads_amounts,
     query_reads_ranges, query_outlives_its_text)
