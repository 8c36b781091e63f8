#include "tools/dayappend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/date.h"
#include "base/log.h"

#define BLOCK_BYTES (1024 * 1024)

/* From here on, a column of exactly twice or four times the bytes is no accident. */
#define ROWS_TELLING 1000

/* The size of the file that ${column} has on ${day}; -1 with errno. */
static int size_of(const struct seriesdir *series, const char *column, int32_t day,
                   uint64_t *size)
{
    char file[NAME_FILE];
    struct stat st;

    name_file(slice_of(column), day, file);
    if (fstatat(seriesdir_fd(series), file, &st, AT_SYMLINK_NOFOLLOW))
        return -1;
    *size = (uint64_t)st.st_size;
    return 0;
}

/* Whether a run on ${day} was killed before it could remove this temporary file. */
static bool was_killed(const struct seriesdir *series, const char *column, int32_t day)
{
    char file[SERIESDIR_FILE];

    return faccessat(seriesdir_fd(series), seriesdir_temp(column, day, file), F_OK, 0) == 0;
}

/* Cutting a column that has another type than the map says would destroy it. */
static bool has_other_type(uint64_t size, uint64_t rows, unsigned record)
{
    static const unsigned sizes[] = { 2, 4, 8, 16 };

    for (size_t i = 0; rows >= ROWS_TELLING && i < sizeof(sizes) / sizeof(*sizes); i++) {
        if (sizes[i] > record && size == rows * sizes[i])
            return true;
    }
    return false;
}

static int check_column(const struct seriesdir *series, const struct column *column,
                        int32_t day, uint64_t rows)
{
    char iso[11], type[COLTYPE_NAME];
    uint64_t size;

    if (size_of(series, column->name, day, &size)) {
        if (errno == ENOENT && rows == 0)
            return 0;
        log_error("%s: cannot append to %s: its column %s: %m", seriesdir_path(series),
                  date_iso(day, iso), column->name);
        return -1;
    }
    bool other =
        has_other_type(size, rows, column->type.size) && !was_killed(series, column->name, day);
    if (size >= rows * column->type.size && !other)
        return 0;
    log_error("%s: cannot append to %s: its column %s has %llu bytes for %llu row%s; is it %s?",
              seriesdir_path(series), date_iso(day, iso), column->name,
              (unsigned long long)size, (unsigned long long)rows, rows == 1 ? "" : "s",
              coltype_name(column->type, type));
    return -1;
}

/* A column that the map lacks would end before the others. */
static int check_others(const struct seriesdir *series, const struct columns *columns,
                        int32_t day)
{
    const char *name;
    uint64_t size;
    char iso[11];

    for (size_t i = 0; (name = seriesdir_column(series, i)) != NULL; i++) {
        if (columns_has(columns, slice_of(name)) || size_of(series, name, day, &size))
            continue;
        log_error("%s: cannot append to %s: it has a column %s, and the map does not",
                  seriesdir_path(series), date_iso(day, iso), name);
        return -1;
    }
    return 0;
}

/* Read the ${i}th record of `time` or `nanos`. */
static int read_u32(const struct seriesdir *series, const char *column, int32_t day, uint64_t i,
                    char *record)
{
    char file[NAME_FILE];

    name_file(slice_of(column), day, file);
    int fd = openat(seriesdir_fd(series), file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return seriesdir_complain(series, file);
    ssize_t n = pread(fd, record, 4, (off_t)(i * 4));
    if (n >= 0 && n < 4)
        errno = EIO;
    int rc = n == 4 ? 0 : seriesdir_complain(series, file);
    close(fd);
    return rc;
}

int dayappend_check(const struct seriesdir *series, const struct columns *columns, int32_t day,
                    struct dayappend_end *end)
{
    uint64_t size;
    char row[8];

    if (size_of(series, "time", day, &size))
        return seriesdir_complain(series, "time");
    end->rows = size / 4;
    end->ns = 0;
    for (size_t i = COLUMNS_NANOS; i < columns->count; i++) {
        if (check_column(series, &columns->at[i], day, end->rows))
            return -1;
    }
    if (check_others(series, columns, day))
        return -1;
    if (end->rows == 0)
        return 0;
    if (read_u32(series, "time", day, end->rows - 1, row) ||
        read_u32(series, "nanos", day, end->rows - 1, row + 4))
        return -1;
    end->ns = columns_get_time(row);
    return 0;
}

/* Copy all of ${from} to the end of ${to}. */
static int copy(int from, int to)
{
    char *block = malloc(BLOCK_BYTES);
    ssize_t got = 0, put = 0;

    while (block != NULL && (got = read(from, block, BLOCK_BYTES)) > 0) {
        for (ssize_t at = 0; at < got; at += put) {
            put = write(to, block + at, (size_t)(got - at));
            if (put < 0 && errno == EINTR)
                put = 0;
            if (put < 0)
                goto out;
        }
    }
out:
    free(block);
    return block == NULL || got < 0 || put < 0 ? -1 : 0;
}

/* Cut the column ${fd} to its ${rows} records and append the temporary file. */
static int grow(const struct seriesdir *series, const struct column *column, int32_t day,
                uint64_t rows, int fd, const char *file)
{
    char temp[SERIESDIR_FILE];
    off_t end = (off_t)(rows * column->type.size);

    seriesdir_temp(column->name, day, temp);
    int from = openat(seriesdir_fd(series), temp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return seriesdir_complain(series, temp);
    int rc = 0;
    if (ftruncate(fd, end) || lseek(fd, end, SEEK_SET) < 0 || copy(from, fd))
        rc = seriesdir_complain(series, file);
    else
        rc = seriesdir_sync_file(series, fd, file);
    /* No half of it may stay. */
    if (rc && ftruncate(fd, end))
        seriesdir_complain(series, file);
    close(from);
    return rc;
}

static int append_column(const struct seriesdir *series, const struct column *column,
                         int32_t day, uint64_t rows)
{
    char file[NAME_FILE];

    name_file(slice_of(column->name), day, file);
    int fd =
        openat(seriesdir_fd(series), file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return seriesdir_complain(series, file);
    int rc = grow(series, column, day, rows, fd, file);
    if (close(fd) && rc == 0)
        rc = seriesdir_complain(series, file);
    return rc;
}

static void cut_column(const struct seriesdir *series, const struct column *column, int32_t day,
                       uint64_t rows)
{
    char file[NAME_FILE];

    name_file(slice_of(column->name), day, file);
    int fd = openat(seriesdir_fd(series), file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || ftruncate(fd, (off_t)(rows * column->type.size)))
        seriesdir_complain(series, file);
    if (fd >= 0)
        close(fd);
}

int dayappend_run(const struct seriesdir *series, const struct columns *columns, int32_t day,
                  uint64_t rows)
{
    const struct column *at = columns->at;
    size_t done = COLUMNS_TIME + 1;

    for (; done < columns->count; done++) {
        if (append_column(series, &at[done], day, rows))
            goto undo;
    }
    if (seriesdir_sync(series) || append_column(series, &at[COLUMNS_TIME], day, rows))
        goto undo;
    return 0;

undo:
    while (done-- > COLUMNS_TIME + 1)
        cut_column(series, &at[done], day, rows);
    return -1;
}
