#ifndef BASE_ACCESSLINE_H
#define BASE_ACCESSLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"

/* What the access log says of one request, and how. */

enum accessline_end {
    ACCESSLINE_WHOLE,   /* the last byte of the answer was taken */
    ACCESSLINE_ABORTED, /* the client went away or took nothing, or the server stopped */
    ACCESSLINE_CUT,     /* a file was changed or cut off while it was sent */
};

struct accessline {
    int64_t wall;         /* clock_wall, when the answer had left */
    struct slice peer;    /* the client's address */
    struct slice request; /* the request's first line, as sent; what it may be, see below */
    struct slice referer, agent;
    struct slice id; /* X-Request-Id, as it went out */
    int status;      /* ACCESSLINE_NONE: there was no answer yet */
    uint64_t us;     /* from when the request was read to its end */
    uint64_t rows;   /* of the answer, of each column */
    uint64_t sent;   /* bytes of the body that the kernel took */
    uint64_t length; /* bytes that the body has */
    bool data;       /* it is an answer about rows, and no error */
    bool cold;       /* something had to be read from disk */
    enum accessline_end end;
};

/* Instead of a status, as nginx has it. */
#define ACCESSLINE_NONE 499

/*
 * Both forms end in the only newline they have. Of what a client sent, every byte that could
 * end a field or a line, or steer a terminal, is escaped; empty fields are "-" in the combined
 * form.
 */

/**
 * accessline_combined(text, line):
 * Append the line in Apache's combined format (httpd.apache.org/docs/2.4/logs.html#combined),
 * and behind it: microseconds, rows, the body's length, "hit" or "cold" (of data), the id, and
 * "whole", "aborted" or "cut". Escapes are \xHH.
 */
void accessline_combined(struct text *text, const struct accessline *line);

/**
 * accessline_json(text, line):
 * Append the line as a JSON object.
 */
void accessline_json(struct text *text, const struct accessline *line);

#endif
