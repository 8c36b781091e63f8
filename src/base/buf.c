#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

int buf_append(struct buf *buf, const char *bytes, size_t len)
{
    if (len > buf->room - buf->len) {
        size_t room = buf->room < 1024 ? 1024 : buf->room;

        while (room - buf->len < len)
            room *= 2;
        char *grown = realloc(buf->bytes, room);
        if (grown == NULL)
            return -1;
        buf->bytes = grown;
        buf->room = room;
    }
    if (len > 0)
        memcpy(buf->bytes + buf->len, bytes, len);
    buf->len += len;
    return 0;
}

void buf_drop(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf_free(buf);
        return;
    }
    memmove(buf->bytes, buf->bytes + len, buf->len - len);
    buf->len -= len;
}

void buf_free(struct buf *buf)
{
    free(buf->bytes);
    *buf = (struct buf){ 0 };
}
