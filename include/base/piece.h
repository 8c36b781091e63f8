#ifndef BASE_PIECE_H
#define BASE_PIECE_H

#include <stddef.h>
#include <sys/types.h>

/* A stretch of an answer's bytes, in memory or in the mapping of a file, on its way to the
 * socket. */
struct piece {
    const char *at;
    size_t len;
    int fd;       /* the file that it is better sent from; -1: none */
    off_t offset; /* in it */
};

#endif
