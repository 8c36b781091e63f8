#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dice.h"
#include "store/board.h"
#include "system/shared.h"

/*
 * What workers put up for one another: found whole or not at all, whoever writes, and whoever
 * is killed meanwhile. TICKD_TEST_ROUNDS multiplies the kills.
 */

#define PLACE 1

static struct segment *segment;
static struct board boards[2];

static struct segment *make_segment(void)
{
    size_t bytes[SEGMENT_SECTIONS] = {
        [SEGMENT_STATS] = 4096, [SEGMENT_BOARD] = board_bytes()
    };

    segment = segment_create(bytes);
    ck_assert_ptr_nonnull(segment);
    return segment;
}

static void begin(void)
{
    make_segment();
    for (unsigned i = 0; i < 2; i++)
        board_attach(&boards[i], segment, i + 1);
}

/* Find the note of the place; generation 0: there is none. */
static struct board_note note_of(const struct board *board)
{
    struct board_note note;

    return board_find(board, PLACE, 1, &note) ? note : (struct board_note){ 0 };
}

/* Put ${bytes} up. */
static void post(struct board *board, struct slice bytes)
{
    struct board_note before = note_of(board);
    struct board_note note = { .generation = board_claim(board, PLACE) };

    ck_assert_uint_ne(note.generation, 0);
    ck_assert_int_eq(board_write(board, PLACE, &before, bytes, &note), 0);
    board_put(board, PLACE, 1, &note);
    board_release(board, PLACE);
}

static void expect(const struct board_note *note, struct slice right)
{
    struct slice bytes;

    ck_assert_int_eq(board_read(&boards[1], PLACE, note, &bytes), 0);
    ck_assert(slice_equal(bytes, right));
    free((char *)bytes.at);
}

START_TEST(board_hands_on_what_was_put_up)
{
    struct slice bytes;

    begin();
    ck_assert_uint_eq(note_of(&boards[1]).generation, 0);
    post(&boards[0], SLICE("a longer text"));
    struct board_note first = note_of(&boards[1]);
    expect(&first, SLICE("a longer text"));

    post(&boards[1], SLICE("text"));
    struct board_note second = note_of(&boards[1]);
    ck_assert_uint_gt(second.generation, first.generation);
    expect(&second, SLICE("text"));
    expect(&first, SLICE("a longer text")); /* whoever is reading it goes on */

    post(&boards[0], SLICE("a LONGER text"));
    ck_assert_int_eq(board_read(&boards[1], PLACE, &first, &bytes), -1);
    expect(&second, SLICE("text"));
    post(&boards[0], SLICE(""));
    struct board_note last = note_of(&boards[1]);
    expect(&last, SLICE(""));
    segment_free(segment);
}
END_TEST

START_TEST(board_reads_nothing_that_a_note_makes_up)
{
    static const uint64_t lengths[] = { 5, 3, UINT64_MAX, UINT64_MAX - 1, INT64_MAX };
    struct slice bytes;

    begin();
    post(&boards[0], SLICE("four"));
    struct board_note note = note_of(&boards[0]);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        note.bytes = lengths[i];
        ck_assert_int_eq(board_read(&boards[1], PLACE, &note, &bytes), -1);
    }
    note = note_of(&boards[0]);
    note.file = 77;
    ck_assert_int_eq(board_read(&boards[1], PLACE, &note, &bytes), -1);
    segment_free(segment);
}
END_TEST

START_TEST(board_says_when_there_is_no_room)
{
    static char large[10000];
    struct rlimit before_all, limit;

    begin();
    struct board_note before = { 0 }, note = { .generation = board_claim(&boards[0], PLACE) };
    signal(SIGXFSZ, SIG_IGN);
    MUST(getrlimit(RLIMIT_FSIZE, &before_all) == 0);
    limit = before_all;
    limit.rlim_cur = 4096;
    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    ck_assert_int_eq(
        board_write(&boards[0], PLACE, &before, (struct slice){ large, sizeof(large) }, &note),
        -1);
    ck_assert_int_eq(errno, EFBIG);
    MUST(setrlimit(RLIMIT_FSIZE, &before_all) == 0);
    segment_free(segment);
}
END_TEST

START_TEST(board_is_claimed_by_one)
{
    begin();
    uint64_t first = board_claim(&boards[0], PLACE);
    ck_assert_uint_ne(first, 0);
    ck_assert_uint_eq(board_claim(&boards[1], PLACE), 0);
    ck_assert_uint_eq(board_claim(&boards[0], PLACE), 0);
    ck_assert_uint_ne(board_claim(&boards[1], PLACE - 1), 0); /* another place */
    board_release(&boards[0], PLACE);
    ck_assert_uint_gt(board_claim(&boards[1], PLACE), first);

    /* The first one is dead, and has nothing; then the second one. */
    ck_assert_uint_eq(board_sweep(&boards[0], 1), 0);
    ck_assert_uint_eq(board_claim(&boards[0], PLACE), 0);
    ck_assert_uint_eq(board_sweep(&boards[0], 2), 2);
    ck_assert_uint_ne(board_claim(&boards[0], PLACE), 0);
    segment_free(segment);
}
END_TEST

START_TEST(board_is_empty_without_a_segment)
{
    struct board none = { 0 };
    struct board_note note;

    ck_assert(!board_find(&none, PLACE, 1, &note));
    ck_assert_uint_eq(board_claim(&none, PLACE), 0);
}
END_TEST

/* --- Killed at any moment */

#define WORKERS 4
#define KILLS 200.0
#define WORDS_MAX 40000

static struct shared {
    uint64_t stop, posts[WORKERS], reads[WORKERS], torn[WORKERS];
} * shared;

/* A content is one number, many times; how many follows from it. */
static size_t words_of(uint64_t number)
{
    return 1 + number * 7919 % WORDS_MAX;
}

static bool is_whole(struct slice bytes)
{
    const uint64_t *words = (const uint64_t *)(const void *)bytes.at;

    if (bytes.len < sizeof(*words) || bytes.len != words_of(words[0]) * sizeof(*words))
        return false;
    return memcmp(bytes.at, bytes.at + sizeof(*words), bytes.len - sizeof(*words)) == 0;
}

static void write_one(struct board *board, struct dice *dice)
{
    static uint64_t words[WORDS_MAX];
    uint64_t number = dice_bits(dice);
    struct board_note before = note_of(board);
    struct board_note note = { .generation = board_claim(board, PLACE) };

    if (note.generation == 0)
        return;
    for (size_t i = 0; i < words_of(number); i++)
        words[i] = number;
    before = note_of(board);
    if (board_write(board, PLACE, &before,
                    (struct slice){ (const char *)words, words_of(number) * sizeof(*words) },
                    &note))
        _exit(2);
    board_put(board, PLACE, 1, &note);
    board_release(board, PLACE);
    shared_store(&shared->posts[board->owner - 1], shared->posts[board->owner - 1] + 1);
}

static void read_one(struct board *board)
{
    struct board_note note = note_of(board);
    struct slice bytes;

    if (note.generation == 0)
        return;
    if (board_read(board, PLACE, &note, &bytes)) {
        shared_store(&shared->torn[board->owner - 1], shared->torn[board->owner - 1] + 1);
        return;
    }
    if (!is_whole(bytes))
        _exit(3);
    free((char *)bytes.at);
    shared_store(&shared->reads[board->owner - 1], shared->reads[board->owner - 1] + 1);
}

static void work(unsigned index, uint64_t seed)
{
    struct dice dice = { seed };
    struct board board;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    board_attach(&board, segment, index + 1);
    while (shared_load(&shared->stop) == 0) {
        if (dice_roll(&dice, 3) == 0)
            write_one(&board, &dice);
        else
            read_one(&board);
    }
    _exit(0);
}

static pid_t start(unsigned index, struct dice *dice)
{
    uint64_t seed = dice_bits(dice);
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        work(index, seed);
    return pid;
}

static void reap(pid_t pid, int expected)
{
    int status;

    MUST(waitpid(pid, &status, 0) == pid);
    ck_assert_int_eq(status, expected);
}

START_TEST(board_survives_kill)
{
    const char *factor = getenv("TICKD_TEST_ROUNDS");
    double kills = KILLS * (factor == NULL ? 1 : atof(factor));
    struct dice dice = dice_new(1);
    uint64_t posts = 0, reads = 0, torn = 0;
    unsigned swept = 0;
    pid_t pids[WORKERS];
    struct board board;

    make_segment();
    board_attach(&board, segment, WORKERS + 1);
    shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    for (unsigned i = 0; i < WORKERS; i++)
        pids[i] = start(i, &dice);
    for (unsigned i = 0; i < kills; i++) {
        unsigned index = (unsigned)dice_roll(&dice, WORKERS);
        struct timespec time = { 0, (long)dice_roll(&dice, 5000000) };

        while (nanosleep(&time, &time) && errno == EINTR)
            ;
        MUST(kill(pids[index], SIGKILL) == 0);
        reap(pids[index], SIGKILL);
        swept += board_sweep(&board, index + 1);
        pids[index] = start(index, &dice);
    }
    shared_store(&shared->stop, 1);
    for (unsigned i = 0; i < WORKERS; i++) {
        reap(pids[i], 0);
        posts += shared->posts[i];
        reads += shared->reads[i];
        torn += shared->torn[i];
    }
    /* It is as good as new: nobody has a claim, and what is put up can be read. */
    post(&board, SLICE("the end"));
    struct board_note note = note_of(&board);
    boards[1] = board;
    expect(&note, SLICE("the end"));
    ck_assert_uint_gt(posts, 0);
    ck_assert_uint_gt(reads, 0);
    ck_assert_msg(kills < KILLS || swept > 0, "no claim in %g kills", kills);
    printf("%llu contents put up, %llu read, %llu torn; %u claims of the dead\n",
           (unsigned long long)posts, (unsigned long long)reads, (unsigned long long)torn,
           swept);
    munmap(shared, sizeof(*shared));
    segment_free(segment);
}
END_TEST

UNIT("board", board_hands_on_what_was_put_up, board_reads_nothing_that_a_note_makes_up,
     board_says_when_there_is_no_room, board_is_claimed_by_one,
     board_is_empty_without_a_segment, board_survives_kill)
