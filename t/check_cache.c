#include "unit.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dice.h"
#include "store/cache.h"
#include "system/stats.h"

#define PAGE 4096
#define WORDS 8

/* How cache.c lays out a set: for those who damage one. */
struct set {
    uint64_t word;
    uint32_t hand, unused[13];
    uint32_t tags[CACHE_WAYS], stamps[CACHE_WAYS];
    uint64_t ways[CACHE_WAYS][2 + WORDS];
};

/* Memory that processes share, with a page behind it (and before) that nobody may touch. */
struct pages {
    char *at; /* its end is the end of a page */
    char *map;
    size_t map_bytes;
};

static struct pages pages_new(size_t bytes)
{
    size_t inner = (bytes + PAGE - 1) / PAGE * PAGE;
    struct pages pages = { .map_bytes = inner + (size_t)2 * PAGE };

    pages.map = mmap(NULL, pages.map_bytes, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages.map, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages.map + PAGE, inner, PROT_READ | PROT_WRITE), 0);
    pages.at = pages.map + PAGE + inner - bytes;
    return pages;
}

static void pages_free(struct pages *pages)
{
    munmap(pages->map, pages->map_bytes);
}

/* A table and this process's view of it. */
struct table {
    struct cache cache;
    struct pages pages;
    size_t bytes;
};

static struct table table_new(uint64_t entries, unsigned words)
{
    struct table table = { .bytes = cache_bytes(entries, words) };

    table.pages = pages_new(table.bytes);
    cache_attach(&table.cache, table.pages.at, table.bytes, words, 1);
    return table;
}

static void table_free(struct table *table)
{
    pages_free(&table->pages);
}

/* The same table, as another process sees it. */
static struct cache view(const struct table *table, unsigned owner)
{
    struct cache cache;

    cache_attach(&cache, table->pages.at, table->bytes, table->cache.value_words, owner);
    return cache;
}

static struct cache_key key_of(uint64_t number)
{
    return (struct cache_key){ { number, ~number } };
}

static void fill(uint64_t *value, unsigned words, uint64_t number)
{
    for (unsigned i = 0; i < words; i++)
        value[i] = number * 1000 + i;
}

static bool put(struct table *table, uint64_t number, uint64_t now)
{
    uint64_t value[1024];
    struct cache_hint hint;

    fill(value, table->cache.value_words, number);
    return cache_put(&table->cache, key_of(number), now, value, &hint);
}

/* Whether it is there; if it is, it must be what was put. */
static bool has(const struct table *table, uint64_t number, uint64_t now)
{
    uint64_t value[1024], expected[1024];
    struct cache_hint hint;

    if (!cache_find(&table->cache, key_of(number), now, value, &hint))
        return false;
    fill(expected, table->cache.value_words, number);
    MUST(memcmp(value, expected, table->cache.value_words * sizeof(uint64_t)) == 0);
    return true;
}

static uint64_t counted(enum stats_counter counter)
{
    return stats_mine->counters[counter];
}

START_TEST(cache_finds_what_was_put)
{
    struct table table = table_new(100, WORDS);
    uint64_t value[WORDS] = { 7 }, found[WORDS];
    struct cache_hint hint;

    ck_assert(cache_valid(&table.cache));
    ck_assert(!has(&table, 1, 5));
    ck_assert(put(&table, 1, 5));
    ck_assert(has(&table, 1, 5));
    /* Both words of a key count, and either may be 0. */
    ck_assert(!cache_find(&table.cache, (struct cache_key){ { 1, 0 } }, 5, found, &hint));
    ck_assert(!cache_find(&table.cache, (struct cache_key){ { 0, ~1ul } }, 5, found, &hint));
    ck_assert(cache_put(&table.cache, (struct cache_key){ { 0, 1 } }, 5, value, &hint));
    ck_assert(cache_find(&table.cache, (struct cache_key){ { 0, 1 } }, 5, found, &hint));
    ck_assert(!cache_find(&table.cache, (struct cache_key){ { 1, 0 } }, 5, found, &hint));
    /* Another value takes the place of the first one. */
    ck_assert(cache_put(&table.cache, key_of(1), 6, value, &hint));
    ck_assert(cache_find(&table.cache, key_of(1), 6, found, &hint));
    ck_assert_mem_eq(found, value, sizeof(value));
    ck_assert(cache_valid(&table.cache));
    table_free(&table);
}
END_TEST

START_TEST(cache_counts)
{
    struct table table = table_new(CACHE_WAYS, WORDS);
    uint64_t hits = counted(STATS_cache_hits), misses = counted(STATS_cache_misses);
    uint64_t evictions = counted(STATS_cache_evictions);

    for (uint64_t i = 0; i < CACHE_WAYS + 3; i++)
        ck_assert(put(&table, i, i));
    ck_assert(put(&table, 5, 20)); /* is there: nothing goes */
    ck_assert_uint_eq(counted(STATS_cache_evictions), evictions + 3);
    ck_assert(has(&table, 5, 20));
    ck_assert(!has(&table, 99, 20));
    ck_assert_uint_eq(counted(STATS_cache_hits), hits + 1);
    ck_assert_uint_eq(counted(STATS_cache_misses), misses + 1);
    table_free(&table);
}
END_TEST

START_TEST(cache_of_any_geometry)
{
    static const uint64_t entries[] = { 1, 15, 16, 17, 33, 1000 };
    static const unsigned words[] = { 1, 2, 3, 5, 8, 64, 77, 699, 700 };

    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        for (size_t j = 0; j < COUNT_OF(words); j++) {
            struct table table = table_new(entries[i], words[j]);
            uint64_t kept = 0;

            MUST(table.bytes % 64 == 0);
            MUST(table.cache.set_count == (entries[i] + 15) / 16);
            MUST(table.bytes >= entries[i] * (words[j] + 2) * sizeof(uint64_t));
            for (uint64_t number = 1; number <= entries[i] * 3; number++) {
                MUST(put(&table, number, number));
                MUST(has(&table, number, number));
            }
            for (uint64_t number = 1; number <= entries[i] * 3; number++)
                kept += has(&table, number, number);
            MUST(kept <= (entries[i] + 15) / 16 * 16);
            MUST(kept >= entries[i] * 9 / 10); /* keys spread over the sets */
            MUST(cache_valid(&table.cache));
            table_free(&table);
        }
    }
}
END_TEST

/* --- What goes first: one set beside a plain list of what must be in it. */

struct model {
    struct {
        uint64_t number, stamp;
        bool used;
    } ways[CACHE_WAYS];
    unsigned hand;
};

static bool model_find(struct model *model, uint64_t number, uint64_t now)
{
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        if (model->ways[i].used && model->ways[i].number == number) {
            if (now - model->ways[i].stamp >= 1000)
                model->ways[i].stamp = now;
            return true;
        }
    }
    return false;
}

static void model_put(struct model *model, uint64_t number, uint64_t now)
{
    unsigned at = CACHE_WAYS;

    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        if (model->ways[i].used && model->ways[i].number == number)
            at = i;
    }
    for (unsigned i = 0; at == CACHE_WAYS && i < CACHE_WAYS; i++) {
        if (!model->ways[(model->hand + i) % CACHE_WAYS].used)
            at = (model->hand + i) % CACHE_WAYS;
    }
    if (at == CACHE_WAYS) {
        at = model->hand;
        for (unsigned i = 0; i < CACHE_WAYS; i++) {
            unsigned way = (model->hand + i) % CACHE_WAYS;

            if (model->ways[way].stamp < model->ways[at].stamp)
                at = way;
        }
        model->hand = (at + 1) % CACHE_WAYS;
    }
    model->ways[at].used = true;
    model->ways[at].number = number;
    model->ways[at].stamp = now;
}

START_TEST(cache_forgets_the_oldest)
{
    struct dice dice = dice_new(1);

    /* From small numbers, and over the end of 32 bits. */
    for (unsigned round = 0; round < 200; round++) {
        struct table table = table_new(CACHE_WAYS, 2);
        struct model model = { .hand = 0 };
        uint64_t now = round % 2 ? UINT32_MAX - UINT64_C(3000) : 1;
        unsigned pace = round % 3 ? 300 : 2; /* few ties, many */

        for (int step = 0; step < 500; step++) {
            uint64_t number = dice_roll(&dice, 24) + 1;

            now += dice_roll(&dice, pace);
            if (dice_roll(&dice, 3) == 0) {
                MUST(put(&table, number, now));
                model_put(&model, number, now);
            } else {
                MUST(has(&table, number, now) == model_find(&model, number, now));
            }
        }
        for (uint64_t number = 1; number <= 24; number++)
            MUST(has(&table, number, now) == model_find(&model, number, now));
        MUST(cache_valid(&table.cache));
        table_free(&table);
    }
}
END_TEST

START_TEST(cache_ties_go_round)
{
    struct table table = table_new(1, 1);

    for (uint64_t i = 1; i <= 100; i++)
        ck_assert(put(&table, i, 1000));
    for (uint64_t i = 1; i <= 100; i++)
        ck_assert_int_eq(has(&table, i, 1000), i > 100 - CACHE_WAYS);
    table_free(&table);
}
END_TEST

/* A stamp of a process whose clock is a little ahead is young; it does not bar the others, and
 * one whose clock is a little behind does not make what it uses older. */
START_TEST(cache_clocks_may_differ)
{
    struct table table = table_new(1, 1);

    for (uint64_t i = 1; i <= CACHE_WAYS; i++)
        ck_assert(put(&table, i, i == 3 ? 10004 : 9000 + i));
    ck_assert(has(&table, 3, 10000));
    ck_assert_uint_eq(((struct set *)(void *)table.pages.at)->stamps[2], 10004);
    ck_assert(put(&table, 100, 10000));
    ck_assert(has(&table, 3, 10000));
    ck_assert(!has(&table, 1, 10000));
    /* Unused for more than half of what 32 bits can say: the stamp is renewed all the same. */
    ck_assert(has(&table, 2, 9000 + UINT64_C(0x90000000)));
    ck_assert_uint_eq(((struct set *)(void *)table.pages.at)->stamps[1], 0x90000000 + 9000);
    table_free(&table);
}
END_TEST

/* --- Hints */

START_TEST(cache_hints_last_until_a_write)
{
    struct table table = table_new(CACHE_WAYS, WORDS);
    uint64_t value[WORDS], words[3];
    struct cache_hint hint, put_hint, none = { 0, 0, 0 };
    const unsigned places[] = { 7, 0, 3 };

    ck_assert(!cache_read(&table.cache, &none, 1, places, 3, words));
    ck_assert(put(&table, 2, 1));
    ck_assert(!cache_read(&table.cache, &none, 1, places, 3, words));
    fill(value, WORDS, 1);
    ck_assert(cache_put(&table.cache, key_of(1), 1, value, &put_hint));
    ck_assert(cache_find(&table.cache, key_of(1), 1, value, &hint));
    ck_assert_mem_eq(&hint, &put_hint, sizeof(hint));
    for (uint64_t now = 0; now < 10000; now += 500) { /* hits change nothing */
        ck_assert(cache_read(&table.cache, &hint, now, places, 3, words));
        ck_assert_uint_eq(words[0], 1007);
        ck_assert_uint_eq(words[1], 1000);
        ck_assert_uint_eq(words[2], 1003);
        ck_assert(has(&table, 1, now));
        ck_assert(has(&table, 2, now));
    }
    ck_assert(cache_read(&table.cache, &hint, 1, places, 0, words));
    /* Any write in the set: of the same value, or of another key. */
    ck_assert(put(&table, 1, 1));
    ck_assert(!cache_read(&table.cache, &hint, 1, places, 3, words));
    ck_assert(cache_find(&table.cache, key_of(1), 1, value, &hint));
    ck_assert(put(&table, 3, 1));
    ck_assert(!cache_read(&table.cache, &hint, 1, places, 3, words));
    table_free(&table);
}
END_TEST

START_TEST(cache_hints_count_as_use)
{
    struct table table = table_new(CACHE_WAYS, 1);
    uint64_t value[1];
    struct cache_hint hint;
    const unsigned place = 0;

    for (uint64_t i = 1; i <= CACHE_WAYS; i++)
        ck_assert(put(&table, i, i));
    ck_assert(cache_find(&table.cache, key_of(1), 20, value, &hint));
    ck_assert(cache_read(&table.cache, &hint, 5000, &place, 1, value));
    ck_assert(put(&table, 100, 5001));
    ck_assert(has(&table, 1, 5001));
    ck_assert(!has(&table, 2, 5001));
    table_free(&table);
}
END_TEST

/* --- Processes that die or stand still in the middle of a write */

/* A value whose fourth word lies where nobody may look, until trap_open. */
struct trap {
    struct pages pages;
    uint64_t *value;
};

static struct trap trap;

static void trap_set(void)
{
    trap.pages = pages_new((size_t)2 * PAGE);
    trap.value = (uint64_t *)(void *)(trap.pages.at + PAGE) - 3;
    fill(trap.value, WORDS, 1);
    ck_assert_int_eq(mprotect(trap.pages.at + PAGE, PAGE, PROT_NONE), 0);
}

static void trap_open(int signal)
{
    (void)signal;
    raise(SIGSTOP);
    if (mprotect(trap.pages.at + PAGE, PAGE, PROT_READ))
        _exit(2);
}

/* A child that puts number 1 as ${owner} and gets stuck: dead, or stopped until SIGCONT. */
static pid_t stuck(const struct table *table, unsigned owner, bool dies)
{
    struct cache cache = view(table, owner);
    struct cache_hint hint;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit no_core = { 0, 0 };

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, dies ? SIG_DFL : trap_open);
        _exit(cache_put(&cache, key_of(1), 50000, trap.value, &hint) ? 0 : 1);
    }
    ck_assert_int_ge(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(dies ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV : WIFSTOPPED(status));
    return pid;
}

/* Nothing can be had where another one writes, and nobody waits for that to end. */
static void check_blocked(struct table *table)
{
    uint64_t races = counted(STATS_cache_races);

    for (uint64_t i = 1; i <= 5; i++) {
        ck_assert(!has(table, i, 1));
        ck_assert(!put(table, i, 1));
    }
    ck_assert_uint_eq(counted(STATS_cache_races), races + 10);
    ck_assert(!cache_valid(&table->cache));
}

START_TEST(cache_is_swept)
{
    /* An entry that is replaced, a fresh one, and one for which another one goes. */
    for (uint64_t before = 1; before <= CACHE_WAYS + 1; before += CACHE_WAYS / 2) {
        for (int with_it = 0; with_it <= 1; with_it++) {
            struct table table = table_new(CACHE_WAYS, WORDS);
            uint64_t first = with_it ? 1 : 2, value[WORDS];
            struct cache_hint hint = { 0, 0, 0 };
            const unsigned place = 0;
            unsigned kept = 0;

            trap_set();
            for (uint64_t i = first; i < first + before && i <= CACHE_WAYS + 1; i++)
                ck_assert(put(&table, i, i));
            if (with_it && before <= CACHE_WAYS)
                ck_assert(cache_find(&table.cache, key_of(1), 1, value, &hint));
            stuck(&table, 7, true);
            check_blocked(&table);
            ck_assert(!cache_read(&table.cache, &hint, 1, &place, 1, value));
            ck_assert_uint_eq(cache_sweep(&table.cache, 1), 0);
            ck_assert_uint_eq(cache_sweep(&table.cache, 6), 0);
            ck_assert_uint_eq(cache_sweep(&table.cache, 8), 0);
            ck_assert_uint_eq(cache_sweep(&table.cache, 7 + 256), 0);
            check_blocked(&table);
            ck_assert_uint_eq(cache_sweep(&table.cache, 7), 1);
            ck_assert_uint_eq(cache_sweep(&table.cache, 7), 0);
            ck_assert(cache_valid(&table.cache));
            ck_assert(!has(&table, 1, 60000)); /* never the half of it */
            ck_assert(!cache_read(&table.cache, &hint, 1, &place, 1, value));
            for (uint64_t i = 2; i <= CACHE_WAYS + 1; i++)
                kept += has(&table, i, 60000);
            /* One way was given up, no more. */
            ck_assert_uint_ge(kept + 1, before < CACHE_WAYS ? before : CACHE_WAYS);
            ck_assert(put(&table, 1, 60000));
            ck_assert(has(&table, 1, 60000));
            ck_assert(cache_valid(&table.cache));
            pages_free(&trap.pages);
            table_free(&table);
        }
    }
}
END_TEST

START_TEST(cache_other_sets_go_on)
{
    struct table table = table_new(1024, WORDS);
    unsigned blocked = 0;

    trap_set();
    stuck(&table, CACHE_OWNER_MAX, true);
    for (uint64_t i = 2; i < 1000; i++) {
        if (put(&table, i, 1))
            ck_assert(has(&table, i, 1));
        else
            blocked++;
    }
    ck_assert_uint_gt(blocked, 0);
    ck_assert_uint_lt(blocked, 60);
    ck_assert_uint_eq(cache_sweep(&table.cache, CACHE_OWNER_MAX), 1);
    for (uint64_t i = 1; i < 1000; i++)
        ck_assert(put(&table, i, 1));
    ck_assert(cache_valid(&table.cache));
    pages_free(&trap.pages);
    table_free(&table);
}
END_TEST

START_TEST(cache_waits_for_nobody)
{
    const char *preload = getenv("LD_PRELOAD");
    int status;

    /* valgrind does not repeat the very load that failed. */
    if (preload != NULL && strstr(preload, "vgpreload") != NULL)
        return;
    struct table table = table_new(CACHE_WAYS, WORDS);
    trap_set();
    for (uint64_t i = 2; i < 8; i++)
        ck_assert(put(&table, i, 1));
    pid_t pid = stuck(&table, 7, false);
    check_blocked(&table);
    ck_assert_uint_eq(cache_sweep(&table.cache, 8), 0); /* somebody else died */
    check_blocked(&table);
    /* It goes on, and finishes. */
    kill(pid, SIGCONT);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert(cache_valid(&table.cache));
    for (uint64_t i = 1; i < 8; i++)
        ck_assert(has(&table, i, 1));
    pages_free(&trap.pages);
    table_free(&table);
}
END_TEST

/* --- Damage */

START_TEST(cache_valid_sees_damage)
{
    struct table table = table_new((uint64_t)CACHE_WAYS * 2, WORDS);
    struct set *sets = (struct set *)(void *)table.pages.at, good[2];

    ck_assert_uint_eq(table.bytes, sizeof(good));
    for (uint64_t i = 1; i < 16; i++)
        ck_assert(put(&table, i, 1));
    memcpy(good, sets, sizeof(good));
    ck_assert(cache_valid(&table.cache));

    sets[1].word += UINT64_C(1) << 24; /* a claim, of nobody even */
    ck_assert(!cache_valid(&table.cache));
    memcpy(sets, good, sizeof(good));

    sets[0].word |= 5 << 8; /* released, but not by all */
    ck_assert(!cache_valid(&table.cache));
    memcpy(sets, good, sizeof(good));

    memcpy(sets[0].ways[15], sets[0].ways[0], sizeof(sets[0].ways[0])); /* twice */
    ck_assert(cache_valid(&table.cache));                               /* that way is empty */
    sets[0].tags[15] = sets[0].tags[0];
    ck_assert(!cache_valid(&table.cache));
    memcpy(sets, good, sizeof(good));

    memcpy(sets[1].ways[15], sets[0].ways[0], sizeof(sets[0].ways[0])); /* the wrong set */
    sets[1].tags[15] = sets[0].tags[0];
    ck_assert(!cache_valid(&table.cache));
    memcpy(sets, good, sizeof(good));

    sets[0].ways[0][1]++; /* a key that is another */
    ck_assert(!cache_valid(&table.cache));
    memcpy(sets, good, sizeof(good));

    sets[0].tags[0] += 2;
    ck_assert(!cache_valid(&table.cache));
    memcpy(sets, good, sizeof(good));
    ck_assert(cache_valid(&table.cache));
    table_free(&table);
}
END_TEST

/* The master sweeps what a mad process may have left, and comes to no harm itself. */
START_TEST(cache_sweeps_a_way_that_is_none)
{
    for (unsigned way = 0; way < 256; way++) {
        struct table table = table_new(CACHE_WAYS, WORDS);
        struct set *set = (struct set *)(void *)table.pages.at;

        for (uint64_t i = 1; i <= CACHE_WAYS; i++)
            MUST(put(&table, i, 1));
        struct set before = *set;
        set->word += (UINT64_C(1) << 24) + (3 << 8) + way;
        MUST(cache_sweep(&table.cache, 3) == 1);
        MUST(cache_valid(&table.cache));
        MUST(memcmp(before.stamps, set->stamps, sizeof(before.stamps)) == 0);
        MUST(memcmp(before.ways, set->ways, sizeof(before.ways)) == 0);
        table_free(&table);
    }
}
END_TEST

UNIT("cache", cache_finds_what_was_put, cache_counts, cache_of_any_geometry,
     cache_forgets_the_oldest, cache_ties_go_round, cache_clocks_may_differ,
     cache_hints_last_until_a_write, cache_hints_count_as_use, cache_is_swept,
     cache_other_sets_go_on, cache_waits_for_nobody, cache_valid_sees_damage,
     cache_sweeps_a_way_that_is_none)
