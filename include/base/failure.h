#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

#include "base/slice.h"

/*
 * Why a request cannot have what it asks for: filled in by the step that finds out, handed up,
 * and turned into an error answer once, by whoever answers.
 */
struct failure {
    int status;         /* the HTTP status; 0: no failure */
    char parameter[65]; /* the parameter at fault; empty if it is none's */
    char reason[512];   /* one sentence for the client */
};

/**
 * failure_set(failure, status, parameter, format, ...):
 * Fill in ${failure}; ${format} as printf's gives the reason (cut where it is too long).
 * Returns -1, so that "return failure_set(...)" reads well.
 */
int failure_set(struct failure *failure, int status, const char *parameter, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* What is shown of a text: so many bytes of it at most, and room for them. */
#define FAILURE_SHOWN 64
#define FAILURE_QUOTED (FAILURE_SHOWN + sizeof("..."))

/**
 * failure_quote(text, quoted):
 * Write what a client wrote, ${text}, to ${quoted}, to be shown in a reason: without surprises
 * (a byte that is not of printable ASCII is a '?'), and cut, with dots, where it is too long.
 * Returns ${quoted}.
 */
char *failure_quote(struct slice text, char quoted[FAILURE_QUOTED]);

#endif
