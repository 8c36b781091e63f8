#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"
#include "store/root.h"

/* A kernel without openat2, where wanted: this function stands before the C library's. */
static bool old_kernel;

long syscall(long number, ...)
{
    static long (*real)(long number, ...);
    long args[4];
    va_list list;

    if (number == SYS_openat2 && old_kernel) {
        errno = ENOSYS;
        return -1;
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    va_start(list, number);
    for (size_t i = 0; i < COUNT_OF(args); i++)
        args[i] = va_arg(list, long);
    va_end(list);
    return real(number, args[0], args[1], args[2], args[3]);
}

/* Open ${path} and read it: what it holds, or the errno as a negative number. */
static int try(const struct root *root, const char *path)
{
    char byte = '0';
    int fd = root_open(root, path, O_RDONLY);

    if (fd < 0)
        return -errno;
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    close(fd);
    return byte - '0';
}

static struct root *begin(bool old)
{
    static char inside[300];

    old_kernel = old;
    files_fresh();
    files_write("in/a/file", "1", 1);
    files_write("in/b/other", "2", 1);
    files_write("out/secret", "9", 1);
    snprintf(inside, sizeof(inside), "%s/in", files_root());
    return root_new(inside);
}

START_TEST(root_opens_beneath)
{
    for (int old = 0; old < 2; old++) {
        struct root *root = begin(old);
        char name[300];

        ck_assert(root_present(root));
        ck_assert_int_eq(try(root, "a/file"), 1);
        ck_assert_int_eq(try(root, "b/other"), 2);
        ck_assert_int_eq(try(root, "a/none"), -ENOENT);
        ck_assert_int_eq(try(root, "none/file"), -ENOENT);
        ck_assert_int_eq(try(root, "a/file/x"), -ENOTDIR);
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        ck_assert_int_eq(try(root, name), -ENAMETOOLONG);

        int fd = root_open(root, "a", O_RDONLY | O_DIRECTORY);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert_int_eq(root_open(root, "a/file", O_RDONLY | O_DIRECTORY), -1);
        ck_assert_int_eq(errno, ENOTDIR);
        root_free(root);
    }
    root_free(NULL);
}
END_TEST

START_TEST(root_lets_nothing_lead_out)
{
    for (int old = 0; old < 2; old++) {
        struct root *root = begin(old);
        char path[300];

        snprintf(path, sizeof(path), "%s/out", files_root());
        files_link(path, "in/absolute");
        files_link("../out", "in/relative");
        files_link("../../out/secret", "in/a/link");
        files_link("/etc/passwd", "in/a/passwd");
        static const char *const paths[] = { "absolute/secret", "relative/secret", "a/link",
                                             "a/passwd" };
        for (size_t i = 0; i < COUNT_OF(paths); i++) {
            int error = -try(root, paths[i]);

            ck_assert_msg(error == EXDEV || error == ELOOP ||
                              (!files_openat2() && error == ENOTDIR),
                          "%s: %d", paths[i], error);
        }
        strcat(path, "/secret");
        ck_assert_int_lt(try(root, path), 0);
        ck_assert_int_lt(try(root, "/etc/passwd"), 0);
        ck_assert_int_eq(try(root, "../out/secret"), -EXDEV);
        ck_assert_int_eq(try(root, "a/../../out/secret"), -EXDEV);
        root_free(root);
    }
}
END_TEST

/* Links that stay inside are followed where the kernel can tell. */
START_TEST(root_follows_links_inside)
{
    for (int old = 0; old < 2; old++) {
        struct root *root = begin(old);

        files_link("a", "in/linked");
        files_link("../b/other", "in/a/linked");
        if (!files_openat2()) {
            ck_assert_int_lt(try(root, "linked/file"), 0);
            ck_assert_int_eq(try(root, "a/linked"), -ELOOP);
        } else {
            ck_assert_int_eq(try(root, "linked/file"), 1);
            ck_assert_int_eq(try(root, "a/linked"), 2);
        }
        root_free(root);
    }
}
END_TEST

/* A disk that is mounted, changed, and taken away. */
START_TEST(root_notices_another)
{
    for (int old = 0; old < 2; old++) {
        struct root *root = begin(old);

        ck_assert(!root_refresh(root));
        files_write("in/new", "3", 1);
        ck_assert(!root_refresh(root)); /* the same, with something else in it */
        files_rename("in", "away");
        ck_assert_int_eq(try(root, "a/file"), 1); /* until somebody looks */
        ck_assert(root_refresh(root));
        ck_assert(!root_present(root));
        ck_assert_int_eq(try(root, "a/file"), -ENOENT);
        ck_assert(!root_refresh(root)); /* known to be gone */

        files_write("in/a/file", "4", 1);
        ck_assert_int_eq(try(root, "a/file"), -ENOENT);
        ck_assert(root_refresh(root));
        ck_assert(root_present(root));
        ck_assert_int_eq(try(root, "a/file"), 4);

        files_rename("in", "away2");
        files_rename("away", "in");
        ck_assert(root_refresh(root));
        ck_assert_int_eq(try(root, "a/file"), 1);

        files_rename("in", "away");
        files_write("in", "no directory", 12);
        ck_assert(root_refresh(root));
        ck_assert(!root_present(root));
        root_free(root);
    }
}
END_TEST

START_TEST(root_is_not_an_empty_directory)
{
    char path[300];

    old_kernel = false;
    files_fresh();
    files_folder("data");
    snprintf(path, sizeof(path), "%s/data", files_root());
    struct root *root = root_new(path);
    ck_assert(!root_present(root));
    files_write("data/.hidden", "", 0);
    ck_assert(!root_present(root));
    files_folder("data/ex");
    ck_assert(root_present(root));
    root_free(root);

    snprintf(path, sizeof(path), "%s/none", files_root());
    root = root_new(path);
    ck_assert_ptr_nonnull(root);
    ck_assert(!root_present(root));
    ck_assert_int_eq(try(root, "a"), -ENOENT);
    root_free(root);
}
END_TEST

/* A root that is found when hardly a file may be opened follows links as any other does. */
START_TEST(root_follows_links_after_a_shortage)
{
    struct rlimit before, few;
    struct root *root;

    files_fresh();
    files_write("there/file", "1", 1);
    files_link("there", "link");
    root = root_new(files_root());
    int fd = root_open(root, "link/file", O_RDONLY);
    root_free(root);
    if (fd < 0)
        return; /* there is no openat2 here, or a tool does not know it */

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)fd + 1; /* a new root takes the place of the one above */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    root = root_new(files_root());
    ck_assert_int_eq(root_open(root, "there", O_PATH), -1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
    fd = root_open(root, "link/file", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    close(fd);
    root_free(root);
}
END_TEST

UNIT("root", root_opens_beneath, root_lets_nothing_lead_out, root_follows_links_inside,
     root_notices_another, root_is_not_an_empty_directory, root_follows_links_after_a_shortage)
