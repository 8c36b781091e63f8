#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "store/dayfile.h"

static struct root *root;

static struct dayfile *open_mapped(const char *path, bool growing)
{
    struct dayfile *file = dayfile_open(root, path);

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(dayfile_map(file, growing), 0);
    return file;
}

static enum dayfile_change compare(struct dayfile *file, const char *path)
{
    char full[300];
    struct stat found;

    snprintf(full, sizeof(full), "%s/%s", files_root(), path);
    ck_assert_int_eq(stat(full, &found), 0);
    return dayfile_compare(file, &found);
}

static void begin(void)
{
    files_fresh();
    root = root_new(files_root());
    files_write("f", "12345678", 8);
}

START_TEST(dayfile_opens_files_only)
{
    begin();
    struct dayfile *file = open_mapped("f", false);
    ck_assert_uint_eq(file->state.size, 8);
    ck_assert(memcmp(file->at, "12345678", 8) == 0);
    ck_assert_int_eq(file->state.mtime, (FILES_WALL - 3600) * 1000000000);
    ck_assert(dayfile_holds(file, 8));
    ck_assert(!dayfile_holds(file, 9));
    dayfile_close(file);

    ck_assert_ptr_null(dayfile_open(root, "none"));
    ck_assert_int_eq(errno, ENOENT);
    files_folder("folder");
    ck_assert_ptr_null(dayfile_open(root, "folder"));
    ck_assert_int_eq(errno, EINVAL);
    char fifo[300];
    snprintf(fifo, sizeof(fifo), "%s/fifo", files_root());
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_ptr_null(dayfile_open(root, "fifo")); /* and does not wait for a writer */
    ck_assert_int_eq(errno, EINVAL);
    dayfile_close(NULL);

    files_write("empty", "", 0);
    file = open_mapped("empty", false);
    ck_assert_uint_eq(file->state.size, 0);
    ck_assert_ptr_null(file->at);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_SAME);
    dayfile_close(file);
    root_free(root);
}
END_TEST

START_TEST(dayfile_notices_change)
{
    begin();
    struct dayfile *file = open_mapped("f", true);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_SAME);
    ck_assert_int_eq(compare(file, "f"), DAYFILE_SAME);
    files_append("f", "9abc", 4);
    ck_assert_int_eq(compare(file, "f"), DAYFILE_GROWN);
    ck_assert_uint_eq(file->state.size, 12);
    ck_assert_int_eq(file->state.mtime, FILES_WALL * 1000000000);
    ck_assert(memcmp(file->at, "123456789abc", 12) == 0); /* in the mapping there was */
    ck_assert_int_eq(dayfile_look(file), DAYFILE_SAME);

    files_truncate("f", 11);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_OTHER);
    ck_assert(!dayfile_holds(file, 12));
    ck_assert(dayfile_holds(file, 11));
    dayfile_close(file);

    /* Written again at the same size. */
    file = open_mapped("f", true);
    files_touch("f", FILES_WALL + 5);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_OTHER);
    dayfile_close(file);

    /* Another file of the same size and time under its name; and none at all. */
    file = open_mapped("f", false);
    files_write("g", "123456789ab", 11);
    files_touch("g", FILES_WALL + 5);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_SAME);
    files_rename("g", "f");
    ck_assert_int_eq(compare(file, "f"), DAYFILE_OTHER);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_OTHER); /* has no name any more */
    ck_assert(memcmp(file->at, "123456789ab", 11) == 0);
    dayfile_close(file);
    root_free(root);
}
END_TEST

/* One that was not expected to grow has no room for it. */
START_TEST(dayfile_outgrows_its_mapping)
{
    begin();
    struct dayfile *file = open_mapped("f", false);
    files_append("f", "9", 1);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_OTHER);
    dayfile_close(file);

    files_write("empty", "", 0);
    file = open_mapped("empty", true);
    ck_assert_ptr_nonnull(file->at);
    files_append("empty", "abc", 3);
    ck_assert_int_eq(dayfile_look(file), DAYFILE_GROWN);
    ck_assert(memcmp(file->at, "abc", 3) == 0);
    dayfile_close(file);
    root_free(root);
}
END_TEST

UNIT("dayfile", dayfile_opens_files_only, dayfile_notices_change, dayfile_outgrows_its_mapping)
