#include "query/prepared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "query/body.h"
#include "system/stats.h"

/* What is not worth its room, or the time to look through it. */
#define TEXT_MAX 1024
#define DAYS_MAX 32
#define PICKED_MAX 65536

/* So few bytes of rows are cheaper to have twice than to ask their files for their lengths
 * before each answer. */
#define FEW 4096

/* About what an answer without rows takes. */
#define USUAL 1024

struct prepared {
    struct store *store;
    size_t most, used; /* bytes */
    struct lru answers;
    uint64_t secret;    /* whoever does not know it cannot make texts of equal hashes */
    uint64_t *asked;    /* hashes of texts that were asked, as many as answers has buckets */
    struct arena arena; /* for rows being copied */
    struct body body;   /* likewise */
};

static struct prepared_answer *of_entry(struct lru_entry *entry)
{
    return (struct prepared_answer *)((char *)entry - offsetof(struct prepared_answer, entry));
}

static void free_answer(void *arg, struct lru_entry *entry)
{
    struct prepared *prepared = arg;
    struct prepared_answer *answer = of_entry(entry);

    prepared->used -= answer->bytes;
    free(answer);
}

struct prepared *prepared_new(struct store *store, size_t most)
{
    struct prepared *prepared = calloc(1, sizeof(*prepared));

    if (prepared == NULL)
        return NULL;
    prepared->store = store;
    prepared->most = most;
    arena_init(&prepared->arena, PICKED_MAX);
    if (getrandom(&prepared->secret, sizeof(prepared->secret), GRND_NONBLOCK) < 0)
        prepared->secret = clock_ns();
    if (lru_init(&prepared->answers, most / USUAL, free_answer, prepared) == 0)
        prepared->asked = calloc(prepared->answers.mask + 1, sizeof(uint64_t));
    if (prepared->asked != NULL)
        return prepared;
    prepared_free(prepared);
    return NULL;
}

/* --- Looking up */

static uint64_t hash_of(const struct prepared *prepared, struct slice text)
{
    return hash_bytes(prepared->secret, text.at, text.len);
}

static struct prepared_answer *find(const struct prepared *prepared, uint64_t hash,
                                    struct slice text)
{
    struct lru_entry *entry = lru_first(&prepared->answers, hash);

    for (; entry != NULL; entry = lru_next(entry)) {
        if (slice_equal(of_entry(entry)->text, text))
            return of_entry(entry);
    }
    return NULL;
}

/* Whether all is as it was when the answer was kept, as far as a query that is asked anew would
 * know. */
static bool is_current(const struct store *store, const struct prepared_answer *answer)
{
    if (store_stale(store, answer->checked) || store->wall < answer->kept ||
        store->wall >= answer->until)
        return false;
    /* With another root, all of them are gone. */
    for (unsigned i = 0; i < answer->mark_count; i++) {
        if (!day_unchanged(store, &answer->marks[i]))
            return false;
    }
    return true;
}

/* Keep what rows are sent from. */
static void hold_days(struct store *store, const struct prepared_answer *answer)
{
    if (answer->copied)
        return;
    for (unsigned i = 0; i < answer->gather.day_count; i++)
        day_hold(store, answer->gather.days[i].day);
    series_hold(store, answer->gather.series);
}

static void release_days(struct store *store, const struct prepared_answer *answer)
{
    if (answer->copied)
        return;
    for (unsigned i = 0; i < answer->gather.day_count; i++)
        day_release(store, answer->gather.days[i].day);
    series_release(store, answer->gather.series);
}

struct prepared_answer *prepared_find(struct prepared *prepared, struct slice text, bool *again)
{
    *again = false;
    if (text.len == 0 || text.len > TEXT_MAX || prepared->most == 0)
        return NULL;
    uint64_t hash = hash_of(prepared, text);
    uint64_t *asked = &prepared->asked[hash & prepared->answers.mask];
    struct prepared_answer *answer = find(prepared, hash, text);

    if (answer == NULL) {
        *again = *asked == hash;
        *asked = hash;
        return NULL;
    }
    if (!is_current(prepared->store, answer)) {
        *again = true;
        lru_drop(&prepared->answers, &answer->entry);
        return NULL;
    }
    lru_pin(&prepared->answers, &answer->entry);
    hold_days(prepared->store, answer);
    stats_add(STATS_answer_cache_hits, 1);
    return answer;
}

void prepared_release(struct prepared_answer *answer)
{
    struct prepared *prepared;

    if (answer == NULL)
        return;
    prepared = answer->owner;
    release_days(prepared->store, answer);
    lru_unpin(&prepared->answers, &answer->entry);
}

/* --- Keeping */

/* Whether one of the days that were looked at may still grow, by its files or by the calendar.
 */
static bool is_live(const struct gather *gather)
{
    int32_t live = day_first_live(gather->store), end = gather->last + 1;

    return gather->live || (live <= end && days_next(&gather->series->days, live, end) <= end);
}

/* Days of the range, and one on each side. */
static unsigned count_looked_at(const struct gather *gather)
{
    return days_count(&gather->series->days, gather->first - 1, gather->last + 1);
}

static bool is_worth_it(const struct gather *gather, const struct plan *plan, struct slice line,
                        uint64_t data_bytes)
{
    if (plan->day_count == 0 || count_looked_at(gather) > DAYS_MAX ||
        gather->skipped_count > 0 || is_live(gather))
        return false;
    for (unsigned i = 0; i < gather->day_count; i++) {
        if (gather->days[i].day == NULL)
            return false;
    }
    return plan->step == 1 || line.len + data_bytes <= PICKED_MAX;
}

/* Parts of the one block of memory that holds an answer. */
struct layout {
    size_t text, columns, days, marks, planned, line, end;
};

static size_t place(size_t *end, size_t bytes)
{
    size_t at = (*end + 15) & ~(size_t)15;

    *end = at + bytes;
    return at;
}

static struct layout lay_out(struct slice text, const struct gather *gather,
                             const struct plan *plan, size_t line_bytes)
{
    struct layout l = { .end = sizeof(struct prepared_answer) };

    l.text = place(&l.end, text.len);
    l.columns = place(&l.end, gather->needed_count * sizeof(unsigned));
    l.days = place(&l.end, gather->day_count * sizeof(struct gather_day));
    l.marks = place(&l.end, count_looked_at(gather) * sizeof(struct day_mark));
    l.planned = place(&l.end, plan->day_count * sizeof(struct plan_day));
    l.line = place(&l.end, line_bytes);
    return l;
}

/* Copy the rows of ${answer}, which is otherwise whole, behind its line. Returns whether they
 * could be had at once. */
static bool copy_rows(struct prepared *prepared, struct prepared_answer *answer)
{
    struct body *body = &prepared->body;
    char *to = (char *)answer->line.at + answer->line.len;
    struct piece pieces[BODY_BATCH];
    enum body_state state;
    int count;

    body_of_rows(body, (struct slice){ NULL, 0 }, &answer->gather, &answer->plan,
                 answer->data_bytes, &prepared->arena);
    while ((state = body_next(body, pieces, BODY_BATCH, PICKED_MAX, &count)) == BODY_PIECES) {
        for (int i = 0; i < count; i++) {
            memcpy(to, pieces[i].at, pieces[i].len);
            to += pieces[i].len;
        }
        if (!body_whole(body)) {
            state = BODY_BROKEN;
            break;
        }
        body_sent(body);
    }
    body_end(body);
    arena_reset(&prepared->arena);
    return state == BODY_END;
}

/* Mark all that ${answer} rests on. Returns whether all of it is known, and trusted. */
static bool mark(struct prepared_answer *answer)
{
    const struct gather *gather = &answer->gather;
    const struct days *days = &gather->series->days;
    int32_t end = gather->last + 1;
    int32_t number = days_next(days, gather->first - 1, end);

    answer->checked = gather->series->checked;
    for (; number <= end; number = days_next(days, number + 1, end)) {
        struct day_mark *mark = &answer->marks[answer->mark_count++];

        if (!day_mark(gather->store, gather->series, number, mark))
            return false;
        if (mark->day->checked < answer->checked)
            answer->checked = mark->day->checked;
    }
    return !store_stale(gather->store, answer->checked);
}

/* When day_first_live will be another day. */
static int64_t next_close(const struct store *store)
{
    return (int64_t)(day_first_live(store) + 1) * DATE_SECONDS +
           (int64_t)(store->config->live_grace / 1000);
}

static struct prepared_answer *copy(struct prepared *prepared, const struct layout *l,
                                    struct slice text, const struct gather *gather,
                                    const struct plan *plan, struct slice line)
{
    char *memory = malloc(l->end);
    struct prepared_answer *answer = (struct prepared_answer *)(void *)memory;

    if (answer == NULL)
        return NULL;
    *answer = (struct prepared_answer){
        .owner = prepared,
        .bytes = l->end,
        .text = { memcpy(memory + l->text, text.at, text.len), text.len },
        .kept = prepared->store->wall,
        .until = next_close(prepared->store),
        .line = { memcpy(memory + l->line, line.at, line.len), line.len },
        .gather = *gather,
        .plan = *plan,
        .marks = (void *)(memory + l->marks),
    };
    answer->gather.query = NULL;
    answer->gather.failure = NULL;
    answer->gather.waiter = (struct load_waiter){ 0 };
    answer->gather.columns =
        memcpy(memory + l->columns, gather->columns, gather->needed_count * sizeof(unsigned));
    answer->gather.days =
        memcpy(memory + l->days, gather->days, gather->day_count * sizeof(struct gather_day));
    answer->plan.days =
        memcpy(memory + l->planned, plan->days, plan->day_count * sizeof(struct plan_day));
    prepared->used += l->end;
    return answer;
}

void prepared_keep(struct prepared *prepared, struct slice text, const struct query *query,
                   const struct gather *gather, const struct plan *plan, struct slice line,
                   uint64_t data_bytes, const struct tag *tag)
{
    struct prepared_answer *answer;
    bool copied = plan->step > 1 || data_bytes <= FEW;

    if (!is_worth_it(gather, plan, line, data_bytes))
        return;
    struct layout l = lay_out(text, gather, plan, line.len + (copied ? data_bytes : 0));
    if (l.end > prepared->most)
        return;
    while (prepared->used + l.end > prepared->most && lru_evict(&prepared->answers))
        ;
    if (prepared->used + l.end > prepared->most)
        return; /* all of it is in use */
    if ((answer = copy(prepared, &l, text, gather, plan, line)) == NULL)
        return;
    answer->framing = query->framing;
    answer->data_bytes = data_bytes;
    answer->copied = copied;
    answer->tag = *tag;
    answer->tag.wait = (struct warm_wait){ 0 };
    if (mark(answer) && (!copied || copy_rows(prepared, answer)))
        lru_add(&prepared->answers, &answer->entry, hash_of(prepared, text));
    else
        free_answer(prepared, &answer->entry);
}

void prepared_free(struct prepared *prepared)
{
    if (prepared == NULL)
        return;
    lru_free(&prepared->answers);
    free(prepared->asked);
    arena_free(&prepared->arena);
    free(prepared);
}
