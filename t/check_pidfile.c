#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "process/pidfile.h"

static char problem[512];

static const char *path_of(const char *name)
{
    static char paths[2][4096];
    static int next;

    next = !next;
    snprintf(paths[next], sizeof(paths[next]), "%s/%s", files_root(), name);
    return paths[next];
}

static pid_t content(const char *path)
{
    FILE *file = fopen(path, "r");
    int pid;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
    fclose(file);
    return pid;
}

static pid_t owner_of(const char *path)
{
    pid_t owner;

    ck_assert_int_eq(pidfile_owner(path, &owner), 0);
    return owner;
}

/* A process that holds the file, and has a child that outlives it: until ${life} is closed. */
static pid_t hold(const char *path, int *life)
{
    int ready[2], alive[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(alive), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct pidfile *pidfile = pidfile_lock(path, problem, sizeof(problem));

        close(alive[1]);
        if (pidfile == NULL || pidfile_write(pidfile))
            _exit(1);
        if (fork() != 0 && write(ready[1], "R", 1) != 1)
            _exit(1);
        close(ready[1]);
        _exit(read(alive[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ready[1]);
    close(alive[0]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *life = alive[1];
    return pid;
}

START_TEST(pidfile_comes_and_goes)
{
    const char *path = path_of("pid");
    struct stat file;
    struct pidfile *pidfile = pidfile_lock(path, problem, sizeof(problem));

    ck_assert_ptr_nonnull(pidfile);
    ck_assert_int_eq(pidfile_write(pidfile), 0);
    ck_assert_int_eq(content(path), getpid());
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 022, 0);
    pidfile_remove(pidfile);
    ck_assert_int_eq(stat(path, &file), -1);
    ck_assert_int_eq(owner_of(path), 0);
    pidfile_remove(NULL);
}
END_TEST

START_TEST(pidfile_is_one_processs)
{
    const char *path = path_of("pid");
    char expected[4200];
    int life, status;
    pid_t holder = hold(path, &life);

    ck_assert_int_eq(owner_of(path), holder);
    ck_assert_int_eq(content(path), holder);
    ck_assert_ptr_null(pidfile_lock(path, problem, sizeof(problem)));
    snprintf(expected, sizeof(expected), "tickd is already running as process %d (pid file %s)",
             (int)holder, path);
    ck_assert_str_eq(problem, expected);
    ck_assert_int_eq(content(path), holder);

    /* Its child lives on, and holds nothing. */
    kill(holder, SIGKILL);
    ck_assert_int_eq(waitpid(holder, &status, 0), holder);
    ck_assert_int_eq(owner_of(path), 0);
    ck_assert_int_eq(content(path), holder);
    struct pidfile *pidfile = pidfile_lock(path, problem, sizeof(problem));
    ck_assert_msg(pidfile != NULL, "%s", problem);
    ck_assert_int_eq(pidfile_write(pidfile), 0);
    ck_assert_int_eq(content(path), getpid());
    pidfile_remove(pidfile);
    close(life);
}
END_TEST

START_TEST(pidfile_takes_what_is_stale)
{
    static const char old[] = "999999999 and something longer than our own number\n";
    struct stat file;

    files_write("pid", old, strlen(old));
    const char *path = path_of("pid");
    struct pidfile *pidfile = pidfile_lock(path, problem, sizeof(problem));
    ck_assert_ptr_nonnull(pidfile);
    ck_assert_int_eq(pidfile_write(pidfile), 0);
    ck_assert_int_eq(content(path), getpid());
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_int_lt(file.st_size, 12);
    pidfile_remove(pidfile);
}
END_TEST

START_TEST(pidfile_leaves_that_of_others)
{
    const char *path = path_of("pid");
    struct pidfile *pidfile = pidfile_lock(path, problem, sizeof(problem));

    ck_assert_ptr_nonnull(pidfile);
    ck_assert_int_eq(pidfile_write(pidfile), 0);
    files_write("pid", "77\n", 3); /* renamed into its place */
    pidfile_remove(pidfile);
    ck_assert_int_eq(content(path), 77);
}
END_TEST

START_TEST(pidfile_moves)
{
    const char *path = path_of("pid"), *moved = path_of("pid.old");
    struct pidfile *first = pidfile_lock(path, problem, sizeof(problem)), *second;
    struct stat file;

    ck_assert_ptr_nonnull(first);
    ck_assert_int_eq(pidfile_write(first), 0);
    ck_assert_int_eq(pidfile_move(first, moved), 0);
    ck_assert_int_eq(stat(path, &file), -1);
    second = pidfile_lock(path, problem, sizeof(problem));
    ck_assert_ptr_nonnull(second);
    ck_assert_int_eq(pidfile_move(second, path_of("no/such/place")), -1);
    ck_assert_int_eq(errno, ENOENT);
    pidfile_remove(first);
    ck_assert_int_eq(stat(path_of("pid.old"), &file), -1);
    ck_assert_int_eq(stat(path_of("pid"), &file), 0);
    pidfile_remove(second);
    ck_assert_int_eq(stat(path_of("pid"), &file), -1);
}
END_TEST

START_TEST(pidfile_says_why_not)
{
    pid_t owner;

    ck_assert_ptr_null(pidfile_lock("/nowhere/at/all", problem, sizeof(problem)));
    ck_assert_str_eq(problem,
                     "cannot use the pid file /nowhere/at/all: No such file or directory");
    ck_assert_ptr_null(pidfile_lock(files_root(), problem, sizeof(problem)));
    ck_assert_ptr_nonnull(strstr(problem, "Is a directory"));
    files_link("elsewhere", "link");
    ck_assert_ptr_null(pidfile_lock(path_of("link"), problem, sizeof(problem)));
    ck_assert_ptr_nonnull(strstr(problem, "cannot use the pid file"));
    ck_assert_int_eq(pidfile_owner("/nowhere/at/all", &owner), 0);
    ck_assert_int_eq(owner, 0);
    ck_assert_int_eq(pidfile_owner(files_root(), &owner), -1);
}
END_TEST

/* A pipe, as any device, is left where it is. */
START_TEST(pidfile_is_a_regular_file)
{
    const char *path = path_of("pipe");
    struct stat file;

    ck_assert_int_eq(mkfifo(path, 0644), 0);
    ck_assert_ptr_null(pidfile_lock(path, problem, sizeof(problem)));
    ck_assert_ptr_nonnull(strstr(problem, "not a regular file"));
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert(S_ISFIFO(file.st_mode));
}
END_TEST

UNIT("pidfile", pidfile_comes_and_goes, pidfile_is_one_processs, pidfile_takes_what_is_stale,
     pidfile_leaves_that_of_others, pidfile_moves, pidfile_says_why_not,
     pidfile_is_a_regular_file)
