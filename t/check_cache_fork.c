#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hammer.h"
#include "base/cpu.h"
#include "system/shared.h"

/*
 * More processes than cores hammer a small cache and a table of names while their parent kills
 * them at random moments, sweeps, and starts them again. TICKD_TEST_ROUNDS multiplies the work.
 */

#define STEPS 10000000.0
#define KILLS 400.0
#define WORKERS_MAX 16

struct slot {
    uint64_t done; /* steps of all that ever had this slot */
    char wrong[184];
};

static struct shared {
    uint64_t stop, unused[7];
    struct slot slots[WORKERS_MAX];
} * shared;

static struct {
    void *cache, *names;
    struct cpu_list cores;
    unsigned count;
    pid_t pids[WORKERS_MAX];
    unsigned kills, stops, cache_swept, names_swept;
    struct dice dice;
} play;

static void *shared_memory(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}

/* What a worker does until it is told to stop, or killed. */
static void work(unsigned index, uint64_t seed)
{
    struct slot *slot = &shared->slots[index];
    struct hammer hammer;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_pin(play.cores.cpus[index % play.cores.count]);
    hammer_init(&hammer, play.cache, play.names, index + 1, seed);
    hammer.done = slot->done;
    while (shared_load(&shared->stop) == 0) {
        if (hammer_steps(&hammer, 64)) {
            memcpy(slot->wrong, hammer.wrong, sizeof(hammer.wrong));
            _exit(1);
        }
        shared_store(&slot->done, hammer.done);
    }
    _exit(0);
}

static void start(unsigned index)
{
    uint64_t seed = dice_bits(&play.dice);
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        work(index, seed);
    play.pids[index] = pid;
}

/* A worker that ends otherwise than by ${expected} (a wait status) found something. */
static void reap(unsigned index, int expected)
{
    int status;
    pid_t pid = play.pids[index];

    play.pids[index] = 0;
    MUST(waitpid(pid, &status, 0) == pid);
    if (status != expected)
        ck_abort_msg("worker %u ended with status %#x; %s", index, (unsigned)status,
                     shared->slots[index].wrong);
}

static uint64_t steps_done(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < play.count; i++)
        sum += shared_load(&shared->slots[i].done);
    return sum;
}

static void doze(long ns)
{
    struct timespec time = { 0, ns };

    while (nanosleep(&time, &time) && errno == EINTR)
        ;
}

/* Nobody waits for one that stands still, wherever that is. */
static void stop(unsigned index)
{
    uint64_t before;
    int status;

    MUST(kill(play.pids[index], SIGSTOP) == 0);
    MUST(waitpid(play.pids[index], &status, WUNTRACED) == play.pids[index]);
    if (!WIFSTOPPED(status))
        ck_abort_msg("worker %u ended: %s", index, shared->slots[index].wrong);
    before = steps_done();
    while (steps_done() < before + 1000)
        doze(100000); /* until it has happened, or Check loses patience */
    play.stops++;
}

static void kill_sweep_restart(unsigned index)
{
    struct cache cache;
    struct names names;

    cache_attach(&cache, play.cache, hammer_cache_bytes(), HAMMER_WORDS, CACHE_OWNER_MAX);
    names_attach(&names, play.names, names_bytes(HAMMER_NAMES), CACHE_OWNER_MAX);
    MUST(kill(play.pids[index], SIGKILL) == 0);
    reap(index, SIGKILL);
    unsigned swept = cache_sweep(&cache, index + 1);
    MUST(swept <= 1); /* it can write at one place at a time */
    play.cache_swept += swept;
    play.names_swept += names_sweep(&names, index + 1);
    play.kills++;
    start(index);
}

START_TEST(cache_survives_kill)
{
    const char *factor = getenv("TICKD_TEST_ROUNDS");
    double rounds = factor == NULL ? 1 : atof(factor);
    struct hammer last;

    play.dice = dice_new(1);
    shared = shared_memory(sizeof(*shared));
    play.cache = shared_memory(hammer_cache_bytes());
    play.names = shared_memory(names_bytes(HAMMER_NAMES));
    ck_assert_int_eq(cpu_allowed(&play.cores), 0);
    play.count = (unsigned)play.cores.count + 2;
    if (play.count > WORKERS_MAX)
        play.count = WORKERS_MAX;
    for (unsigned i = 0; i < play.count; i++)
        start(i);
    while (play.kills < KILLS * rounds || (double)steps_done() < STEPS * rounds) {
        unsigned index = dice_roll(&play.dice, play.count);

        doze((long)dice_roll(&play.dice, 6000000));
        if (dice_roll(&play.dice, 4) == 0) {
            stop(index);
            if (dice_roll(&play.dice, 2) == 0) {
                MUST(kill(play.pids[index], SIGCONT) == 0);
                continue;
            }
        }
        kill_sweep_restart(index);
    }
    shared_store(&shared->stop, 1);
    for (unsigned i = 0; i < play.count; i++)
        reap(i, 0);
    hammer_init(&last, play.cache, play.names, 1, 1);
    ck_assert(hammer_settled(&last));
    /* It was not for nothing: some died in the middle. */
    ck_assert_msg(rounds < 1 || play.cache_swept > 0, "no claim in %u kills", play.kills);
    printf("%llu steps, %u kills, %u stops; swept %u claims of sets, %u of names\n",
           (unsigned long long)steps_done(), play.kills, play.stops, play.cache_swept,
           play.names_swept);
    munmap(shared, sizeof(*shared));
    munmap(play.cache, hammer_cache_bytes());
    munmap(play.names, names_bytes(HAMMER_NAMES));
}
END_TEST

UNIT("cache_fork", cache_survives_kill)
