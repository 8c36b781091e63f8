#include "unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "dice.h"
#include "session.h"
#include "store/catalog.h"
#include "store/catalogcopy.h"
#include "store/history.h"
#include "system/stats.h"

/* What is known of all that is on disk: when it is read again, and what then. A store without
 * helpers reads at once. */

#define OLD (FILES_WALL - 86400)

static struct session session;
static struct failure failure;
static struct load_waiter waiter;

/* A series with one day, whose directories are old. */
static void plant(const char *exchange, const char *symbol, const char *type, int32_t day)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s/%s", exchange, symbol, type);
    files_write(files_column(path, "time", day), &day, 4);
    files_touch(path, OLD);
    snprintf(path, sizeof(path), "%s/%s", exchange, symbol);
    files_touch(path, OLD);
    files_touch(exchange, OLD);
    files_touch(".", OLD);
}

static void begin(void)
{
    struct config *config = files_config();

    log_set_level(LOG_LEVEL_ERROR);
    plant("ex", "B", "MD", 20000);
    plant("ex", "A", "TRADES", 20001);
    plant("ex", "A", "MD", 20002);
    plant("other", "B", "MD", 20003);
    session_begin(&session, config);
    waiter = (struct load_waiter){ .failure = &failure };
}

static struct catalog *get(void)
{
    struct catalog *catalog = NULL;

    ck_assert_int_eq(catalog_get(session.store, &waiter, &catalog), SNAPSHOT_OK);
    return catalog;
}

static void done(struct catalog *catalog)
{
    snapshot_release(&catalog->snapshot);
}

START_TEST(catalog_lists_in_order)
{
    begin();
    struct catalog *catalog = get();
    ck_assert_uint_eq(catalog->exchange_count, 2);
    ck_assert_str_eq(catalog->exchanges[0].name, "ex");
    ck_assert_uint_eq(catalog->symbol_count, 3);
    ck_assert_str_eq(catalog->symbols[0].name, "A");
    ck_assert_str_eq(catalog->symbols[1].name, "B");
    ck_assert_uint_eq(catalog->symbols[0].type_count, 2);
    ck_assert_str_eq(catalog_type(catalog, 0), "MD");
    ck_assert_str_eq(catalog_type(catalog, 1), "TRADES");
    ck_assert_uint_eq(catalog->types[0], catalog->types[2]);

    const struct catalog_exchange *ex = catalog_exchange(catalog, SLICE("ex"));
    ck_assert_ptr_eq(ex, &catalog->exchanges[0]);
    ck_assert_ptr_null(catalog_exchange(catalog, SLICE("e")));
    ck_assert_ptr_null(catalog_exchange(catalog, SLICE("exx")));
    ck_assert_ptr_eq(catalog_symbol(catalog, ex, "B"), &catalog->symbols[1]);
    ck_assert_ptr_null(catalog_symbol(catalog, ex, "C"));
    done(catalog);
    session_end(&session);
}
END_TEST

START_TEST(catalog_is_made_again_only_when_it_has_changed)
{
    begin();
    struct catalog *first = get(), *second;

    plant("ex", "C", "MD", 20000);
    files_touch("ex", OLD + 1);
    session_later(&session, 4000); /* less than half of catalog_refresh */
    second = get();
    ck_assert_ptr_eq(first, second);
    done(second);
    session_later(&session, 7000);
    second = get();
    ck_assert_ptr_ne(first, second);
    ck_assert_uint_eq(second->symbol_count, 4);
    ck_assert_uint_eq(first->symbol_count, 3); /* whoever holds it keeps it */
    done(first);
    session_later(&session, 20000);
    first = get();
    ck_assert_ptr_eq(first, second); /* nothing has changed */
    done(first);
    done(second);
    session_end(&session);
}
END_TEST

START_TEST(catalog_reads_young_directories_again)
{
    begin();
    files_touch("ex/A", FILES_WALL - 1);
    done(get());
    files_folder("ex/A/NEW");
    files_touch("ex/A", FILES_WALL - 1); /* as before, to who looks at times only */
    session_later(&session, 20000);
    struct catalog *catalog = get();
    ck_assert_uint_eq(catalog->symbols[0].type_count, 3);
    done(catalog);
    session_end(&session);
}
END_TEST

/* What there is once ${from} has become ${to}, in or out of the exchange, which then changed at
 * ${mtime}. */
static struct catalog *get_after_move(const char *from, const char *to, int64_t mtime)
{
    files_rename(from, to);
    files_touch("ex", mtime);
    session_later(&session, 20000);
    return get();
}

/* What was left out for want of room is listed once there is some. */
START_TEST(catalog_lists_what_was_left_out_when_there_is_room)
{
    struct config *config = files_config();

    log_set_level(LOG_LEVEL_ERROR);
    plant("ex", "A", "MD", 20000);
    plant("ex", "B", "MD", 20000);
    plant("other", "C", "MD", 20000);
    plant("other", "D", "MD", 20000);
    files_set(config, "max_symbols", "3");
    session_begin(&session, config);
    waiter = (struct load_waiter){ .failure = &failure };
    struct catalog *first = get(), *second;
    ck_assert_uint_eq(first->symbol_count, 3);
    ck_assert(first->full);

    session_later(&session, 20000);
    second = get();
    ck_assert_ptr_eq(first, second); /* nothing has changed */
    done(first);
    done(second);

    first = get_after_move("ex/A", ".A", OLD + 1);
    ck_assert_uint_eq(first->symbol_count, 3);
    ck_assert_str_eq(first->symbols[2].name, "D");
    ck_assert(!first->full);
    done(first);

    /* It is pushed out, though nothing has happened to its exchange, and comes back. */
    first = get_after_move(".A", "ex/A", OLD + 2);
    ck_assert(first->full);
    ck_assert_str_eq(first->symbols[2].name, "C");
    done(first);
    first = get_after_move("ex/A", ".A", OLD + 3);
    ck_assert_uint_eq(first->symbol_count, 3);
    ck_assert_str_eq(first->symbols[2].name, "D");
    done(first);
    session_end(&session);
}
END_TEST

/* A directory does not change when what a link in it leads to appears. */
START_TEST(catalog_follows_links_that_lead_somewhere_at_last)
{
    if (!files_openat2()) {
        printf("catalog: no openat2: no link is followed\n");
        return;
    }
    begin();
    files_link("../.later", "ex/C");
    files_link("../../.type", "ex/A/TICKS");
    files_touch("ex", OLD);
    files_touch("ex/A", OLD);
    struct catalog *first = get(), *second;
    ck_assert_uint_eq(first->symbol_count, 3);
    ck_assert_uint_eq(first->symbols[0].type_count, 2);
    session_later(&session, 20000);
    second = get();
    ck_assert_ptr_eq(first, second);
    done(first);
    done(second);

    files_folder(".later/MD");
    files_folder(".type");
    session_later(&session, 20000);
    first = get();
    ck_assert_uint_eq(first->symbol_count, 4);
    ck_assert_str_eq(first->symbols[2].name, "C");
    ck_assert_uint_eq(first->symbols[0].type_count, 3);
    done(first);
    session_end(&session);
}
END_TEST

START_TEST(catalog_is_not_there_without_data)
{
    struct catalog *catalog = NULL;

    begin();
    done(get());
    files_rename("ex", ".ex");
    files_rename("other", ".other");
    session_later(&session, 20000);
    ck_assert_int_eq(catalog_get(session.store, &waiter, &catalog), SNAPSHOT_FAILED);
    ck_assert_int_eq(failure.status, 503);
    files_rename(".ex", "ex");
    catalog = get();
    ck_assert_uint_eq(catalog->exchange_count, 1);
    done(catalog);
    session_end(&session);
}
END_TEST

START_TEST(history_knows_days_and_the_newest_file)
{
    struct history *history = NULL;

    begin();
    files_touch(files_column("ex/A/MD", "time", 20002), 5000);
    files_touch(files_column("ex/B/MD", "time", 20000), 6000);
    struct catalog *catalog = get();
    ck_assert_int_eq(history_get(session.store, catalog, &waiter, &history), SNAPSHOT_OK);
    ck_assert_int_eq(history->series[0].first, 20002);
    ck_assert_int_eq(history->series[0].last, 20002);
    ck_assert_int_eq(history->series[0].newest, 5000);
    ck_assert_uint_eq(history->update_count, 3);
    ck_assert_str_eq(history->updates[0].type, "MD");
    ck_assert_str_eq(history->updates[0].symbol, "B");
    ck_assert_int_eq(history->updates[0].newest, 6000);
    snapshot_release(&history->snapshot);

    /* A file that was appended to leaves its directory as it was. */
    files_touch(files_column("ex/A/MD", "time", 20002), 7000);
    session_later(&session, 20000);
    ck_assert_int_eq(history_get(session.store, catalog, &waiter, &history), SNAPSHOT_OK);
    ck_assert_int_eq(history->updates[0].newest, 7000);
    ck_assert_str_eq(history->updates[0].symbol, "A");
    snapshot_release(&history->snapshot);
    done(catalog);
    session_end(&session);
}
END_TEST

/* --- Two workers */

static struct segment *segment;
static struct facts facts[3];
static struct session other;

static void begin_both(const char *max_symbols, const char *watch)
{
    size_t bytes[SEGMENT_SECTIONS] = { [SEGMENT_STATS] = 4096 };
    struct config *config = files_config(), *again = files_config_again();

    log_set_level(LOG_LEVEL_ERROR);
    plant("ex", "A", "MD", 20002);
    plant("ex", "B", "MD", 20000);
    plant("other", "B", "TRADES", 20003);
    files_set(again, "max_symbols", max_symbols);
    files_set(config, "catalog_watch", watch);
    files_set(again, "catalog_watch", watch);
    facts_sizes(config, bytes);
    segment = segment_create(bytes);
    ck_assert_ptr_nonnull(segment);
    for (unsigned i = 0; i < COUNT_OF(facts); i++)
        facts_attach(&facts[i], segment, i + 1);
    session_begin_with(&session, config, &facts[0], NULL);
    session_begin_with(&other, again, &facts[1], NULL);
    waiter = (struct load_waiter){ .failure = &failure };
}

static void end_both(void)
{
    session_end(&session);
    session_end(&other);
    segment_free(segment);
}

static void later(uint64_t ms)
{
    session_later(&session, ms);
    session_later(&other, ms);
}

/* Looks at the disk since the last call. */
static unsigned looks(void)
{
    static uint64_t before;
    uint64_t all = stats_mine->counters[STATS_catalog_looks], more = all - before;

    before = all;
    return (unsigned)more;
}

/* How many symbols a worker lists. */
static unsigned symbols_of(struct session *worker)
{
    struct catalog *catalog = NULL;

    ck_assert_int_eq(catalog_get(worker->store, &waiter, &catalog), SNAPSHOT_OK);
    unsigned count = catalog->symbol_count;
    done(catalog);
    return count;
}

static struct history *history_of(struct session *worker)
{
    struct catalog *catalog = NULL;
    struct history *history = NULL;

    ck_assert_int_eq(catalog_get(worker->store, &waiter, &catalog), SNAPSHOT_OK);
    ck_assert_int_eq(history_get(worker->store, catalog, &waiter, &history), SNAPSHOT_OK);
    done(catalog);
    return history;
}

START_TEST(catalog_is_looked_for_once)
{
    struct catalog *catalog = NULL;

    begin_both("200000", "off");
    looks();
    ck_assert_uint_eq(symbols_of(&session), 3);
    ck_assert_uint_eq(looks(), 1);
    ck_assert_int_eq(catalog_get(other.store, &waiter, &catalog), SNAPSHOT_OK);
    ck_assert_uint_eq(looks(), 0);
    ck_assert_uint_eq(catalog->exchange_count, 2);
    ck_assert_str_eq(catalog->exchanges[1].name, "other");
    ck_assert_ptr_eq(catalog_symbol(catalog, &catalog->exchanges[0], "B"),
                     &catalog->symbols[1]);
    ck_assert_uint_eq(catalog->symbols[2].type_count, 1);
    ck_assert_str_eq(catalog_type(catalog, catalog->symbols[2].first_type), "TRADES");
    done(catalog);

    /* Nothing changes: one of them looks, and the other one knows. */
    for (int i = 0; i < 10; i++) {
        later(6000);
        ck_assert_uint_eq(symbols_of(i % 2 == 0 ? &session : &other), 3);
        ck_assert_uint_eq(symbols_of(i % 2 == 0 ? &other : &session), 3);
        ck_assert_uint_eq(looks(), 1);
    }
    /* Something does. */
    plant("ex", "C", "MD", 20000);
    files_touch("ex", OLD + 1);
    later(6000);
    ck_assert_uint_eq(symbols_of(&other), 4);
    ck_assert_uint_eq(symbols_of(&session), 4);
    ck_assert_uint_eq(looks(), 1);
    end_both();
}
END_TEST

/* One who was idle for long reads only what has changed since another one looked: else it would
 * put up a list of its own. */
START_TEST(catalog_goes_on_from_what_another_one_found)
{
    struct catalog *first = NULL, *second = NULL;

    begin_both("200000", "off");
    ck_assert_int_eq(catalog_get(session.store, &waiter, &first), SNAPSHOT_OK);
    later(60000);
    looks();
    ck_assert_int_eq(catalog_get(other.store, &waiter, &second), SNAPSHOT_OK);
    ck_assert_uint_eq(looks(), 1);
    ck_assert_uint_ne(first->snapshot.generation, 0);
    ck_assert_uint_eq(first->snapshot.generation, second->snapshot.generation);
    done(first);
    done(second);
    end_both();
}
END_TEST

START_TEST(catalog_waits_for_nobody_else)
{
    begin_both("200000", "off");
    ck_assert_uint_eq(symbols_of(&session), 3);
    ck_assert_uint_eq(symbols_of(&other), 3);
    plant("ex", "C", "MD", 20000);
    files_touch("ex", OLD + 1);
    looks();

    /* A third one stands still in the middle of a look. */
    ck_assert_uint_ne(board_claim(&facts[2].board, STORE_CATALOG), 0);
    later(6000);
    ck_assert_uint_eq(symbols_of(&session), 3);
    ck_assert_uint_eq(looks(), 0);
    later(6000);
    ck_assert_uint_eq(symbols_of(&session), 4);
    ck_assert_uint_eq(looks(), 1);
    ck_assert_uint_eq(symbols_of(&other), 4); /* what is found so is one's own */
    ck_assert_uint_eq(looks(), 1);

    /* It is dead. */
    facts_sweep(&facts[0], 3);
    later(6000);
    ck_assert_uint_eq(symbols_of(&session), 4);
    ck_assert_uint_eq(symbols_of(&other), 4);
    ck_assert_uint_eq(looks(), 1);
    end_both();
}
END_TEST

START_TEST(catalog_of_another_setup_is_no_use)
{
    begin_both("2", "off");
    looks();
    ck_assert_uint_eq(symbols_of(&session), 3);
    ck_assert_uint_eq(symbols_of(&other), 2);
    ck_assert_uint_eq(looks(), 2);
    end_both();
}
END_TEST

START_TEST(catalog_of_another_root_is_no_use)
{
    begin_both("200000", "off");
    ck_assert_uint_eq(symbols_of(&session), 3);
    char away[4096];
    snprintf(away, sizeof(away), "%s.away", files_root());
    MUST(rename(files_root(), away) == 0 && mkdir(files_root(), 0777) == 0);
    plant("ex", "Z", "MD", 20000);
    later(2000);
    looks();
    ck_assert_uint_eq(symbols_of(&other), 1);
    ck_assert_uint_eq(symbols_of(&session), 1);
    ck_assert_uint_eq(looks(), 1);
    char command[4200];
    snprintf(command, sizeof(command), "rm -r %s", away);
    MUST(system(command) == 0);
    end_both();
}
END_TEST

START_TEST(catalog_that_is_damaged_is_no_use)
{
    begin_both("200000", "off");
    ck_assert_uint_eq(symbols_of(&session), 3);
    for (unsigned i = 0; i < SEGMENT_SCRATCH; i++)
        MUST(ftruncate(segment_scratch(segment, i), 50) == 0);
    looks();
    ck_assert_uint_eq(symbols_of(&other), 3);
    ck_assert_uint_eq(looks(), 1);
    end_both();
}
END_TEST

/* Whatever bytes are changed: it is refused, or is one that can be used. */
START_TEST(catalogcopy_survives_anything)
{
    struct dice dice = dice_new(1);
    struct buf saved = { 0 };
    unsigned refused = 0;

    begin();
    struct catalog *catalog = get();
    ck_assert_int_eq(catalogcopy_save(&catalog->snapshot, &saved), 0);
    done(catalog);
    for (int i = 0; i < 20000; i++) {
        char *bytes = malloc(saved.len);
        size_t len =
            dice_roll(&dice, 4) == 0 ? dice_roll(&dice, (unsigned)saved.len) : saved.len;

        memcpy(bytes, saved.bytes, saved.len);
        for (unsigned j = 0; j <= dice_roll(&dice, 3); j++)
            bytes[dice_roll(&dice, (unsigned)saved.len)] = (char)dice_roll(&dice, 256);
        struct snapshot *made = catalogcopy_load((struct slice){ bytes, len }, NULL);
        free(bytes);
        refused += made == NULL;
        if (made == NULL)
            continue;
        catalog = (struct catalog *)made;
        for (uint32_t e = 0; e < catalog->exchange_count; e++) {
            const struct catalog_exchange *exchange = &catalog->exchanges[e];

            catalog_exchange(catalog, SLICE("other"));
            catalog_symbol(catalog, exchange, "B");
            for (uint32_t s = 0; s < exchange->symbol_count; s++) {
                const struct catalog_symbol *symbol =
                    &catalog->symbols[exchange->first_symbol + s];

                ck_assert_uint_eq(symbol->len, strlen(symbol->name));
                for (uint32_t t = 0; t < symbol->type_count; t++)
                    ck_assert_uint_le(strlen(catalog_type(catalog, symbol->first_type + t)),
                                      64);
            }
        }
        made->free(made);
    }
    ck_assert_uint_gt(refused, 1000);
    buf_free(&saved);
    session_end(&session);
}
END_TEST

START_TEST(history_is_looked_for_once)
{
    begin_both("200000", "off");
    files_touch(files_column("ex/B/MD", "time", 20000), 6000);
    looks();
    struct history *first = history_of(&session), *second = history_of(&other);
    ck_assert_uint_eq(looks(), 2); /* for the catalog, and for it */
    ck_assert_ptr_ne(first, second);
    ck_assert_uint_eq(second->update_count, first->update_count);
    ck_assert_str_eq(second->updates[0].symbol, first->updates[0].symbol);
    ck_assert_int_eq(second->updates[0].newest, first->updates[0].newest);
    for (uint32_t i = 0; i < first->update_count; i++) {
        ck_assert_int_gt(first->updates[i].row, 0);
        ck_assert_int_eq(second->updates[i].row, first->updates[i].row);
        ck_assert_str_eq(second->updates[i].row_symbol, first->updates[i].row_symbol);
    }
    ck_assert_int_eq(second->series[0].first, 20002);
    ck_assert_int_eq(second->series[2].last, 20003);
    snapshot_release(&second->snapshot);
    later(6000);
    for (int i = 0; i < 2; i++) {
        second = history_of(i == 0 ? &other : &session);
        snapshot_release(&second->snapshot);
        ck_assert_uint_eq(looks(), i == 0 ? 2 : 0);
    }
    ck_assert_int_eq(history_wall(session.store), history_wall(other.store));

    files_touch(files_column("ex/B/MD", "time", 20000), FILES_WALL);
    later(6000);
    for (int i = 0; i < 2; i++) {
        second = history_of(i == 0 ? &other : &session);
        ck_assert_int_eq(second->updates[0].newest, FILES_WALL);
        ck_assert_str_eq(second->updates[0].symbol, "B");
        snapshot_release(&second->snapshot);
    }
    ck_assert_uint_eq(looks(), 2);
    snapshot_release(&first->snapshot);
    end_both();
}
END_TEST

/* --- Watched directories */

/* Returns false, and says so, where the system has no inotify for us. */
static bool begin_watched(void)
{
    begin_both("200000", "auto");
    looks();
    ck_assert_uint_eq(symbols_of(&session), 3);
    ck_assert_uint_eq(looks(), 1);
    later(2000);
    ck_assert_uint_eq(symbols_of(&session), 3);
    if (looks() == 0 && session.store->snapshots[STORE_CATALOG].watched)
        return true;
    puts("skipped: directories cannot be watched here");
    end_both();
    return false;
}

/* Both workers list ${count} symbols a moment later, after so many looks. */
static void expect_soon(unsigned count, unsigned looked)
{
    later(1500);
    ck_assert_uint_eq(symbols_of(&session), count);
    ck_assert_uint_eq(symbols_of(&other), count);
    ck_assert_uint_eq(looks(), looked);
}

START_TEST(catalog_is_right_until_the_kernel_says_no)
{
    char old[4096];

    if (!begin_watched())
        return;
    for (int i = 0; i < 10; i++) {
        later(20000);
        expect_soon(3, 0);
    }
    files_folder("ex/C");
    expect_soon(4, 1);
    expect_soon(4, 0);
    files_folder("new/D");
    expect_soon(5, 1);
    files_folder("new/E"); /* in a directory that is watched since then */
    expect_soon(6, 1);
    files_rename("new", ".new");
    expect_soon(4, 1);
    files_folder(".new/F"); /* nobody's business any more */
    expect_soon(4, 0);
    files_rename(".new", "new2");
    expect_soon(7, 1);
    files_folder("new2/G");
    expect_soon(8, 1);
    snprintf(old, sizeof(old), "%s/new2/G", files_root());
    MUST(rmdir(old) == 0);
    expect_soon(7, 1);

    /* A type. */
    struct catalog *catalog = NULL;
    files_folder("ex/C/MD");
    expect_soon(7, 1);
    ck_assert_int_eq(catalog_get(other.store, &waiter, &catalog), SNAPSHOT_OK);
    ck_assert_uint_eq(catalog->symbols[2].type_count, 1);
    done(catalog);
    end_both();
}
END_TEST

START_TEST(catalog_is_looked_for_now_and_then_even_so)
{
    if (!begin_watched())
        return;
    later(200000);
    expect_soon(3, 0);
    later(200000);
    expect_soon(3, 1);
    expect_soon(3, 0);
    end_both();
}
END_TEST

/* What somebody has been told, who then died, is not forgotten. */
START_TEST(catalog_does_not_believe_the_dead)
{
    struct watch watch;

    if (!begin_watched())
        return;
    files_folder("ex/C");
    ck_assert_uint_ne(board_claim(&facts[2].board, STORE_CATALOG), 0);
    watch_begin(&watch, segment_inotify(segment), files_root());
    watch_end(&watch);
    expect_soon(3, 0); /* he looks, as far as they know */
    facts_sweep(&facts[0], 3);
    expect_soon(4, 1);
    expect_soon(4, 0);
    end_both();
}
END_TEST

/* Where a link leads can change in a directory that nobody lists. */
START_TEST(catalog_does_not_watch_links_that_lead_about)
{
    if (!begin_watched())
        return;
    files_link("A", "ex/ALIAS");
    files_link("ALIAS", "ex/ALIAS2");
    files_link("/nowhere/else", "ex/OUT");
    expect_soon(5, 1);
    later(20000);
    expect_soon(5, 0);

    files_folder(".pool/v1/C");
    files_folder(".pool/v2/C");
    files_folder(".pool/v2/D");
    files_link("v1", ".pool/now");
    files_link(".pool/now", "linked");
    expect_soon(6, 1);
    files_link("v2", ".pool/next");
    files_rename(".pool/next", ".pool/now");
    later(10000);
    ck_assert_uint_eq(symbols_of(&session), 7);
    ck_assert_uint_eq(symbols_of(&other), 7);

    files_remove("linked");
    later(10000);
    ck_assert_uint_eq(symbols_of(&session), 5);
    looks();
    expect_soon(5, 0);
    later(20000);
    expect_soon(5, 0);
    end_both();
}
END_TEST

/* ... as can whether there is something. */
START_TEST(catalog_does_not_keep_types_that_lead_nowhere)
{
    struct catalog *catalog;

    begin();
    files_folder(".pool/v1");
    files_link("../../.pool/v1", "ex/A/LINKED");
    files_touch("ex/A", OLD);
    catalog = get();
    ck_assert_uint_eq(catalog->symbols[0].type_count, 3);
    done(catalog);
    files_rename(".pool/v1", ".pool/v2");
    session_later(&session, 10000);
    catalog = get();
    ck_assert_uint_eq(catalog->symbols[0].type_count, 2);
    done(catalog);
    session_end(&session);
}
END_TEST

UNIT("catalog", catalog_lists_in_order, catalog_is_made_again_only_when_it_has_changed,
     catalog_reads_young_directories_again, catalog_lists_what_was_left_out_when_there_is_room,
     catalog_follows_links_that_lead_somewhere_at_last, catalog_is_not_there_without_data,
     history_knows_days_and_the_newest_file, catalog_is_looked_for_once,
     catalog_goes_on_from_what_another_one_found, catalog_waits_for_nobody_else,
     catalog_of_another_setup_is_no_use, catalog_of_another_root_is_no_use,
     catalog_that_is_damaged_is_no_use, catalogcopy_survives_anything,
     history_is_looked_for_once, catalog_is_right_until_the_kernel_says_no,
     catalog_is_looked_for_now_and_then_even_so, catalog_does_not_believe_the_dead,
     catalog_does_not_watch_links_that_lead_about,
     catalog_does_not_keep_types_that_lead_nowhere)
