#include "query/ranking.h"

#include <assert.h>
#include <string.h>

/* Instruments looked at between two turns of others. */
#define PER_STEP 512

void ranking_begin(struct ranking *ranking, struct slice text)
{
    assert(text.len <= RANKING_QUERY);
    ranking->among = NULL;
    ranking->next = 0;
    ranking->count = 0;
    ranking->term_count = 0;

    size_t len = utf8_fold(text, ranking->text), at = 0;
    while (at < len) {
        size_t from = at;

        while (at < len && ranking->text[at] != ' ' && ranking->text[at] != '/')
            at++;
        if (at > from && ranking->term_count < RANKING_TERMS)
            ranking->terms[ranking->term_count++] =
                (struct slice){ ranking->text + from, at - from };
        at++;
    }
}

static bool holds(struct slice text, struct slice term)
{
    return memmem(text.at, text.len, term.at, term.len) != NULL;
}

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '/' || c == ':' || c == '.' || c == ' ';
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

/* Whether ${term} is a word of ${text}: what lies between bytes of ASCII that are no letters or
 * digits. */
static bool has_word(struct slice text, struct slice term)
{
    const char *at = text.at, *end = text.at + text.len;

    while ((at = memmem(at, (size_t)(end - at), term.at, term.len)) != NULL) {
        if ((at == text.at || !is_word_byte(at[-1])) &&
            (at + term.len == end || !is_word_byte(at[term.len])))
            return true;
        at++;
    }
    return false;
}

/* Whether ${text} is ${first} and ${second}, whatever separators there are. */
static bool is_joined(struct slice text, struct slice first, struct slice second)
{
    const struct slice parts[] = { first, second };
    size_t at = 0;

    for (unsigned i = 0; i < 2; i++) {
        for (size_t j = 0; j < parts[i].len; j++) {
            if (is_separator(parts[i].at[j]))
                continue;
            while (at < text.len && is_separator(text.at[at]))
                at++;
            if (at == text.len || text.at[at++] != parts[i].at[j])
                return false;
        }
    }
    while (at < text.len && is_separator(text.at[at]))
        at++;
    return at == text.len;
}

/* --- Ids: the normalised one, and those of the exchanges */

typedef bool (*id_test)(struct slice id, const struct slice *terms);

static bool is_term(struct slice id, const struct slice *terms)
{
    return slice_equal(id, terms[0]);
}

static bool holds_term(struct slice id, const struct slice *terms)
{
    return holds(id, terms[0]);
}

static bool is_both(struct slice id, const struct slice *terms)
{
    return is_joined(id, terms[0], terms[1]) || is_joined(id, terms[1], terms[0]);
}

static bool any_id(const struct ranking *ranking, const struct instrument *instrument,
                   id_test test, const struct slice *terms)
{
    const struct instrument_symbol *symbols = ranking->among->symbols + instrument->first;

    if (test(instrument->id.folded, terms))
        return true;
    for (uint32_t i = 0; i < instrument->count; i++) {
        if (test(symbols[i].name.folded, terms))
            return true;
    }
    return false;
}

/* --- Scores */

static bool is_tag(const struct instrument *instrument, struct slice term, bool within)
{
    for (uint32_t i = 0; i < instrument->tag_count; i++) {
        if (within ? holds(instrument->tags[i], term) : slice_equal(instrument->tags[i], term))
            return true;
    }
    return false;
}

static unsigned score_one(const struct ranking *ranking, const struct instrument *instrument)
{
    struct slice term = ranking->terms[0];
    struct slice name = instrument->display_name.folded;
    struct slice description = instrument->description.folded;

    if (any_id(ranking, instrument, is_term, &term))
        return 150;
    if (any_id(ranking, instrument, holds_term, &term))
        return 120;
    if (slice_equal(instrument->base.folded, term))
        return 100;
    if (slice_equal(instrument->quote.folded, term))
        return 90;
    if (is_tag(instrument, term, false))
        return 80;
    if (holds(name, term))
        return 70;
    if (is_tag(instrument, term, true))
        return 60;
    if (has_word(description, term))
        return 50;
    return holds(description, term) ? 40 : 0;
}

static bool has_all(const struct ranking *ranking, const struct instrument *instrument)
{
    for (unsigned i = 0; i < ranking->term_count; i++) {
        struct slice term = ranking->terms[i];

        if (!any_id(ranking, instrument, holds_term, &term) &&
            !holds(instrument->display_name.folded, term) &&
            !holds(instrument->description.folded, term))
            return false;
    }
    return true;
}

static bool is_pair(const struct instrument *instrument, struct slice base, struct slice quote)
{
    return slice_equal(instrument->base.folded, base) &&
           slice_equal(instrument->quote.folded, quote);
}

static unsigned score_two(const struct ranking *ranking, const struct instrument *instrument)
{
    const struct slice *terms = ranking->terms;

    if (any_id(ranking, instrument, is_both, terms))
        return 150;
    if (is_pair(instrument, terms[0], terms[1]) || is_pair(instrument, terms[1], terms[0]))
        return 140;
    return has_all(ranking, instrument) ? 100 : 0;
}

unsigned ranking_score(const struct ranking *ranking, const struct instrument *instrument)
{
    switch (ranking->term_count) {
    case 0:
        return 0;
    case 1:
        return score_one(ranking, instrument);
    case 2:
        return score_two(ranking, instrument);
    default:
        return has_all(ranking, instrument) ? 100 : 0;
    }
}

/* Instruments come in the order of their ids: equals stay in it. */
static void enter(struct ranking *ranking, const struct instrument *instrument, unsigned score)
{
    unsigned at = ranking->count;

    if (ranking->count == RANKING_BEST && score <= ranking->best[RANKING_BEST - 1].score)
        return;
    if (ranking->count < RANKING_BEST)
        ranking->count++;
    else
        at--;
    for (; at > 0 && ranking->best[at - 1].score < score; at--)
        ranking->best[at] = ranking->best[at - 1];
    ranking->best[at] = (struct ranking_result){ instrument, score };
}

bool ranking_step(struct ranking *ranking)
{
    const struct instruments *among = ranking->among;

    for (unsigned i = 0; i < PER_STEP && ranking->next < among->count; i++) {
        const struct instrument *instrument = &among->list[ranking->next++];
        unsigned score = ranking_score(ranking, instrument);

        if (score > 0)
            enter(ranking, instrument, score);
    }
    return ranking->next < among->count;
}
