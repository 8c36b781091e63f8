#include "store/board.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "system/shared.h"

/*
 * The protocol, and why it holds.
 *
 * Each place has a cache (store/cache.h) to itself with one value, the note: which is found
 * whole or not at all, whoever is killed.
 *
 * A place has a word {sequence, owner}; owner 0: nobody's. It is claimed by a swap to {sequence
 * + 1, oneself} and released by a swap to {the same sequence, 0}. The owner alone writes the
 * files and the note of its place; of the files only the one that the note does not tell of. So
 * nobody who has found the newest note reads what is being written. Who has found an older one
 * may: he reads bytes of two contents, or too few, and the hash tells him. The sequence of the
 * claim, which is no other content's, is a content's generation.
 *
 * Dying. Who is killed with a claim leaves at most a file half written that no note tells of,
 * or a note in the making, which the sweep of the cache takes away: the content is lost then,
 * and is found out once more. The master, which has waited for the dead, swaps the word for
 * {sequence, 0}; there is one sweeper, no living process has that number, and nobody else
 * touches a claimed word, so that never fails. A process that stands still keeps its claim;
 * others do without it. What it writes when it goes on tells in "checked" how old it is.
 *
 * What is read is checked for its hash only, so it must be checked for whatever could do harm
 * by those who know what it means.
 */

#define NOTE_WORDS CACHE_WORDS(struct board_note)
#define NOTE_BYTES cache_bytes(1, NOTE_WORDS)

#define SEQUENCE_ONE (UINT64_C(1) << 16)
#define OWNER_MASK (SEQUENCE_ONE - 1)

static_assert(sizeof(struct board_note) % sizeof(uint64_t) == 0, "whole words");
static_assert(CACHE_OWNER_MAX <= OWNER_MASK, "room for any owner");

static const struct cache_key key = { { 1, 0 } }; /* of any note */

size_t board_bytes(void)
{
    return BOARD_PLACES * (NOTE_BYTES + sizeof(uint64_t));
}

void board_attach(struct board *board, const struct segment *segment, unsigned owner)
{
    char *at = segment_at(segment, SEGMENT_BOARD);

    *board = (struct board){ .segment = segment, .owner = owner };
    for (unsigned place = 0; place < BOARD_PLACES; place++, at += NOTE_BYTES)
        cache_attach(&board->notes[place], at, NOTE_BYTES, NOTE_WORDS, owner);
    board->claims = (uint64_t *)(void *)at;
}

/* One of the two files of a place. */
static int file_of(const struct board *board, unsigned place, uint64_t file)
{
    return segment_scratch(board->segment, 2 * place + (unsigned)(file & 1));
}

bool board_find(const struct board *board, unsigned place, uint64_t now,
                struct board_note *note)
{
    struct cache_hint hint;

    return board->segment != NULL &&
           cache_find(&board->notes[place], key, now, (uint64_t *)note, &hint);
}

static int read_all(int fd, char *to, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t count = pread(fd, to + done, len - done, (off_t)done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        done += (size_t)count;
    }
    return 0;
}

int board_read(const struct board *board, unsigned place, const struct board_note *note,
               struct slice *bytes)
{
    int fd = file_of(board, place, note->file);
    struct stat found;
    char *memory;

    if (fstat(fd, &found) || (uint64_t)found.st_size < note->bytes ||
        (memory = malloc(note->bytes + 1)) == NULL)
        return -1;
    *bytes = (struct slice){ memory, note->bytes };
    if (read_all(fd, memory, note->bytes) ||
        hash_bytes(HASH_START, memory, note->bytes) != note->hash) {
        free(memory);
        return -1;
    }
    return 0;
}

uint64_t board_claim(const struct board *board, unsigned place)
{
    if (board->segment == NULL)
        return 0;
    uint64_t word = shared_load(&board->claims[place]);
    uint64_t claimed = word + SEQUENCE_ONE + board->owner;

    if ((word & OWNER_MASK) != 0 || !shared_swap(&board->claims[place], word, claimed))
        return 0;
    shared_fence_claimed();
    return claimed / SEQUENCE_ONE;
}

int board_write(const struct board *board, unsigned place, const struct board_note *before,
                struct slice bytes, struct board_note *note)
{
    uint64_t file = before->generation != 0 ? 1 - (before->file & 1) : 0;
    int fd = file_of(board, place, file);
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t count = pwrite(fd, bytes.at + done, bytes.len - done, (off_t)done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        done += (size_t)count;
    }
    if (ftruncate(fd, (off_t)bytes.len)) /* what was there before may have been longer */
        return -1;
    note->file = file;
    note->bytes = bytes.len;
    note->hash = hash_bytes(HASH_START, bytes.at, bytes.len);
    return 0;
}

void board_put(struct board *board, unsigned place, uint64_t now, const struct board_note *note)
{
    struct cache_hint hint;

    cache_put(&board->notes[place], key, now, (const uint64_t *)note, &hint);
}

void board_release(const struct board *board, unsigned place)
{
    uint64_t claimed = shared_load(&board->claims[place]);

    assert((claimed & OWNER_MASK) == board->owner);
    shared_fence_release();
    shared_swap(&board->claims[place], claimed, claimed - board->owner);
}

bool board_untouched(const struct board *board, unsigned place, const struct board_note *note)
{
    return shared_load(&board->claims[place]) == note->claim * SEQUENCE_ONE;
}

unsigned board_sweep(struct board *board, unsigned owner)
{
    unsigned swept = 0;

    for (unsigned place = 0; place < BOARD_PLACES; place++) {
        uint64_t word = shared_load(&board->claims[place]);

        swept += cache_sweep(&board->notes[place], owner);
        if ((word & OWNER_MASK) == owner &&
            shared_swap(&board->claims[place], word, word - owner))
            swept++;
    }
    return swept;
}
