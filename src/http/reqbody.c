#include "http/reqbody.h"

#include "base/num.h"
#include "base/token.h"

/* Sizes, extensions and trailers of one body. */
#define FRAME_BYTES 16384

/* What the next byte belongs to. */
enum state {
    PLAIN,      /* a body with a length */
    SIZE,       /* the digits of a chunk's size */
    EXT,        /* an extension, after its semicolon: blanks before its name */
    EXT_NAME,   /* ... the name */
    EXT_NAMED,  /* ... blanks behind that */
    EXT_EQUALS, /* ... blanks before the value */
    EXT_TOKEN,  /* ... the value */
    EXT_QUOTED, /* ... the value, in quotes */
    EXT_PAIR,   /* ... after a backslash in those */
    EXT_END,    /* ... after them */
    EXT_NEXT,   /* ... blanks before the next semicolon */
    SIZE_LF,    /* the end of that line */
    DATA,       /* the bytes of a chunk */
    DATA_CR,    /* the end of those */
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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What may follow a size or an extension: blanks only before another one. */
static enum state extension_end(char c)
{
    return is_blank(c) ? EXT_NEXT : c == ';' ? EXT : expect(c, '\r', SIZE_LF);
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
    return body->digits == 0 ? BROKEN : extension_end(c);
}

/* A byte of a chunk's extensions (RFC 9112 section 7.1.1), which mean nothing to us, but end
 * where their grammar says. */
static enum state extension_byte(enum state state, char c)
{
    switch (state) {
    case EXT:
        return is_blank(c) ? EXT : token_byte(c) ? EXT_NAME : BROKEN;
    case EXT_NAME:
        return token_byte(c) ? EXT_NAME
               : c == '='    ? EXT_EQUALS
               : is_blank(c) ? EXT_NAMED
                             : extension_end(c);
    case EXT_NAMED:
        return is_blank(c) ? EXT_NAMED : c == '=' ? EXT_EQUALS : expect(c, ';', EXT);
    case EXT_EQUALS:
        return is_blank(c)     ? EXT_EQUALS
               : c == '"'      ? EXT_QUOTED
               : token_byte(c) ? EXT_TOKEN
                               : BROKEN;
    case EXT_TOKEN:
        return token_byte(c) ? EXT_TOKEN : extension_end(c);
    case EXT_QUOTED:
        return c == '"' ? EXT_END : c == '\\' ? EXT_PAIR : is_text(c) ? EXT_QUOTED : BROKEN;
    case EXT_PAIR:
        return is_text(c) ? EXT_QUOTED : BROKEN;
    case EXT_END:
        return extension_end(c);
    case EXT_NEXT:
        return is_blank(c) ? EXT_NEXT : expect(c, ';', EXT);
    default:
        return BROKEN;
    }
}

/* The state after the byte ${c} of the framing. */
static enum state frame_byte(struct reqbody *body, char c)
{
    switch ((enum state)body->state) {
    case SIZE:
        return size_byte(body, c);
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
        return extension_byte((enum state)body->state, c);
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
