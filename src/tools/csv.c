#include "tools/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"

/*
 * The buffer holds what lies between ${at} and ${end}, and one byte more: a line feed at ${end}
 * that stops every search.
 */
struct csv {
    gzFile gz;
    const char *name;
    char delimiter;
    bool started, ended; /* something was read; nothing is left to read */
    char *buffer;
    char *at, *end;
    uint64_t line, next_line;
    struct slice *fields;
    size_t count, room;
    bool quoted, doubled; /* some field of the row is quoted; has doubled quotes */
};

struct csv *csv_open(const char *path, char delimiter)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct csv *csv = calloc(1, sizeof(*csv));
    int fd = -1;

    if (csv == NULL || (csv->buffer = malloc(CSV_ROW_MAX + 1)) == NULL)
        goto fail;
    fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        goto fail;
    csv->gz = gzdopen(fd, "rb");
    if (csv->gz == NULL) {
        errno = ENOMEM;
        goto fail;
    }
    gzbuffer(csv->gz, 256 * 1024);
    csv->name = is_stdin ? "stdin" : path;
    csv->delimiter = delimiter;
    csv->at = csv->end = csv->buffer;
    *csv->end = '\n';
    csv->next_line = 1;
    return csv;

fail:
    log_error("%s: %m", is_stdin ? "stdin" : path);
    if (fd >= 0)
        close(fd);
    if (csv != NULL)
        free(csv->buffer);
    free(csv);
    return NULL;
}

const char *csv_name(const struct csv *csv)
{
    return csv->name;
}

uint64_t csv_line(const struct csv *csv)
{
    return csv->line;
}

uint64_t csv_position(const struct csv *csv)
{
    z_off_t offset = gzoffset(csv->gz);

    return offset < 0 ? 0 : (uint64_t)offset;
}

void csv_close(struct csv *csv)
{
    gzclose_r(csv->gz);
    free(csv->fields);
    free(csv->buffer);
    free(csv);
}

static int report(const struct csv *csv)
{
    int code;
    const char *text = gzerror(csv->gz, &code);

    if (code == Z_ERRNO)
        log_error("%s: %m", csv->name);
    else if (code == Z_BUF_ERROR)
        log_error("%s: the gzip data ends too early; is the file complete?", csv->name);
    else
        log_error("%s: damaged gzip data (%s)", csv->name, text);
    return -1;
}

/* Read as much as fits behind what is there, which moves to the front. */
static int refill(struct csv *csv)
{
    size_t kept = (size_t)(csv->end - csv->at);
    unsigned room = (unsigned)(CSV_ROW_MAX - kept);

    memmove(csv->buffer, csv->at, kept);
    int n = gzread(csv->gz, csv->buffer + kept, room);
    if (n < 0)
        return report(csv);
    if ((unsigned)n < room) {
        int code;

        gzerror(csv->gz, &code);
        if (code != Z_OK && code != Z_STREAM_END)
            return report(csv);
        csv->ended = true;
    }
    csv->at = csv->buffer;
    csv->end = csv->buffer + kept + n;
    *csv->end = '\n';
    if (!csv->started && csv->end - csv->at >= 3 && memcmp(csv->at, "\xef\xbb\xbf", 3) == 0)
        csv->at += 3;
    csv->started = true;
    return 0;
}

static int add_field(struct csv *csv, const char *at, const char *end)
{
    if (csv->count == csv->room) {
        size_t room = csv->room == 0 ? 32 : csv->room * 2;
        struct slice *grown = realloc(csv->fields, room * sizeof(*grown));

        if (grown == NULL) {
            log_error("%s: %m", csv->name);
            return -1;
        }
        csv->fields = grown;
        csv->room = room;
    }
    csv->fields[csv->count++] = (struct slice){ at, (size_t)(end - at) };
    return 0;
}

/* What split found. */
enum split {
    SPLIT_DONE,
    SPLIT_SHORT, /* the buffer ends before the row does */
    SPLIT_QUOTE, /* something stands behind a closing quote */
    SPLIT_FAILED,
};

/* The quoted field that begins at ${at}; sets ${close_quote}. */
static enum split split_quoted(struct csv *csv, char *at, char **close_quote)
{
    for (char *p = at + 1;; p += 2) {
        p = memchr(p, '"', (size_t)(csv->end - p));
        /* At the buffer's end it could still be half of a doubled one. */
        if (p == NULL || (p + 1 == csv->end && !csv->ended))
            return SPLIT_SHORT;
        if (p[1] != '"' || p + 1 == csv->end) {
            *close_quote = p;
            return SPLIT_DONE;
        }
        csv->doubled = true;
        if (p + 2 >= csv->end)
            return SPLIT_SHORT;
    }
}

/* Split the row at ${csv}->at; sets ${next} to what follows its line end. */
static enum split split(struct csv *csv, char **next)
{
    char delimiter = csv->delimiter, *p = csv->at;

    csv->count = 0;
    csv->quoted = csv->doubled = false;
    for (;;) {
        char *start = p, *end;

        if (*p == '"' && p < csv->end) {
            enum split found = split_quoted(csv, p, &end);

            if (found != SPLIT_DONE)
                return found;
            csv->quoted = true;
            start++;
            p = end + 1;
            if (*p == '\r' && p < csv->end)
                p++;
            if (*p != delimiter && *p != '\n')
                return SPLIT_QUOTE;
        } else {
            while (*p != delimiter && *p != '\n')
                p++;
            end = p;
            if (*p == '\n' && end > start && end[-1] == '\r')
                end--;
        }
        if (p == csv->end && !csv->ended)
            return SPLIT_SHORT;
        if (add_field(csv, start, end))
            return SPLIT_FAILED;
        if (*p == '\n' || p == csv->end)
            break;
        p++;
    }
    *next = p < csv->end ? p + 1 : p;
    return SPLIT_DONE;
}

/* Make one quote of two in the quoted fields of a row. */
static void undouble(struct csv *csv)
{
    for (size_t i = 0; i < csv->count; i++) {
        char *to = csv->buffer + (csv->fields[i].at - csv->buffer), *from = to;
        const char *end = from + csv->fields[i].len;

        if (from == csv->at || from[-1] != '"')
            continue;
        while (from < end) {
            if (*from == '"')
                from++;
            *to++ = *from++;
        }
        csv->fields[i].len = (size_t)(to - csv->fields[i].at);
    }
}

/* Go behind the next line end, wherever it is. */
static int skip_line(struct csv *csv)
{
    for (;;) {
        char *found = memchr(csv->at, '\n', (size_t)(csv->end - csv->at));

        csv->at = found == NULL ? csv->end : found + 1;
        if (found != NULL || csv->ended)
            break;
        if (refill(csv))
            return -1;
    }
    csv->next_line++;
    return 0;
}

static enum csv_result bad(struct csv *csv, const char *why, const char **reason)
{
    *reason = why;
    return skip_line(csv) ? CSV_FAILED : CSV_BAD;
}

static uint64_t count_lines(const char *at, const char *end)
{
    uint64_t lines = 0;

    for (; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        lines++;
    return lines;
}

/* The next row that is no empty line, split; the buffer is refilled as needed. */
static enum csv_result next_row(struct csv *csv, char **next, const char **reason)
{
    for (;;) {
        if (csv->at == csv->end && csv->ended)
            return CSV_END;
        csv->line = csv->next_line;

        enum split found = split(csv, next);
        if (found == SPLIT_FAILED)
            return CSV_FAILED;
        if (found == SPLIT_QUOTE)
            return bad(csv, "something follows a closing quote", reason);
        if (found == SPLIT_SHORT && csv->ended)
            return bad(csv, "a quoted field does not end", reason);
        if (found == SPLIT_SHORT && csv->end - csv->at == CSV_ROW_MAX)
            return bad(csv, "the row is longer than 1 MiB (does a quoted field not end?)",
                       reason);
        if (found == SPLIT_SHORT) {
            if (refill(csv))
                return CSV_FAILED;
        } else if (csv->count > 1 || csv->fields[0].len > 0 || *csv->at == '"') {
            return CSV_ROW;
        } else {
            csv->at = *next;
            csv->next_line++;
        }
    }
}

enum csv_result csv_next(struct csv *csv, const struct slice **fields, size_t *count,
                         const char **reason)
{
    char *next;

    enum csv_result result = next_row(csv, &next, reason);
    if (result != CSV_ROW)
        return result;

    csv->next_line += csv->quoted ? count_lines(csv->at, next) : 1;
    if (csv->doubled)
        undouble(csv);
    csv->at = next;
    *fields = csv->fields;
    *count = csv->count;
    return CSV_ROW;
}
