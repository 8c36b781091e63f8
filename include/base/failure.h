#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

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

#endif
