#include "tools/daywriter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "tools/daysort.h"

#define BLOCK_BYTES (512 * 1024)
#define BLOCK_ROWS 16384

/*
 * The block in memory holds ${room} rows, column after column: the records of a column begin at
 * room times its offset in a row.
 */
struct daywriter {
    const struct seriesdir *series;
    const struct columns *columns;
    int32_t day;
    bool created; /* the temporary files are there, and ours */
    bool sorted;  /* no row so far was earlier than the one before it */
    uint64_t last;
    uint64_t rows;
    size_t used, room; /* rows in the block; room for */
    char *block;       /* NULL while parked */
};

struct daywriter *daywriter_new(const struct seriesdir *series, const struct columns *columns,
                                int32_t day)
{
    struct daywriter *writer = calloc(1, sizeof(*writer));

    if (writer == NULL) {
        log_error("%m");
        return NULL;
    }
    writer->series = series;
    writer->columns = columns;
    writer->day = day;
    writer->sorted = true;
    writer->room = BLOCK_BYTES / columns->row_size;
    if (writer->room > BLOCK_ROWS)
        writer->room = BLOCK_ROWS;
    if (writer->room == 0)
        writer->room = 1;
    return writer;
}

int32_t daywriter_day(const struct daywriter *writer)
{
    return writer->day;
}

uint64_t daywriter_rows(const struct daywriter *writer)
{
    return writer->rows;
}

void daywriter_free(struct daywriter *writer)
{
    if (writer != NULL)
        free(writer->block);
    free(writer);
}

static int write_all(int fd, const char *at, size_t left)
{
    while (left > 0) {
        ssize_t n = write(fd, at, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        left -= (size_t)n;
    }
    return 0;
}

static int write_column(const struct daywriter *writer, const struct column *column)
{
    char file[SERIESDIR_FILE];
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    const char *records = writer->block + writer->room * column->offset;

    seriesdir_temp(column->name, writer->day, file);
    flags |= writer->created ? O_APPEND : O_TRUNC;
    int fd = openat(seriesdir_fd(writer->series), file, flags, 0666);
    if (fd < 0)
        goto fail;
    if (write_all(fd, records, writer->used * column->type.size)) {
        close(fd);
        goto fail;
    }
    if (close(fd))
        goto fail;
    return 0;

fail:
    return seriesdir_complain(writer->series, file);
}

static int flush(struct daywriter *writer)
{
    for (size_t i = 0; i < writer->columns->count; i++) {
        if (write_column(writer, &writer->columns->at[i]))
            return -1;
    }
    writer->created = true;
    writer->used = 0;
    return 0;
}

/* Make room for one more row in the block. */
static int make_room(struct daywriter *writer)
{
    if (writer->used == writer->room)
        return flush(writer);
    writer->block = malloc(writer->room * writer->columns->row_size);
    if (writer->block == NULL) {
        log_error("%m");
        return -1;
    }
    return 0;
}

/* Records mostly have 4 or 8 bytes: a move or two, not a call. */
static inline void copy_record(char *to, const char *from, size_t size)
{
    if (size == 4)
        memcpy(to, from, 4);
    else if (size == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, size);
}

int daywriter_put(struct daywriter *writer, uint64_t ns, const char *row)
{
    const struct columns *columns = writer->columns;
    char stamp[8];

    if ((writer->block == NULL || writer->used == writer->room) && make_room(writer))
        return -1;

    char *at = writer->block + writer->used * 4;
    columns_put_time(stamp, ns);
    memcpy(at, stamp, 4);
    memcpy(at + writer->room * 4, stamp + 4, 4);
    for (size_t i = COLUMNS_NANOS + 1; i < columns->count; i++) {
        const struct column *column = &columns->at[i];
        size_t size = column->type.size;

        copy_record(writer->block + writer->room * column->offset + writer->used * size,
                    row + column->offset, size);
    }
    if (ns < writer->last)
        writer->sorted = false;
    writer->last = ns;
    writer->used++;
    writer->rows++;
    return 0;
}

int daywriter_park(struct daywriter *writer)
{
    if (writer->used > 0 && flush(writer))
        return -1;
    free(writer->block);
    writer->block = NULL;
    return 0;
}

int daywriter_finish(struct daywriter *writer)
{
    if (daywriter_park(writer))
        return -1;
    if (writer->sorted)
        return 0;
    if (daysort_run(writer->series, writer->columns, writer->day, writer->rows))
        return -1;
    writer->sorted = true;
    return 0;
}
