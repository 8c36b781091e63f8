#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"

#define PAGE 4096

/* Two pages that map a file of one. */
static char *half_mapped(void)
{
    char name[] = "/tmp/check_guard.XXXXXX";
    int fd = mkstemp(name);

    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(ftruncate(fd, 2L * PAGE), 0);
    char *at = mmap(NULL, (size_t)2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    ck_assert_int_eq(ftruncate(fd, PAGE), 0);
    close(fd);
    return at;
}

struct job {
    const char *at;
    int before, after, sum, inner;
};

static void touch(void *arg)
{
    struct job *job = arg;

    job->before++;
    job->sum += *(const volatile char *)job->at;
    job->after++;
}

START_TEST(guard_catches_what_is_cut_off)
{
    char *at = half_mapped();
    struct job good = { .at = at }, bad = { .at = at + PAGE };

    ck_assert_int_eq(guard_install(), 0);
    /* Again and again: neither the mask nor the handler wears off. */
    for (int i = 1; i <= 1000; i++) {
        ck_assert_int_eq(guard_run(touch, &good), 0);
        ck_assert_int_eq(guard_run(touch, &bad), -1);
        ck_assert_int_eq(good.after, i);
        ck_assert_int_eq(bad.before, i);
        ck_assert_int_eq(bad.after, 0);
    }
}
END_TEST

static void nest(void *arg)
{
    struct job *job = arg, good = { .at = job->at - PAGE };

    job->inner = guard_run(touch, job);
    ck_assert_int_eq(guard_run(touch, &good), 0);
    job->before += 10;
    touch(job); /* falls to the outer guard */
    job->after += 100;
}

START_TEST(guard_nests)
{
    struct job job = { .at = half_mapped() + PAGE };

    ck_assert_int_eq(guard_install(), 0);
    ck_assert_int_eq(guard_run(nest, &job), -1);
    ck_assert_int_eq(job.inner, -1);
    ck_assert_int_eq(job.before, 12);
    ck_assert_int_eq(job.after, 0);
}
END_TEST

static void *fall_often(void *arg)
{
    struct job bad = { .at = (const char *)arg + PAGE }, good = { .at = arg };

    for (int i = 0; i < 2000; i++) {
        if (guard_run(touch, &bad) != -1 || guard_run(touch, &good) != 0)
            return NULL;
    }
    return bad.after == 0 && good.after == 2000 ? arg : NULL;
}

START_TEST(guard_is_each_threads_own)
{
    pthread_t threads[4];
    char *at = half_mapped();

    ck_assert_int_eq(guard_install(), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fall_often, at), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *result;

        pthread_join(threads[i], &result);
        ck_assert_ptr_eq(result, at);
    }
}
END_TEST

/* How a child ends that does ${work}. */
static int end_of_child(void (*work)(void *), void *arg)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit no_core = { 0, 0 };

        setrlimit(RLIMIT_CORE, &no_core);
        guard_install();
        work(arg);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void fall_outside(void *arg)
{
    struct job bad = { .at = arg };

    guard_run(touch, &bad); /* caught */
    touch(&bad);            /* not */
}

/* A fault of our own must not be taken for one of a file. */
START_TEST(guard_lets_die_what_is_outside)
{
    int status = end_of_child(fall_outside, half_mapped() + PAGE);

    ck_assert(WIFSIGNALED(status));
    /* The latter under valgrind. */
    ck_assert(WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV);
}
END_TEST

UNIT("guard", guard_catches_what_is_cut_off, guard_nests, guard_lets_die_what_is_outside,
     guard_is_each_threads_own)
