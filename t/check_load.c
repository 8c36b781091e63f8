#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/date.h"
#include "base/guard.h"
#include "base/log.h"
#include "dice.h"
#include "session.h"

/*
 * What is read by helpers while others are served: many who wait for one load, some who leave,
 * files that run out, and a disk that changes in the meantime.
 */

#define DAY 20089 /* 2025-01-01 */
#define WHOLE "&start=0&end=4294967295"
#define THREADS 3

static struct helper *helper;
static struct store *store;
static struct config *config;
static uint64_t now;

/* --- Helpers that stand still while they are told to */

static struct gate {
    struct helper_job job;
} gates[THREADS];

static pthread_mutex_t closed = PTHREAD_MUTEX_INITIALIZER;
static bool is_closed;
static unsigned standing; /* at a gate, or not reaped yet */

static void pass_gate(struct helper_job *job)
{
    (void)job;
    pthread_mutex_lock(&closed);
    pthread_mutex_unlock(&closed);
}

static void passed_gate(struct helper_job *job)
{
    (void)job;
    standing--;
}

static void close_gate(void)
{
    ck_assert(!is_closed);
    while (standing > 0)
        ck_assert(helper_wait(helper));
    standing = THREADS;
    is_closed = true;
    pthread_mutex_lock(&closed);
    for (int i = 0; i < THREADS; i++) {
        gates[i].job = (struct helper_job){ pass_gate, passed_gate };
        ck_assert(helper_submit(helper, &gates[i].job));
    }
}

static void open_gate(void)
{
    is_closed = false;
    pthread_mutex_unlock(&closed);
}

static void begin(void)
{
    config = files_config();
    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    ck_assert_int_eq(guard_install(), 0);
    files_set(config, "default_exchange", "ex");
    helper = helper_new(THREADS, &(struct cpu_list){ .count = 0 });
    ck_assert_ptr_nonnull(helper);
    store = store_new(config, NULL, helper);
    ck_assert_ptr_nonnull(store);
    now = 5000000;
    store_begin(store, now, FILES_WALL);
}

static void later(uint64_t ms)
{
    now += ms;
    store_begin(store, now, FILES_WALL);
}

static void reap_all(void)
{
    while (store->loads != NULL)
        ck_assert(helper_wait(helper));
}

static void end(void)
{
    reap_all();
    lru_clear(&store->days);
    ck_assert_uint_eq(store->files_open, 0);
    ck_assert_uint_eq(store->load_count, 0);
    store_free(store);
    helper_free(helper);
    config_free(config);
}

/* The descriptors of this process. */
static unsigned count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* --- Those who ask */

struct client {
    struct arena arena;
    struct query query;
    struct gather gather;
    struct failure failure;
    enum gather_state state;
    unsigned woken;
};

static void wake(void *arg)
{
    struct client *client = arg;

    ck_assert_int_eq(client->state, GATHER_WAIT);
    client->woken++;
    client->state = GATHER_MORE;
}

static void step(struct client *client)
{
    while (client->state == GATHER_MORE)
        client->state = gather_step(&client->gather, &client->arena);
}

static void ask(struct client *client, const char *text)
{
    *client = (struct client){ .state = GATHER_MORE };
    arena_init(&client->arena, 4096);
    ck_assert_int_eq(
        query_parse(&client->query, slice_of(text), config, &client->arena, &client->failure),
        0);
    gather_begin(&client->gather, store, &client->query, (struct waker){ wake, client },
                 &client->failure);
    step(client);
}

static void leave(struct client *client)
{
    gather_end(&client->gather);
    arena_free(&client->arena);
}

static bool is_waiting(const struct client *client)
{
    return client->state == GATHER_WAIT || client->state == GATHER_MORE;
}

/* Until all have what they asked for. */
static void finish(struct client *clients, unsigned count)
{
    unsigned waiting;

    do {
        waiting = 0;
        for (unsigned i = 0; i < count; i++) {
            step(&clients[i]);
            waiting += is_waiting(&clients[i]);
        }
        if (waiting > 0)
            ck_assert(helper_wait(helper));
    } while (waiting > 0);
}

/* All who wait have what they wait for just now; then they go on. */
static void go_on(struct client *clients, unsigned count)
{
    open_gate();
    reap_all();
    close_gate();
    for (unsigned i = 0; i < count; i++)
        step(&clients[i]);
}

/* ${rows} rows from the day's noon on; those of other columns are numbers from ${value} on. */
static void write_column(const char *series, const char *column, int32_t day, unsigned rows,
                         uint32_t value)
{
    uint32_t *values = malloc(rows * 4 + 4);

    for (unsigned i = 0; i < rows; i++)
        values[i] = strcmp(column, "time") == 0 ? (uint32_t)day * DATE_SECONDS + 43200 + i / 8
                                                : value + i;
    files_write(files_column(series, column, day), values, rows * 4);
    free(values);
}

static void write_day(const char *series, int32_t day, unsigned rows)
{
    write_column(series, "bid", day, rows, 1000);
    write_column(series, "ask", day, rows, 2000);
    write_column(series, "time", day, rows, 0);
}

/* --- Many for one */

#define MANY 500
static struct client clients[MANY];

START_TEST(load_serves_many)
{
    begin();
    write_day(FILES_SERIES, DAY, 100);
    close_gate();
    for (unsigned i = 0; i < MANY; i++)
        ask(&clients[i], "symbol=SYM&type=MD&columns=bid" WHOLE);
    ck_assert_uint_eq(store->load_count, 1); /* of the directory */
    go_on(clients, MANY);
    ck_assert_uint_eq(store->load_count, 1); /* of the day */
    ck_assert_uint_eq(store->files_open, 2);
    go_on(clients, MANY);
    ck_assert_uint_eq(store->load_count, 0);
    ck_assert_uint_eq(store->days.count, 1);
    open_gate();
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_int_eq(clients[i].state, GATHER_DONE);
        ck_assert_uint_eq(clients[i].woken, 2);
        ck_assert_uint_eq(clients[i].gather.rows, 100);
        leave(&clients[i]);
    }
    end();
}
END_TEST

/* Some leave, at any stage; the rest has what it asked for. */
START_TEST(load_of_those_who_leave)
{
    begin();
    write_day(FILES_SERIES, DAY, 100);
    write_day(FILES_SERIES, DAY + 1, 100);
    for (unsigned stage = 0; stage < 4; stage++) {
        later(100000);
        lru_clear(&store->days);
        lru_clear(&store->series);
        close_gate();
        for (unsigned i = 0; i < MANY; i++)
            ask(&clients[i], i % 3 ? "symbol=SYM&type=MD&columns=bid" WHOLE
                                   : "symbol=SYM&type=MD&columns=ask" WHOLE);
        for (unsigned i = 0; i < stage; i++)
            go_on(clients, MANY);
        for (unsigned i = 0; i < MANY; i++) {
            if (i % 7)
                leave(&clients[i]);
        }
        open_gate();
        for (unsigned i = 0; i < MANY; i += 7) {
            finish(&clients[i], 1);
            ck_assert_int_eq(clients[i].state, GATHER_DONE);
            ck_assert_uint_eq(clients[i].gather.rows, 200);
            leave(&clients[i]);
        }
    }
    end();
}
END_TEST

/* Nobody is left who waits: what was under way still ends well. */
START_TEST(load_for_nobody)
{
    unsigned fds = count_fds();

    for (unsigned stage = 0; stage < 3; stage++) {
        begin();
        write_day(FILES_SERIES, DAY, 100);
        close_gate();
        for (unsigned i = 0; i < 20; i++)
            ask(&clients[i], "symbol=SYM&type=MD&columns=bid" WHOLE);
        for (unsigned i = 0; i < stage; i++)
            go_on(clients, 20);
        for (unsigned i = 0; i < 20; i++)
            leave(&clients[i]);
        open_gate();
        if (stage < 2)
            ck_assert_ptr_nonnull(store->loads);
        store_free(store); /* waits for it */
        helper_free(helper);
        config_free(config);
        ck_assert_uint_eq(count_fds(), fds);
    }
}
END_TEST

/* More at once than may be under way: the others wait for room. */
START_TEST(load_waits_for_room)
{
    unsigned without_room = 0;
    char text[64], series[32];

    begin();
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(series, sizeof(series), "ex/S%u/MD", i);
        write_day(series, DAY, 1 + i % 5);
    }
    close_gate();
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "symbol=S%u&type=MD&columns=bid" WHOLE, i);
        ask(&clients[i], text);
        without_room += clients[i].gather.waiter.any;
    }
    ck_assert(!load_has_room(store));
    ck_assert_uint_eq(without_room, MANY - store->load_count);
    for (unsigned i = 0; i < MANY; i += 9)
        leave(&clients[i]);
    open_gate();
    for (unsigned i = 0; i < MANY; i++) {
        if (i % 9 == 0)
            continue;
        finish(&clients[i], 1);
        ck_assert_int_eq(clients[i].state, GATHER_DONE);
        ck_assert_uint_eq(clients[i].gather.rows, 1 + i % 5);
        leave(&clients[i]);
    }
    end();
}
END_TEST

/* --- What fails */

START_TEST(load_that_fails_tells_all)
{
    begin();
    write_day(FILES_SERIES, DAY, 100);
    files_remove(files_column(FILES_SERIES, "time", DAY));
    files_folder(files_column(FILES_SERIES, "time", DAY));
    close_gate();
    for (unsigned i = 0; i < MANY; i++)
        ask(&clients[i], i % 2 ? "symbol=SYM&type=MD&columns=bid" WHOLE
                               : "symbol=NONE&type=MD&columns=bid" WHOLE);
    ck_assert_uint_eq(store->load_count, 2);
    open_gate();
    finish(clients, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_int_eq(clients[i].state, GATHER_FAILED);
        ck_assert_int_eq(clients[i].failure.status, i % 2 ? 500 : 404);
        ck_assert_ptr_nonnull(
            strstr(clients[i].failure.reason, i % 2 ? "time.01.01.25.bin is not" : "'NONE'"));
        leave(&clients[i]);
    }
    end();
}
END_TEST

/* A column that cannot be read is no matter to those who did not ask for it. */
START_TEST(load_that_fails_for_another_column)
{
    static const char *const queries[] = {
        "symbol=SYM&type=MD&columns=bid" WHOLE,
        "symbol=SYM&type=MD&columns=ask" WHOLE,
        "symbol=SYM&type=MD&columns=ask,bid" WHOLE,
    };

    begin();
    write_day(FILES_SERIES, DAY, 100);
    files_remove(files_column(FILES_SERIES, "bid", DAY));
    files_folder(files_column(FILES_SERIES, "bid", DAY));
    for (unsigned first = 0; first < 3; first++) {
        for (unsigned open = 0; open < 2; open++) {
            lru_clear(&store->days);
            later(10000);
            if (open) {
                ask(&clients[0], "symbol=SYM&type=MD&columns=time" WHOLE);
                finish(clients, 1);
                leave(&clients[0]);
            }
            close_gate();
            for (unsigned i = 0; i < 60; i++)
                ask(&clients[i], queries[(first + i) % 3]);
            open_gate();
            finish(clients, 60);
            for (unsigned i = 0; i < 60; i++) {
                bool bad = (first + i) % 3 != 1;

                ck_assert_int_eq(clients[i].state, bad ? GATHER_FAILED : GATHER_DONE);
                if (bad)
                    ck_assert_ptr_nonnull(strstr(clients[i].failure.reason, "bid.01.01.25"));
                else
                    ck_assert_uint_eq(clients[i].gather.rows, 100);
                leave(&clients[i]);
            }
        }
    }
    end();
}
END_TEST

static unsigned count_lines(int fd, const char *holding)
{
    static char text[65536];
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    unsigned count = 0;

    text[len < 0 ? 0 : len] = '\0';
    for (const char *at = text; (at = strstr(at, holding)) != NULL; at++)
        count++;
    return count;
}

/* It is said once, to those who ask, though the day was read ahead before. */
START_TEST(load_that_fails_is_logged_once)
{
    int log = memfd_create("log", 0);

    begin();
    ck_assert_int_ge(dup2(log, STDERR_FILENO), 0);
    for (int32_t day = DAY; day < DAY + 5; day++)
        write_day(FILES_SERIES, day, 10);
    files_remove(files_column(FILES_SERIES, "bid", DAY + 2));
    files_folder(files_column(FILES_SERIES, "bid", DAY + 2));
    ask(&clients[0], "symbol=SYM&type=MD&columns=bid" WHOLE);
    finish(clients, 1);
    ck_assert_int_eq(clients[0].state, GATHER_FAILED);
    leave(&clients[0]);
    end();
    ck_assert_uint_eq(count_lines(log, "is not a regular file"), 1);
    close(log);
}
END_TEST

/* --- Files run out */

static void limit_fds(unsigned most)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Days are closed for others to be opened. */
START_TEST(load_without_files_gives_back_days)
{
    char text[128], iso[11];

    begin();
    for (int32_t day = DAY; day < DAY + 100; day++)
        write_day(FILES_SERIES, day, 10);
    unsigned fds = count_fds();
    limit_fds(fds + 20);
    for (int round = 0; round < 300; round++) {
        date_iso(DAY + round * 37 % 100, iso);
        snprintf(text, sizeof(text), "symbol=SYM&type=MD&columns=ask,bid&start=%s&end=%s", iso,
                 iso);
        ask(&clients[0], text);
        finish(clients, 1);
        ck_assert_msg(clients[0].state == GATHER_DONE, "%s: %s", text,
                      clients[0].failure.reason);
        ck_assert_uint_eq(clients[0].gather.rows, 10);
        leave(&clients[0]);
        reap_all();
        if (round % 10 == 0)
            later(1000);
    }
    limit_fds(1024);
    ck_assert_uint_eq(count_fds(), fds + store->files_open);
    end();
}
END_TEST

/* All are held: the answer is a 503, of everybody who waits, and nothing leaks. */
START_TEST(load_without_files_fails)
{
    unsigned held = 0, failed = 0, fds;
    char text[128], iso[11];

    begin();
    for (int32_t day = DAY; day < DAY + 100; day++)
        write_day(FILES_SERIES, day, 10);
    fds = count_fds();
    limit_fds(fds + 20);
    for (int i = 0; i < 200; i++) {
        date_iso(DAY + i / 2, iso);
        snprintf(text, sizeof(text), "symbol=SYM&type=MD&columns=ask,bid&start=%s&end=%s", iso,
                 iso);
        ask(&clients[i], text);
    }
    finish(clients, 200);
    for (int i = 0; i < 200; i++) {
        held += clients[i].state == GATHER_DONE;
        failed += clients[i].state == GATHER_FAILED;
        if (clients[i].state == GATHER_FAILED)
            ck_assert_int_eq(clients[i].failure.status, 503);
    }
    ck_assert_uint_eq(held + failed, 200);
    ck_assert_uint_gt(held, 0);
    ck_assert_uint_gt(failed, 0);
    for (int i = 0; i < 200; i++)
        leave(&clients[i]);
    limit_fds(1024);
    ck_assert_uint_eq(count_fds(), fds + store->files_open);
    ask(&clients[0], "symbol=SYM&type=MD&columns=ask,bid" WHOLE);
    finish(clients, 1);
    ck_assert_uint_eq(clients[0].gather.rows, 1000);
    leave(&clients[0]);
    end();
    ck_assert_uint_eq(count_fds(), fds - 2 - 1); /* the helper's, and the root's */
}
END_TEST

/* --- A disk that changes meanwhile */

static atomic_bool stop;

/* As tickload replaces a day: time goes first, and comes last. */
static void *replace(void *arg)
{
    uint32_t version = 1;

    (void)arg;
    while (!atomic_load(&stop)) {
        unsigned rows = 10 + version % 7;

        files_remove(files_column(FILES_SERIES, "time", DAY));
        write_column(FILES_SERIES, "bid", DAY, rows, version * 100);
        write_column(FILES_SERIES, "ask", DAY, rows, version * 100);
        write_column(FILES_SERIES, "time", DAY, rows, 0);
        version++;
        usleep(200);
    }
    return NULL;
}

/* Whether both columns are of one version, and of as many rows as that had. */
static void check_version(const struct gather *gather)
{
    const struct day *day = gather->days[0].day;
    const uint32_t *bid = (const void *)day_file(day, gather->columns[0])->at;
    const uint32_t *ask = (const void *)day_file(day, gather->columns[1])->at;

    ck_assert_uint_eq(bid[0], ask[0]);
    ck_assert_uint_eq(gather->rows, 10 + bid[0] / 100 % 7);
}

START_TEST(load_of_a_day_that_is_replaced)
{
    pthread_t thread;
    unsigned whole = 0;

    begin();
    write_day(FILES_SERIES, DAY, 10);
    write_column(FILES_SERIES, "bid", DAY, 10, 0);
    write_column(FILES_SERIES, "ask", DAY, 10, 0);
    files_set(config, "revalidate", "0");
    write_day(FILES_SERIES, DAY + 1, 1); /* the series stays */
    atomic_store(&stop, false);
    pthread_create(&thread, NULL, replace, NULL);
    for (int i = 0; whole < 300 && i < 100000; i++) {
        later(1);
        ask(&clients[0], "symbol=SYM&type=MD&columns=bid,ask&start=2025-01-01&end=2025-01-01");
        finish(clients, 1);
        if (clients[0].state == GATHER_FAILED) {
            ck_assert_msg(clients[0].failure.status == 503, "%s", clients[0].failure.reason);
        } else if (clients[0].gather.day_count == 1) {
            check_version(&clients[0].gather);
            whole++;
        }
        leave(&clients[0]);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(whole, 300);
    end();
}
END_TEST

/* Days come and go while the directory is read; in the end all are known. */
static void *fill(void *arg)
{
    char path[512], other[512];

    (void)arg;
    for (int32_t day = DAY + 1; day < DAY + 300; day++) {
        snprintf(path, sizeof(path), "%s", files_column(FILES_SERIES, "gone", day));
        snprintf(other, sizeof(other), "%s", files_column(FILES_SERIES, "time", day));
        files_write(path, "1234", 4);
        write_column(FILES_SERIES, "bid", day, 3, 0);
        write_column(FILES_SERIES, "time", day, 3, 0);
        files_remove(path);
    }
    return NULL;
}

START_TEST(load_of_a_directory_that_changes)
{
    pthread_t thread;
    uint64_t rows = 3;

    begin();
    write_day(FILES_SERIES, DAY, 3);
    pthread_create(&thread, NULL, fill, NULL);
    while (rows < 3 * 290) {
        later(1000);
        ask(&clients[0], "symbol=SYM&type=MD&columns=time" WHOLE);
        finish(clients, 1);
        ck_assert_msg(clients[0].state == GATHER_DONE, "%s", clients[0].failure.reason);
        ck_assert_uint_ge(clients[0].gather.rows, rows); /* none is lost again */
        rows = clients[0].gather.rows;
        leave(&clients[0]);
    }
    pthread_join(thread, NULL);
    later(1000);
    ask(&clients[0], "symbol=SYM&type=MD&columns=time" WHOLE);
    finish(clients, 1);
    ck_assert_uint_eq(clients[0].gather.rows, 3 * 300);
    leave(&clients[0]);
    end();
}
END_TEST

/* Another DATA while its directory is read: who asks then is not told of the one before. */
START_TEST(load_of_another_root)
{
    char old[128];

    begin();
    write_day(FILES_SERIES, DAY, 100);
    for (int gone = 0; gone < 2; gone++) {
        lru_clear(&store->days);
        lru_clear(&store->series);
        later(1000);
        close_gate();
        ask(&clients[0], "symbol=SYM&type=MD&columns=bid" WHOLE);
        snprintf(old, sizeof(old), "%s.old%d", files_root(), gone);
        ck_assert_int_eq(rename(files_root(), old), 0);
        ck_assert_int_eq(mkdir(files_root(), 0755), 0);
        write_day(FILES_SERIES, DAY, 5);
        write_day(FILES_SERIES, DAY + 4, 5);
        later(1000);
        ask(&clients[1], "symbol=SYM&type=MD&columns=bid" WHOLE);
        open_gate();
        finish(clients, 2);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(clients[i].state, GATHER_DONE);
            ck_assert_uint_eq(clients[i].gather.rows, 10);
            leave(&clients[i]);
        }
        snprintf(old, sizeof(old), "rm -r %s.old%d", files_root(), gone);
        ck_assert_int_eq(system(old), 0);
        if (gone == 0)
            files_rename("ex", "no"); /* next time, the one before has no such series */
        write_day("other/SYM/MD", DAY, 1);
    }
    end();
}
END_TEST

/* A time file cut off under a helper's hands. */
START_TEST(load_of_a_file_that_is_cut_off)
{
    uint32_t *more = calloc(300000, 4);

    begin();
    for (int i = 0; i < 300000; i++)
        more[i] = DAY * DATE_SECONDS + 43200 + 100;
    for (unsigned left = 0; left <= 8192; left += 4096) {
        write_day(FILES_SERIES, DAY, 100);
        later(10000);
        files_touch(files_column(FILES_SERIES, "time", DAY), FILES_WALL);
        ask(&clients[0], "symbol=SYM&type=MD&columns=time" WHOLE);
        finish(clients, 1);
        ck_assert_uint_eq(clients[0].gather.rows, 100);
        leave(&clients[0]);
        files_append(files_column(FILES_SERIES, "time", DAY), more, 1200000);
        close_gate();
        for (unsigned i = 0; i < 10; i++)
            ask(&clients[i], "symbol=SYM&type=MD&columns=time" WHOLE);
        ck_assert_uint_eq(store->load_count, 1); /* to read the new rows */
        files_truncate(files_column(FILES_SERIES, "time", DAY), left);
        open_gate();
        finish(clients, 10);
        for (unsigned i = 0; i < 10; i++) {
            ck_assert_msg(clients[i].state == GATHER_DONE, "%s", clients[i].failure.reason);
            ck_assert_uint_eq(clients[i].gather.rows, left / 4);
            leave(&clients[i]);
        }
    }
    free(more);
    end();
}
END_TEST

/* --- All of it at random */

#define ASKING 60
#define SYMBOLS 4
#define DAYS 30

static char *symbol_of(unsigned symbol, char series[32])
{
    snprintf(series, 32, "ex/S%u/MD", symbol);
    return series;
}

static unsigned rows_at(unsigned symbol, unsigned day)
{
    return 1 + (symbol * 5 + day) % 9;
}

/* A new version of a day: the same rows, of other numbers. */
static void rewrite(unsigned symbol, unsigned day)
{
    static uint32_t version;
    char series[32];
    unsigned rows = rows_at(symbol, day);

    symbol_of(symbol, series);
    remove(files_column(series, "time", DAY + (int32_t)day));
    version++;
    write_column(series, "bid", DAY + (int32_t)day, rows, version * 16);
    write_column(series, "ask", DAY + (int32_t)day, rows, version * 16);
    write_column(series, "time", DAY + (int32_t)day, rows, 0);
}

static void ask_anything(struct dice *dice, struct client *client)
{
    static const char *const columns[] = { "bid,ask", "ask", "time,bid,ask", "time", "bad" };
    unsigned from = dice_roll(dice, DAYS), to = from + dice_roll(dice, DAYS - from);
    char text[128], first[11], last[11];

    snprintf(text, sizeof(text), "symbol=S%u&type=MD&columns=%s&start=%s&end=%s",
             dice_roll(dice, SYMBOLS + 1), columns[dice_roll(dice, COUNT_OF(columns))],
             date_iso(DAY + (int32_t)from, first),
             date_iso(DAY + (int32_t)(dice_roll(dice, 3) ? to : from), last));
    ask(client, text);
}

/* Every day whole, of one version, and none missing. */
static void check_answer(const struct client *client)
{
    const struct gather *gather = &client->gather;
    bool both = slice_is(client->query.columns[0], "bid");
    unsigned symbol = (unsigned)(client->query.symbol.at[1] - '0');

    ck_assert_uint_eq(gather->day_count, (unsigned)(gather->last - gather->first + 1));
    for (unsigned i = 0; i < gather->day_count; i++) {
        const struct gather_day *day = &gather->days[i];

        ck_assert_uint_eq(day->span.count,
                          rows_at(symbol, (unsigned)(gather->first - DAY) + i));
        if (!both || day->day == NULL)
            continue;
        const uint32_t *bid = (const void *)day_file(day->day, gather->columns[0])->at;
        const uint32_t *ask = (const void *)day_file(day->day, gather->columns[1])->at;
        ck_assert_uint_eq(bid[0], ask[0]);
    }
}

static void end_client(struct client *client, unsigned *right)
{
    const char *columns = client->query.columns[0].at;

    if (client->state == GATHER_DONE) {
        check_answer(client);
        ++*right;
    } else if (client->state == GATHER_FAILED) {
        bool bad = strncmp(columns, "bad", 3) == 0, none = client->query.symbol.at[1] == '4';

        ck_assert_msg(bad || none || client->failure.status == 503, "%s",
                      client->failure.reason);
    }
    leave(client);
    client->query = (struct query){ 0 };
}

START_TEST(load_at_random)
{
    struct dice dice = dice_new(1);
    static bool asking[ASKING];
    unsigned right = 0, fds;
    char series[32];

    begin();
    for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
        for (unsigned day = 0; day < DAYS; day++) {
            rewrite(symbol, day);
            files_folder(files_column(symbol_of(symbol, series), "bad", DAY + (int32_t)day));
        }
    }
    config->max_mapped = 64;
    fds = count_fds();
    limit_fds(fds + 150);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = dice_roll(&dice, ASKING);

        if (!asking[i])
            ask_anything(&dice, &clients[i]);
        else if (is_waiting(&clients[i]) && dice_roll(&dice, 20))
            step(&clients[i]);
        else
            end_client(&clients[i], &right);
        asking[i] = clients[i].query.column_count > 0;
        if (dice_roll(&dice, 4) == 0)
            helper_reap(helper);
        if (dice_roll(&dice, 50) == 0)
            later(dice_roll(&dice, 1500));
        if (dice_roll(&dice, 100) == 0)
            rewrite(dice_roll(&dice, SYMBOLS), dice_roll(&dice, DAYS));
    }
    for (unsigned i = 0; i < ASKING; i++) {
        if (asking[i])
            leave(&clients[i]);
    }
    reap_all();
    limit_fds(1024);
    ck_assert_uint_gt(right, 100);
    ck_assert_uint_eq(count_fds(), fds + store->files_open);
    end();
}
END_TEST

UNIT("load", load_serves_many, load_of_those_who_leave, load_for_nobody, load_waits_for_room,
     load_that_fails_tells_all, load_that_fails_for_another_column,
     load_that_fails_is_logged_once, load_without_files_gives_back_days,
     load_without_files_fails, load_of_a_day_that_is_replaced, load_of_a_directory_that_changes,
     load_of_another_root, load_of_a_file_that_is_cut_off, load_at_random)
