#include "unit.h"

#include <string.h>

#include "base/utf8.h"
#include "query/ranking.h"
#include "store/instruments.h"

/* What names say, and what fits a query how well: against tables written by hand. */

START_TEST(names_are_pairs)
{
    static const struct {
        const char *name, *id, *base, *quote;
    } rows[] = {
        { "BTC-USD", "BTC/USD", "BTC", "USD" },
        { "BTC_USD", "BTC/USD", "BTC", "USD" },
        { "btc-usd", "BTC/USD", "BTC", "USD" },
        { "BTC:USD", "BTC/USD", "BTC", "USD" },
        { "BTCUSDT", "BTC/USD", "BTC", "USD" },
        { "btcusdt", "BTC/USD", "BTC", "USD" },
        { "ETHUSDC", "ETH/USD", "ETH", "USD" },
        { "ETH-USDC", "ETH/USD", "ETH", "USD" },
        { "tBTCUSD", "BTC/USD", "BTC", "USD" },
        { "tDOGE:USD", "DOGE/USD", "DOGE", "USD" },
        { "XBTUSD", "BTC/USD", "BTC", "USD" },
        { "DOTUSD", "DOT/USD", "DOT", "USD" },
        { "XBT-EUR", "BTC/EUR", "BTC", "EUR" },
        { "ETHXBT", "ETH/BTC", "ETH", "BTC" },
        { "ETHBTC", "ETH/BTC", "ETH", "BTC" },
        { "BTC-USD-PERP", "BTC-USD-PERP", "BTC", "USD" },
        { "ACME", "ACME", "ACME", "" },
        { "USD", "USD", "USD", "" },
        { "XUSD", "XUSD", "XUSD", "" },
        { "-USD", "-USD", "-USD", "" },
        { "A-", "A-", "A-", "" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct instruments_pair pair = instruments_pair_of(rows[i].name);

        ck_assert_str_eq(pair.id, rows[i].id);
        ck_assert_str_eq(pair.base, rows[i].base);
        ck_assert_str_eq(pair.quote, rows[i].quote);
    }
}
END_TEST

static struct instrument_text text(const char *folded)
{
    return (struct instrument_text){ slice_of(folded), slice_of(folded) };
}

static struct slice tags[] = { { "gold", 4 }, { "store of value", 14 } };
static struct instrument_symbol symbols[] = { { .exchange = "a" }, { .exchange = "b" } };
static struct instrument one;
static struct instruments among = { .list = &one, .count = 1, .symbols = symbols };

static unsigned score(const char *query)
{
    static struct ranking ranking;

    symbols[0].name = text("btc-usd");
    symbols[1].name = text("xxbtzusd");
    one = (struct instrument){
        .id = text("btc/usd"),
        .display_name = text("bitcoin / us dollar"),
        .description = text("peer-to-peer cash, since 2009"),
        .base = text("btc"),
        .quote = text("usd"),
        .tags = tags,
        .tag_count = COUNT_OF(tags),
        .count = COUNT_OF(symbols),
    };
    ranking_begin(&ranking, slice_of(query));
    ranking.among = &among;
    return ranking_score(&ranking, &one);
}

START_TEST(scores_are_as_written)
{
    static const struct {
        const char *query;
        unsigned score;
    } rows[] = {
        { "btc-usd", 150 },     { "XXBTZUSD", 150 },
        { "btc/usd", 150 },     { "btc usd", 150 },
        { "usd/btc", 150 },     { "  USD   BTC ", 150 },
        { "btc", 120 },         { "xbt", 120 },
        { "c-u", 120 },         { "gold", 80 },
        { "bitcoin", 70 },      { "itco", 70 },
        { "value", 60 },        { "cash", 50 },
        { "2009", 50 },         { "peer", 50 },
        { "200", 40 },          { "eer-t", 40 },
        { "nix", 0 },           { "", 0 },
        { " / ", 0 },           { "bitcoin cash", 100 },
        { "cash btc", 100 },    { "bitcoin gold", 0 },
        { "bitcoin nix", 0 },   { "us dollar since", 100 },
        { "us dollar nix", 0 }, { "btc usd usd", 100 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(score(rows[i].query) == rows[i].score, "'%s': %u, not %u", rows[i].query,
                      score(rows[i].query), rows[i].score);
}
END_TEST

/* Where the id does not say what the base and the quote are. */
START_TEST(scores_of_base_and_quote)
{
    static struct ranking ranking;
    static const struct {
        const char *query;
        unsigned score;
    } rows[] = { { "btc", 100 }, { "usd", 90 }, { "usd btc", 140 }, { "btc nix", 0 } };

    symbols[0].name = symbols[1].name = text("p-1");
    one = (struct instrument){
        .id = text("product 1"),
        .base = text("btc"),
        .quote = text("usd"),
        .display_name = text(""),
        .description = text(""),
        .count = 2,
    };
    ranking.among = &among;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ranking_begin(&ranking, slice_of(rows[i].query));
        ranking.among = &among;
        ck_assert_uint_eq(ranking_score(&ranking, &one), rows[i].score);
    }
}
END_TEST

START_TEST(the_best_are_found_in_order)
{
    static struct ranking ranking;
    static struct instrument list[2000];
    static struct instrument_symbol names[2000];
    static char ids[2000][16];
    struct instruments many = { .list = list, .count = 2000, .symbols = names };

    for (uint32_t i = 0; i < 2000; i++) {
        snprintf(ids[i], sizeof(ids[i]), "id%04u%s", i, i % 100 == 7 ? "x" : "");
        names[i].name = text("s");
        list[i] = (struct instrument){ .id = text(ids[i]), .first = i, .count = 1 };
        list[i].description = text(i % 2 ? "x y" : "xy");
        list[i].base = list[i].quote = list[i].display_name = text("");
    }
    ranking_begin(&ranking, SLICE("X"));
    ranking.among = &many;
    int turns = 1;
    while (ranking_step(&ranking))
        turns++;
    ck_assert_int_gt(turns, 2);
    ck_assert_uint_eq(ranking.count, RANKING_BEST);
    for (unsigned i = 0; i < RANKING_BEST; i++) {
        ck_assert_uint_eq(ranking.best[i].score, 120);
        ck_assert_ptr_eq(ranking.best[i].instrument, &list[100 * i + 7]);
    }
}
END_TEST

START_TEST(letters_are_folded)
{
    static const char *const rows[][2] = {
        { "ABC xyz 1-9", "abc xyz 1-9" },
        { "\xc3\x9c\xc3\xbc", "\xc3\xbc\xc3\xbc" },
        { "\xd0\x91\xd0\xb8", "\xd0\xb1\xd0\xb8" },
        { "\xe2\x82\xac\xf0\x9f\x9a\x80", "\xe2\x82\xac\xf0\x9f\x9a\x80" },
    };
    char to[64];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = utf8_fold(slice_of(rows[i][0]), to);

        ck_assert_uint_eq(len, strlen(rows[i][1]));
        ck_assert_mem_eq(to, rows[i][1], len);
    }
    ck_assert(utf8_valid(SLICE("\xc3\xbc")));
    ck_assert(!utf8_valid(SLICE("a\xc3")));
    ck_assert(!utf8_valid(SLICE("\xed\xa0\x80")));
    ck_assert(!utf8_valid(SLICE("\xc0\xaf")));
}
END_TEST

UNIT("search", names_are_pairs, scores_are_as_written, scores_of_base_and_quote,
     the_best_are_found_in_order, letters_are_folded)
