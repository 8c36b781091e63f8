#include "tools/csv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"

/* How much of the file is read at a time. */
#define INPUT_MAX (256 * 1024)

/* What inflateInit2 wants added to the window's size for gzip. */
#define GZIP_ONLY 16

/*
 * What is read goes to the input, and unpacked to the buffer. zlib's gz* functions would do
 * that too, but pass silently over what follows the gzip data, as if it were no lost rows.
 *
 * The buffer holds what lies between ${at} and ${end}, and one byte more: a line feed at ${end}
 * that stops every search.
 */
struct csv {
    int fd;
    z_stream zip; /* next_in and avail_in: what is left of the input, packed or not */
    unsigned char *input;
    uint64_t bytes_read;
    bool drained;           /* the file has no more to read */
    bool packed, in_member; /* it is gzip; the middle of a member of it */
    bool padded;            /* zeros follow the last member */
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

    if (csv == NULL || (csv->buffer = malloc(CSV_ROW_MAX + 1)) == NULL ||
        (csv->input = malloc(INPUT_MAX)) == NULL)
        goto fail;
    csv->fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (csv->fd < 0)
        goto fail;
    csv->zip.next_in = csv->input;
    csv->name = is_stdin ? "stdin" : path;
    csv->delimiter = delimiter;
    csv->at = csv->end = csv->buffer;
    *csv->end = '\n';
    csv->next_line = 1;
    return csv;

fail:
    log_error("%s: %m", is_stdin ? "stdin" : path);
    if (csv != NULL) {
        free(csv->input);
        free(csv->buffer);
    }
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
    return csv->bytes_read - csv->zip.avail_in;
}

void csv_close(struct csv *csv)
{
    if (csv->packed)
        inflateEnd(&csv->zip);
    close(csv->fd);
    free(csv->input);
    free(csv->fields);
    free(csv->buffer);
    free(csv);
}

/* Read more of the file behind what is left of the input. */
static int read_input(struct csv *csv)
{
    memmove(csv->input, csv->zip.next_in, csv->zip.avail_in);
    ssize_t n = read(csv->fd, csv->input + csv->zip.avail_in, INPUT_MAX - csv->zip.avail_in);
    if (n < 0) {
        log_error("%s: %m", csv->name);
        return -1;
    }
    csv->zip.next_in = csv->input;
    csv->zip.avail_in += (unsigned)n;
    csv->bytes_read += (uint64_t)n;
    csv->drained = n == 0;
    return 0;
}

/* Find out whether the file is packed. */
static int probe(struct csv *csv)
{
    while (csv->zip.avail_in < 2 && !csv->drained) {
        if (read_input(csv))
            return -1;
    }
    if (csv->zip.avail_in < 2 || memcmp(csv->input, "\x1f\x8b", 2) != 0)
        return 0;
    if (inflateInit2(&csv->zip, MAX_WBITS + GZIP_ONLY) != Z_OK) {
        log_error("%s: out of memory", csv->name);
        return -1;
    }
    csv->packed = csv->in_member = true;
    return 0;
}

static void take_plain(struct csv *csv, char *to, size_t room, size_t *taken)
{
    size_t n = csv->zip.avail_in < room - *taken ? csv->zip.avail_in : room - *taken;

    memcpy(to + *taken, csv->zip.next_in, n);
    csv->zip.next_in += n;
    csv->zip.avail_in -= (unsigned)n;
    *taken += n;
}

/* Between two members of a gzip file: begin the next, or pass over a zero of a tape's padding.
 */
static int next_member(struct csv *csv)
{
    if (*csv->zip.next_in == 0) {
        csv->padded = true;
        csv->zip.next_in++;
        csv->zip.avail_in--;
        return 0;
    }
    if (csv->padded || *csv->zip.next_in != 0x1f) {
        log_error("%s: the gzip data ends at byte %llu, and something else follows", csv->name,
                  (unsigned long long)csv_position(csv));
        return -1;
    }
    inflateReset(&csv->zip);
    csv->in_member = true;
    return 0;
}

static int take_packed(struct csv *csv, char *to, size_t room, size_t *taken)
{
    if (!csv->in_member)
        return next_member(csv);
    csv->zip.next_out = (unsigned char *)to + *taken;
    csv->zip.avail_out = (unsigned)(room - *taken);
    int code = inflate(&csv->zip, Z_NO_FLUSH);
    *taken = room - csv->zip.avail_out;
    if (code == Z_OK)
        return 0;
    if (code == Z_STREAM_END) {
        csv->in_member = false;
        return 0;
    }
    log_error("%s: damaged gzip data (%s)", csv->name,
              csv->zip.msg == NULL ? zError(code) : csv->zip.msg);
    return -1;
}

/* Read, and unpack, ${room} bytes to ${to}: fewer only where the file ends. */
static int take(struct csv *csv, char *to, size_t room, size_t *taken)
{
    for (*taken = 0; *taken < room;) {
        if (csv->zip.avail_in == 0 && !csv->drained && read_input(csv))
            return -1;
        if (csv->zip.avail_in == 0)
            break;
        if (!csv->packed)
            take_plain(csv, to, room, taken);
        else if (take_packed(csv, to, room, taken))
            return -1;
    }
    if (*taken < room && csv->in_member) {
        log_error("%s: the gzip data ends too early; is the file complete?", csv->name);
        return -1;
    }
    csv->ended = *taken < room;
    return 0;
}

/* Read as much as fits behind what is there, which moves to the front. */
static int refill(struct csv *csv)
{
    size_t kept = (size_t)(csv->end - csv->at), n;

    if (!csv->started && probe(csv))
        return -1;
    memmove(csv->buffer, csv->at, kept);
    if (take(csv, csv->buffer + kept, CSV_ROW_MAX - kept, &n))
        return -1;
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
