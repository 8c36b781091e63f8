#include "unit.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/name.h"
#include "dice.h"
#include "store/lru.h"
#include "store/names.h"
#include "system/shared.h"

#define PAGE 4096

static void *shared_memory(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}

/* Names of all lengths, all different. */
static struct slice name_of(unsigned number, char bytes[NAME_MAX_BYTES + 1])
{
    int length = snprintf(bytes, NAME_MAX_BYTES + 1, "%u", number);

    for (int i = length; i < (int)(number * 7 % (NAME_MAX_BYTES + 1)); i++)
        bytes[i] = '-', length = i + 1;
    return (struct slice){ bytes, (size_t)length };
}

static uint32_t id_of(struct names *names, unsigned number)
{
    char bytes[NAME_MAX_BYTES + 1];

    return names_id(names, name_of(number, bytes));
}

/* Add names until no entry is empty. Returns how many were tried, and in ${ids} what number
 * each of them has. */
static unsigned fill(struct names *names, uint32_t *ids, unsigned room)
{
    unsigned tried = 0;

    for (uint32_t taken = 0; taken < names->count && tried < room; tried++) {
        ids[tried] = id_of(names, tried);
        taken += ids[tried] != 0;
    }
    return tried;
}

/* The end of a child that does ${work} and says whether it went well. */
static int child(bool (*work)(void *), void *arg)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct rlimit no_core = { 0, 0 };

        setrlimit(RLIMIT_CORE, &no_core);
        _exit(work(arg) ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

struct walk {
    struct names *names;
    char *memory;
    size_t bytes;
    struct slice name;
    uint64_t hash;
};

/* Look a name up where nothing but what it may look at can be read. */
static bool walk_in_bounds(void *arg)
{
    struct walk *walk = arg;
    size_t each = names_bytes(1);
    size_t first = (size_t)(walk->hash % walk->names->count) * each / PAGE;
    size_t last = ((size_t)(walk->hash % walk->names->count) + NAMES_WALK) * each / PAGE;

    for (size_t page = 0; page < walk->bytes / PAGE; page++) {
        if ((page < first || page > last) &&
            mprotect(walk->memory + page * PAGE, PAGE, PROT_NONE))
            return false;
    }
    return names_find(walk->names, walk->name) == 0;
}

START_TEST(names_walk_no_further_when_full)
{
    enum { TABLE = 8192, TRIED = 200000 };
    static uint32_t ids[TRIED];
    size_t bytes = (names_bytes(TABLE) / PAGE + 1) * PAGE;
    char *memory = shared_memory(bytes), unknown[NAME_MAX_BYTES + 1];
    unsigned walked = 0;
    struct names names;

    names_attach(&names, memory, names_bytes(TABLE), 1);
    unsigned tried = fill(&names, ids, TRIED);
    ck_assert_uint_lt(tried, TRIED);
    for (unsigned i = 0; i < tried; i++)
        MUST(id_of(&names, i) == ids[i]);
    for (unsigned i = tried; walked < 20; i++) {
        struct walk walk = { &names, memory, bytes, name_of(i, unknown), 0 };

        walk.hash = lru_hash(walk.name.at, walk.name.len, 3);
        if (walk.hash % TABLE > TABLE - NAMES_WALK)
            continue; /* it would go on at the beginning */
        ck_assert_int_eq(child(walk_in_bounds, &walk), 0);
        walked++;
    }
    munmap(memory, bytes);
}
END_TEST

START_TEST(names_of_all_lengths)
{
    char longest[NAME_MAX_BYTES], sames[NAME_MAX_BYTES];
    size_t bytes = names_bytes(200);
    void *memory = shared_memory(bytes);
    uint32_t ids[NAME_MAX_BYTES + 1];
    struct names names;

    names_attach(&names, memory, bytes, 1);
    memset(longest, 'x', sizeof(longest));
    memset(sames, 'x', sizeof(sames));
    for (size_t len = 1; len <= NAME_MAX_BYTES; len++) {
        ids[len] = names_id(&names, (struct slice){ longest, len });
        ck_assert_uint_gt(ids[len], 0);
        ck_assert_uint_le(ids[len], 200);
    }
    for (size_t len = 1; len <= NAME_MAX_BYTES; len++) {
        struct slice name = names_of(&names, ids[len]);

        ck_assert_uint_eq(names_id(&names, (struct slice){ sames, len }), ids[len]);
        ck_assert_uint_eq(name.len, len);
        ck_assert_mem_eq(name.at, longest, len);
    }
    /* Every byte counts, the last one too. */
    sames[63] = 'y';
    ck_assert_uint_ne(names_id(&names, (struct slice){ sames, 64 }), ids[64]);
    ck_assert_uint_eq(names_of(&names, 0).len, 0);
    ck_assert_uint_eq(names_of(&names, 201).len, 0);
    ck_assert_uint_eq(names_of(&names, UINT32_MAX).len, 0);
    munmap(memory, bytes);
}
END_TEST

START_TEST(names_fill_the_table)
{
    static const uint32_t counts[] = { 1, 2, 57, NAMES_WALK };

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        size_t bytes = names_bytes(counts[i]);
        void *memory = shared_memory(bytes);
        bool *seen = calloc(counts[i] + 1, sizeof(bool));
        struct names names;

        names_attach(&names, memory, bytes, 1);
        for (unsigned number = 0; number < counts[i]; number++) {
            uint32_t id = id_of(&names, number);

            MUST(id >= 1 && id <= counts[i] && !seen[id]);
            seen[id] = true;
        }
        ck_assert_uint_eq(id_of(&names, counts[i]), 0);
        ck_assert_uint_eq(id_of(&names, counts[i] + 1), 0);
        for (unsigned number = 0; number < counts[i]; number++)
            MUST(id_of(&names, number) != 0);
        free(seen);
        munmap(memory, bytes);
    }
}
END_TEST

struct half {
    struct names names;
    unsigned from;
    uint32_t *ids;
};

static bool add_half(void *arg)
{
    struct half *half = arg;
    struct names names = half->names;

    names.owner = 2 + half->from;
    for (unsigned number = half->from; number < 500; number += 2)
        half->ids[number] = id_of(&names, number);
    return true;
}

START_TEST(names_mean_the_same_to_all)
{
    size_t bytes = names_bytes(600);
    void *memory = shared_memory(bytes);
    struct half half = { .ids = shared_memory(500 * sizeof(uint32_t)) };

    names_attach(&half.names, memory, bytes, 1);
    ck_assert_int_eq(child(add_half, &half), 0);
    half.from = 1;
    ck_assert_int_eq(child(add_half, &half), 0);
    for (unsigned number = 0; number < 500; number++) {
        char text[NAME_MAX_BYTES + 1];
        struct slice name = name_of(number, text);

        MUST(half.ids[number] != 0);
        MUST(id_of(&half.names, number) == half.ids[number]);
        MUST(slice_equal(names_of(&half.names, half.ids[number]), name));
    }
    munmap(memory, bytes);
    munmap(half.ids, 500 * sizeof(uint32_t));
}
END_TEST

/* --- A process that dies while it adds a name */

#define PLACES 5
#define STUCK 3 /* the place whose word is the last one of a page; its name is on the next */

static struct slice stuck_name(char bytes[NAME_MAX_BYTES + 1], unsigned place)
{
    size_t size = names_bytes(PLACES);
    void *memory = shared_memory(size);
    struct slice name;
    uint32_t id;

    /* One that goes there if the table is empty. */
    for (unsigned number = 0;; number++) {
        struct names names;

        memset(memory, 0, size);
        names_attach(&names, memory, size, 1);
        name = name_of(number, bytes);
        id = names_id(&names, name);
        ck_assert_uint_gt(id, 0);
        if (id == place + 1)
            break;
    }
    munmap(memory, size);
    return name;
}

struct death {
    struct names names;
    char *page;
    struct slice name;
};

static bool die_adding(void *arg)
{
    struct death *death = arg;

    death->names.owner = 65535;
    signal(SIGSEGV, SIG_DFL);
    if (mprotect(death->page, PAGE, PROT_READ))
        return false;
    names_id(&death->names, death->name);
    return false;
}

START_TEST(names_survive_a_death)
{
    char *map = shared_memory((size_t)2 * PAGE), bytes[PLACES][NAME_MAX_BYTES + 1];
    size_t entry = names_bytes(1);
    struct death death = { .page = map + PAGE };
    struct slice names[PLACES];

    for (unsigned place = 0; place < PLACES; place++)
        names[place] = stuck_name(bytes[place], place);
    names_attach(&death.names, map + PAGE - sizeof(uint64_t) - STUCK * entry,
                 names_bytes(PLACES), 1);
    death.name = names[STUCK];
    ck_assert_uint_eq(names_id(&death.names, names[0]), 1);
    int status = child(die_adding, &death);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);

    /* Its path is blocked, for itself and for whoever comes that way; no other is. */
    for (int sweeps = 0; sweeps < 2; sweeps++) {
        ck_assert_uint_eq(names_id(&death.names, death.name), 0);
        ck_assert_uint_eq(names_of(&death.names, STUCK + 1).len, 0);
        ck_assert_uint_eq(names_id(&death.names, names[0]), 1);
        ck_assert_uint_eq(names_id(&death.names, names[1]), 2);
        ck_assert_uint_eq(names_id(&death.names, names[4]), 5);
        ck_assert_uint_eq(names_sweep(&death.names, 65534), 0);
        ck_assert_uint_eq(names_sweep(&death.names, 255), 0);
    }
    ck_assert_uint_eq(names_sweep(&death.names, 65535), 1);
    ck_assert_uint_eq(names_sweep(&death.names, 65535), 0);
    ck_assert_uint_eq(names_id(&death.names, names[2]), 3);
    ck_assert_uint_eq(names_id(&death.names, death.name), STUCK + 1);
    for (uint32_t place = 0; place < PLACES; place++)
        ck_assert(slice_equal(names_of(&death.names, place + 1), names[place]));
    ck_assert_uint_eq(names_sweep(&death.names, 1), 0); /* what is done stays */
    ck_assert_uint_eq(names_id(&death.names, death.name), STUCK + 1);
    munmap(map, (size_t)2 * PAGE);
}
END_TEST

/* --- All at once */

#define RACERS 3
#define RACE_NAMES 10000
#define RACE_PLACES (RACE_NAMES / 3 * 4) /* long paths, none too long */

struct race {
    uint64_t ready[RACERS];
    uint32_t ids[RACERS][RACE_NAMES];
};

static bool run_race(struct race *race, struct names names, unsigned racer)
{
    struct cpu_list cores;

    names.owner = racer + 1;
    if (cpu_allowed(&cores) == 0)
        cpu_pin(cores.cpus[racer % cores.count]);
    shared_store(&race->ready[racer], 1);
    for (unsigned other = 0; other < RACERS; other++) {
        while (shared_load(&race->ready[other]) == 0)
            ;
    }
    for (unsigned number = 0; number < RACE_NAMES; number++) {
        uint32_t id;

        while ((id = id_of(&names, number)) == 0) /* not now: soon */
            ;
        race->ids[racer][number] = id;
    }
    return true;
}

START_TEST(names_are_never_there_twice)
{
    size_t bytes = names_bytes(RACE_PLACES);
    void *memory = shared_memory(bytes);
    struct race *race = shared_memory(sizeof(*race));
    static bool seen[RACE_PLACES + 1];
    pid_t pids[RACERS];
    struct names names;

    names_attach(&names, memory, bytes, 1);
    for (unsigned racer = 0; racer < RACERS; racer++) {
        pids[racer] = fork();
        ck_assert_int_ge(pids[racer], 0);
        if (pids[racer] == 0)
            _exit(run_race(race, names, racer) ? 0 : 1);
    }
    for (unsigned racer = 0; racer < RACERS; racer++) {
        int status;

        ck_assert_int_eq(waitpid(pids[racer], &status, 0), pids[racer]);
        ck_assert_int_eq(status, 0);
    }
    for (unsigned number = 0; number < RACE_NAMES; number++) {
        char text[NAME_MAX_BYTES + 1];
        uint32_t id = race->ids[0][number];

        for (unsigned racer = 1; racer < RACERS; racer++)
            MUST(race->ids[racer][number] == id);
        MUST(!seen[id]);
        seen[id] = true;
        MUST(slice_equal(names_of(&names, id), name_of(number, text)));
    }
    for (uint32_t id = 1; id <= RACE_NAMES + 100; id++)
        MUST(seen[id] || names_of(&names, id).len == 0);
    munmap(race, sizeof(*race));
    munmap(memory, bytes);
}
END_TEST

UNIT("names", names_walk_no_further_when_full, names_of_all_lengths, names_fill_the_table,
     names_mean_the_same_to_all, names_survive_a_death, names_are_never_there_twice)
