#include "http/reqbody.h"

#include "base/num.h"
#include "base/token.h"

/* Sizes, extensions and trailers of one body. */
#define FRAME_BYTES 16384

/* What the next byte belongs to. */
enum state {
    PLAIN,     /* a body with a length */
    SIZE,      /* the digits of a chunk's size */
    EXTENSION, /* ... and what may follow them */
    SIZE_LF,   /* ... and the end of their line */
    DATA,      /* the bytes of a chunk */
    DATA_CR,   /* the end of those */
    DATA_LF,
    LINE,  /* the start of a trailer line, or of the last line */
    NAME,  /* a trailer's name */
    VALUE, /* ... and value */
    VALUE_LF,
    END_LF, /* the end of everything */
    DONE,
    BROKEN,
};

void reqbody_begin(struct reqbody *body, uint64_t length)
{
    *body = (struct reqbody){ .state = length > 0 ? PLAIN : DONE, .left = length };
}

void reqbody_begin_chunked(struct reqbody *body, uint64_t most)
{
    *body = (struct reqbody){ .state = SIZE, .room = most, .frame = FRAME_BYTES };
}

static bool is_text(char c)
{
    return (unsigned char)c >= 0x20 ? c != 0x7f : c == '\t';
}

static enum state expect(char c, char wanted, enum state next)
{
    return c == wanted ? next : BROKEN;
}

/* A byte of a chunk's size. 15 digits cannot overflow, and are more than anybody needs. */
static enum state size_byte(struct reqbody *body, char c)
{
    int digit = num_hex_value(c);

    if (digit >= 0) {
        if (body->digits++ == 0)
            body->left = 0;
        body->left = body->left << 4 | (unsigned)digit;
        return body->digits <= 15 ? SIZE : BROKEN;
    }
    if (body->digits == 0)
        return BROKEN;
    return c == ';' ? EXTENSION : expect(c, '\r', SIZE_LF);
}

/* The state after the byte ${c} of the framing. */
static enum state frame_byte(struct reqbody *body, char c)
{
    switch ((enum state)body->state) {
    case SIZE:
        return size_byte(body, c);
    case EXTENSION:
        return c == '\r' ? SIZE_LF : is_text(c) ? EXTENSION : BROKEN;
    case SIZE_LF:
        body->digits = 0;
        return expect(c, '\n', body->left > 0 ? DATA : LINE);
    case DATA_CR:
        return expect(c, '\r', DATA_LF);
    case DATA_LF:
        return expect(c, '\n', SIZE);
    case LINE:
        return c == '\r' ? END_LF : token_byte(c) ? NAME : BROKEN;
    case NAME:
        return c == ':' ? VALUE : token_byte(c) ? NAME : BROKEN;
    case VALUE:
        return c == '\r' ? VALUE_LF : is_text(c) ? VALUE : BROKEN;
    case VALUE_LF:
        return expect(c, '\n', LINE);
    case END_LF:
        return expect(c, '\n', DONE);
    default:
        return BROKEN;
    }
}

static enum reqbody_result too_large(struct failure *failure)
{
    failure_set(failure, 413, NULL, "the body is too large");
    return REQBODY_BAD;
}

enum reqbody_result reqbody_drop(struct reqbody *body, const char *bytes, size_t len,
                                 size_t *consumed, struct failure *failure)
{
    size_t at = 0;

    while (at < len && body->state != DONE) {
        if (body->state == PLAIN || body->state == DATA) {
            size_t skipped = len - at < body->left ? len - at : (size_t)body->left;

            at += skipped;
            body->left -= skipped;
            if (body->left == 0)
                body->state = body->state == PLAIN ? DONE : DATA_CR;
            continue;
        }
        body->state = (int)frame_byte(body, bytes[at++]);
        if (body->state == BROKEN) {
            failure_set(failure, 400, NULL, "the body's chunks are malformed");
            return REQBODY_BAD;
        }
        if (body->frame-- == 0)
            return too_large(failure);
        if (body->state == DATA) {
            if (body->left > body->room)
                return too_large(failure);
            body->room -= body->left;
        }
    }
    *consumed = at;
    return body->state == DONE ? REQBODY_DONE : REQBODY_MORE;
}
