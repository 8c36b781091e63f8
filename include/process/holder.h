#ifndef PROCESS_HOLDER_H
#define PROCESS_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

/* Whose a listening socket is, as proc(5) tells. */

/**
 * holder_may_be(pid, address):
 * Whether the process ${pid} has a socket that listens at just what ${address}
 * (system/listen.h) names, or may have: it is not ours to look into.
 */
bool holder_may_be(pid_t pid, const char *address);

#endif
