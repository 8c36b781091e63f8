/*
 * The tables of store/cache.h and store/names.h under ThreadSanitizer, which sees into one
 * process only: threads play the processes, each with a view and a number of its own. Built
 * from the few sources that it needs (Makefile.am), and once more with a race planted in it;
 * races.sh runs both. Its exit code is that of the sanitizer, which has found a race, or 1.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hammer.h"
#include "system/stats.h"

#define THREADS 4
#define STEPS 300000u

static struct {
    void *cache, *names;
    struct player {
        struct stats_row row;
        struct hammer hammer;
        int result;
        pthread_t thread;
    } players[THREADS];
} play;

static void *run(void *arg)
{
    struct player *player = arg;

    stats_mine = &player->row; /* that of one thread alone: counting must order nothing here */
    player->result = hammer_steps(&player->hammer, STEPS);
    return NULL;
}

static int report(const char *what)
{
    fprintf(stderr, "races: %s\n", what);
    return EXIT_FAILURE;
}

int main(void)
{
    uint64_t hits = 0;

    play.cache = aligned_alloc(64, hammer_cache_bytes());
    play.names = calloc(1, names_bytes(HAMMER_NAMES));
    if (play.cache == NULL || play.names == NULL)
        return report("no memory");
    memset(play.cache, 0, hammer_cache_bytes());
    for (unsigned i = 0; i < THREADS; i++)
        hammer_init(&play.players[i].hammer, play.cache, play.names, i + 1, i);
    for (unsigned i = 0; i < THREADS; i++) {
        struct player *player = &play.players[i];

        if (pthread_create(&player->thread, NULL, run, player))
            return report("no thread");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(play.players[i].thread, NULL);
        if (play.players[i].result)
            return report(play.players[i].hammer.wrong);
        hits += play.players[i].row.counters[STATS_cache_hits];
    }
    if (hits < STEPS / 20)
        return report("hardly any hits");
    if (!hammer_settled(&play.players[0].hammer))
        return report("the tables are not as they must be");
    free(play.cache);
    free(play.names);
    return EXIT_SUCCESS;
}
