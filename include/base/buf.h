#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

/* Bytes that wait: appended at one end, dropped at the other. All zeros is an empty buffer. */

struct buf {
    char *bytes;
    size_t len, room;
};

/**
 * buf_append(buf, bytes, len):
 * Append ${len} ${bytes}. Returns 0, or -1 without memory (${buf} is then as it was).
 */
int buf_append(struct buf *buf, const char *bytes, size_t len);

/**
 * buf_drop(buf, len):
 * Drop the first ${len} bytes; an emptied buffer gives its memory back.
 */
void buf_drop(struct buf *buf, size_t len);

/**
 * buf_free(buf):
 * Drop everything.
 */
void buf_free(struct buf *buf);

#endif
