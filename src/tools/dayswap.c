#include "tools/dayswap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int sync_temp(const struct seriesdir *series, const char *column, int32_t day)
{
    char file[SERIESDIR_FILE];

    seriesdir_temp(column, day, file);
    /* The writer's descriptor is closed, but Linux tells the first who asks of a lost write. */
    int fd = openat(seriesdir_fd(series), file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return seriesdir_complain(series, file);
    int rc = seriesdir_sync_file(series, fd, file);
    close(fd);
    return rc;
}

/* Remove a column of the day; it need not be there. */
static int drop(const struct seriesdir *series, const char *column, int32_t day)
{
    char file[NAME_FILE];

    name_file(slice_of(column), day, file);
    if (unlinkat(seriesdir_fd(series), file, 0) == 0 || errno == ENOENT)
        return 0;
    return seriesdir_complain(series, file);
}

static int move_in(const struct seriesdir *series, const char *column, int32_t day)
{
    char temp[SERIESDIR_FILE], file[NAME_FILE];
    int fd = seriesdir_fd(series);

    seriesdir_temp(column, day, temp);
    name_file(slice_of(column), day, file);
    if (renameat(fd, temp, fd, file) == 0)
        return 0;
    return seriesdir_complain(series, file);
}

int dayswap_run(const struct seriesdir *series, const struct columns *columns, int32_t day)
{
    const char *time = columns->at[COLUMNS_TIME].name, *old;

    for (size_t i = 0; i < columns->count; i++) {
        if (sync_temp(series, columns->at[i].name, day))
            return -1;
    }
    if (drop(series, time, day) || seriesdir_sync(series))
        return -1;

    for (size_t i = 0; (old = seriesdir_column(series, i)) != NULL; i++) {
        if (!columns_has(columns, slice_of(old)) && drop(series, old, day))
            return -1;
    }
    for (size_t i = COLUMNS_TIME + 1; i < columns->count; i++) {
        if (move_in(series, columns->at[i].name, day))
            return -1;
    }
    if (seriesdir_sync(series) || move_in(series, time, day))
        return -1;
    return seriesdir_sync(series);
}
