#include "http/send.h"

/* Bytes of a body in one batch: one client that takes gigabytes waits for the others this
 * often. */
#define QUOTA (512 << 10)

void send_begin(struct send *send, struct slice head, struct body *body, struct slice tail)
{
    send->head = head;
    send->tail = tail;
    send->body = body;
    send->left = body == NULL ? 0 : body->length;
    send->begun = send->batched = send->checked = false;
    send->first = send->count = 0;
    send->file.len = 0;
}

static void add(struct send *send, const char *at, size_t len)
{
    send->iov[send->count++] = (struct iovec){ .iov_base = (void *)at, .iov_len = len };
}

/* Take the next pieces of the body into the batch. A large one, which is the last, is sent from
 * its file. */
static enum send_state add_body(struct send *send, uint64_t quota)
{
    struct piece pieces[LOOP_SEND_MAX];
    int count;
    /* The head and the tail may stand beside them. */
    enum body_state state = body_next(send->body, pieces, LOOP_SEND_MAX - 2, quota, &count);

    if (state == BODY_WAIT)
        return SEND_WAIT;
    if (state != BODY_PIECES)
        return SEND_BROKEN;
    for (int i = 0; i < count; i++) {
        const struct piece *piece = &pieces[i];

        if (piece->fd >= 0)
            send->file = (struct loop_file){ piece->fd, piece->offset, piece->len };
        else
            add(send, piece->at, piece->len);
        send->left -= piece->len;
    }
    send->batched = true;
    return SEND_MORE;
}

/* Whether the batch will likely leave in one go, and the tail may stand behind it. */
static bool is_small(const struct send *send)
{
    size_t bytes = 0;

    if (send->file.len > 0)
        return false;
    for (int i = 0; i < send->count; i++)
        bytes += send->iov[i].iov_len;
    return bytes <= LOOP_SMALL;
}

/* The last batch has left. */
static int end_batch(struct send *send)
{
    bool whole = !send->batched || send->checked || body_whole(send->body);

    if (send->batched)
        body_sent(send->body);
    send->batched = send->checked = false;
    return whole ? 0 : -1;
}

/*
 * Files that were cut off show zeros. So they are looked at after their last rows have left,
 * before anything says that the body was whole: the tail of a large answer waits for that. The
 * end of a body is looked at before it leaves as well, and a small answer, which leaves as soon
 * as it is made, then only.
 */
enum send_state send_next(struct send *send, uint64_t quota)
{
    if (send->count > 0 || send->file.len > 0)
        return SEND_MORE;
    if (end_batch(send))
        return SEND_BROKEN;
    send->first = 0;
    if (send->head.len > 0)
        add(send, send->head.at, send->head.len);
    if (send->left > 0) {
        enum send_state state = add_body(send, quota);

        if (state == SEND_WAIT)
            send->count = 0; /* the head waits for what it promises */
        if (state != SEND_MORE)
            return state;
        if (send->left == 0 && !body_whole(send->body))
            return SEND_BROKEN;
        send->checked = send->left == 0 && is_small(send);
    }
    if (send->left == 0 && send->tail.len > 0 && (!send->batched || send->checked)) {
        add(send, send->tail.at, send->tail.len);
        send->tail.len = 0;
    }
    send->head.len = 0;
    return send->count > 0 || send->file.len > 0 ? SEND_MORE : SEND_DONE;
}

void send_sent(struct send *send, size_t bytes)
{
    send->begun |= bytes > 0;
    while (bytes > 0 && send->count > 0) {
        struct iovec *piece = &send->iov[send->first];

        if (bytes < piece->iov_len) {
            piece->iov_base = (char *)piece->iov_base + bytes;
            piece->iov_len -= bytes;
            return;
        }
        bytes -= piece->iov_len;
        send->first++;
        send->count--;
    }
    send->file.at += (off_t)bytes;
    send->file.len -= bytes;
}
