#include "tools/daysort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)

static size_t digit(uint64_t ns, unsigned shift)
{
    return (ns >> shift) & (DIGITS - 1);
}

/* One pass of a radix sort: from ${from} to ${to} by the digit at ${shift}. */
static void scatter(const struct daysort_key *from, struct daysort_key *to, uint64_t count,
                    unsigned shift, uint64_t starts[DIGITS])
{
    uint64_t sum = 0;

    for (size_t i = 0; i < DIGITS; i++) {
        uint64_t n = starts[i];

        starts[i] = sum;
        sum += n;
    }
    for (uint64_t i = 0; i < count; i++)
        to[starts[digit(from[i].ns, shift)]++] = from[i];
}

struct daysort_key *daysort_keys(struct daysort_key *keys, struct daysort_key *scratch,
                                 uint64_t count)
{
    uint64_t counts[DIGITS];

    for (unsigned shift = 0; shift < 64 && count > 0; shift += DIGIT_BITS) {
        memset(counts, 0, sizeof(counts));
        for (uint64_t i = 0; i < count; i++)
            counts[digit(keys[i].ns, shift)]++;
        /* All alike: within a day, that is so for the upper bits. */
        if (counts[digit(keys[0].ns, shift)] == count)
            continue;
        scatter(keys, scratch, count, shift, counts);

        struct daysort_key *swap = keys;
        keys = scratch;
        scratch = swap;
    }
    return keys;
}

/* Read or write ${len} bytes at the beginning of ${fd}, all of them. */
static int transfer(int fd, char *at, size_t len, bool in)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = in ? pread(fd, at + done, len - done, (off_t)done)
                       : pwrite(fd, at + done, len - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* somebody cut the file */
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

/* The temporary file of a column, all of its ${rows} records; NULL after a message. */
static char *load(const struct seriesdir *series, const struct column *column, int32_t day,
                  uint64_t rows, int *fd)
{
    char file[SERIESDIR_FILE];
    size_t len = rows * column->type.size;
    char *records = malloc(len);

    seriesdir_temp(column->name, day, file);
    *fd = openat(seriesdir_fd(series), file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (records == NULL || *fd < 0 || transfer(*fd, records, len, true)) {
        log_error("%s/%s: cannot sort: %m", seriesdir_path(series), file);
        if (*fd >= 0)
            close(*fd);
        free(records);
        return NULL;
    }
    return records;
}

/* Fill ${keys} from the columns `time` and `nanos`. */
static int read_keys(const struct seriesdir *series, const struct columns *columns, int32_t day,
                     struct daysort_key *keys, uint64_t rows)
{
    int fds[2] = { -1, -1 };
    char *time = load(series, &columns->at[COLUMNS_TIME], day, rows, &fds[0]);
    char *nanos =
        time == NULL ? NULL : load(series, &columns->at[COLUMNS_NANOS], day, rows, &fds[1]);
    char row[8];

    for (uint64_t i = 0; nanos != NULL && i < rows; i++) {
        memcpy(row, time + i * 4, 4);
        memcpy(row + 4, nanos + i * 4, 4);
        keys[i] = (struct daysort_key){ columns_get_time(row), i };
    }
    if (time != NULL)
        close(fds[0]);
    if (nanos != NULL)
        close(fds[1]);
    int rc = nanos == NULL ? -1 : 0;
    free(time);
    free(nanos);
    return rc;
}

/* Rewrite the file of one column in the order of ${keys}. */
static int reorder(const struct seriesdir *series, const struct column *column, int32_t day,
                   const struct daysort_key *keys, uint64_t rows)
{
    size_t size = column->type.size;
    int fd, rc = -1;
    char *from = load(series, column, day, rows, &fd);

    if (from == NULL)
        return -1;
    char *to = malloc(rows * size);
    if (to == NULL)
        goto out;
    for (uint64_t i = 0; i < rows; i++)
        memcpy(to + i * size, from + keys[i].row * size, size);
    rc = transfer(fd, to, rows * size, false);

out:
    if (rc)
        log_error("%s: cannot sort %s: %m", seriesdir_path(series), column->name);
    free(to);
    free(from);
    close(fd);
    return rc;
}

int daysort_run(const struct seriesdir *series, const struct columns *columns, int32_t day,
                uint64_t rows)
{
    struct daysort_key *keys = calloc(rows, sizeof(*keys));
    struct daysort_key *scratch = calloc(rows, sizeof(*scratch));
    int rc = -1;

    if (keys == NULL || scratch == NULL) {
        log_error("%s: cannot sort %llu rows: %m", seriesdir_path(series),
                  (unsigned long long)rows);
        goto out;
    }
    if (read_keys(series, columns, day, keys, rows))
        goto out;
    const struct daysort_key *sorted = daysort_keys(keys, scratch, rows);
    rc = 0;
    for (size_t i = 0; rc == 0 && i < columns->count; i++)
        rc = reorder(series, &columns->at[i], day, sorted, rows);

out:
    free(keys);
    free(scratch);
    return rc;
}
