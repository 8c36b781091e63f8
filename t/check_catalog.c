#include "unit.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "session.h"
#include "store/catalog.h"
#include "store/history.h"

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

UNIT("catalog", catalog_lists_in_order, catalog_is_made_again_only_when_it_has_changed,
     catalog_reads_young_directories_again, catalog_is_not_there_without_data,
     history_knows_days_and_the_newest_file)
