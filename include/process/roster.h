#ifndef PROCESS_ROSTER_H
#define PROCESS_ROSTER_H

#include <stddef.h>
#include <sys/types.h>

#include "system/config.h"
#include "system/segment.h"

/*
 * The shared segment, and which process has which number in it. Numbers begin at 1 (0 is the
 * master) and are those of processes, not of slots: while one generation of workers drains and
 * the next one serves, both are here. A number is free again only when its process is dead and
 * waited for, and what that was in the middle of is undone. The master's; a child only has its
 * copy to give back.
 */

struct roster;

/**
 * roster_new(config, workers):
 * Make the segment for ${config}, with numbers for ${workers} at once and for some generations
 * of them that drain, and this process its master, which counts there from now on. NULL after a
 * message. To be given to roster_free.
 */
struct roster *roster_new(const struct config *config, size_t workers);

/**
 * roster_share(roster):
 * ${roster} once more, to be given to roster_free by itself.
 */
struct roster *roster_share(struct roster *roster);

/**
 * roster_count_here(roster):
 * Let this process, the master, count in the segment of ${roster} again, instead of another's.
 */
void roster_count_here(const struct roster *roster);

/**
 * roster_size(roster), roster_room(roster):
 * How many numbers there are; how many of them no process has.
 */
size_t roster_size(const struct roster *roster);
size_t roster_room(const struct roster *roster);

/**
 * roster_segment(roster):
 * The segment, which is the roster's.
 */
struct segment *roster_segment(const struct roster *roster);

/**
 * roster_free_id(roster):
 * A number that no process has: for one that is about to be forked. 0 if there is none.
 */
unsigned roster_free_id(const struct roster *roster);

/**
 * roster_enter(roster, id, pid):
 * The process ${pid} was forked with the number ${id}.
 */
void roster_enter(struct roster *roster, unsigned id, pid_t pid);

/**
 * roster_leave(roster, pid):
 * The process ${pid} is dead and was waited for: undo what it was in the middle of, keep what
 * it counted, and let others have its number. One that is not there is fine.
 */
void roster_leave(struct roster *roster, pid_t pid);

/**
 * roster_free(roster):
 * Let go of the segment, in this process, unless it is shared still; NULL is fine.
 */
void roster_free(struct roster *roster);

#endif
