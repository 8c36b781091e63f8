#include "system/helper.h"

#include <ck_ring.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Jobs that may be under way. A ring has room for one fewer than its size; threads are sent a
 * NULL each at the end. */
#define RING 1024
#define JOBS_MAX 512

struct helper {
    ck_ring_t todo, ran; /* from and to the loop's thread */
    ck_ring_buffer_t todo_jobs[RING], ran_jobs[RING];
    int work; /* an eventfd: a semaphore of what is in todo */
    int news; /* an eventfd: there is something in ran */
    unsigned under_way;
    unsigned thread_count;
    pthread_t threads[];
};

static void raise_fd(int fd)
{
    uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void lower_fd(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

/*
 * ThreadSanitizer cannot see what the rings order, which is written in assembly. So it is not
 * to look at them, and is told that a job goes from one thread to another: whoever still
 * touches one that is not his is found out.
 */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>

extern void AnnotateIgnoreReadsBegin(const char *file, int line);
extern void AnnotateIgnoreReadsEnd(const char *file, int line);
extern void AnnotateIgnoreWritesBegin(const char *file, int line);
extern void AnnotateIgnoreWritesEnd(const char *file, int line);

static void look_away(void)
{
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

static void look_again(void)
{
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}
#else
#define __tsan_release(job) ((void)(job))
#define __tsan_acquire(job) ((void)(job))
#define look_away() ((void)0)
#define look_again() ((void)0)
#endif

static void put_todo(struct helper *helper, struct helper_job *job)
{
    __tsan_release(job);
    look_away();
    ck_ring_enqueue_spmc(&helper->todo, helper->todo_jobs, job);
    look_again();
}

static struct helper_job *get_todo(struct helper *helper)
{
    struct helper_job *job = NULL;

    look_away();
    ck_ring_dequeue_spmc(&helper->todo, helper->todo_jobs, &job);
    look_again();
    __tsan_acquire(job);
    return job;
}

static void put_ran(struct helper *helper, struct helper_job *job)
{
    __tsan_release(job);
    look_away();
    ck_ring_enqueue_mpsc(&helper->ran, helper->ran_jobs, job);
    look_again();
}

/* NULL: there is none. */
static struct helper_job *get_ran(struct helper *helper)
{
    struct helper_job *job = NULL;

    look_away();
    bool found = ck_ring_dequeue_mpsc(&helper->ran, helper->ran_jobs, &job);
    look_again();
    __tsan_acquire(job);
    return found ? job : NULL;
}

static void *help(void *arg)
{
    struct helper *helper = arg;

    for (;;) {
        lower_fd(helper->work);
        struct helper_job *job = get_todo(helper);
        if (job == NULL)
            return NULL;
        job->run(job);
        put_ran(helper, job);
        raise_fd(helper->news);
    }
}

/* Signals are the loop's business, but for those of a fault. */
static int start_threads(struct helper *helper, unsigned count, const struct cpu_list *cpus)
{
    sigset_t signals, before;
    pthread_attr_t attributes;
    cpu_set_t set;
    int error = 0;

    CPU_ZERO(&set);
    for (size_t i = 0; i < cpus->count; i++)
        CPU_SET((size_t)cpus->cpus[i], &set);
    pthread_attr_init(&attributes);
    if (cpus->count > 0)
        pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
    sigfillset(&signals);
    sigdelset(&signals, SIGBUS);
    sigdelset(&signals, SIGSEGV);
    pthread_sigmask(SIG_SETMASK, &signals, &before);
    while (error == 0 && helper->thread_count < count) {
        error =
            pthread_create(&helper->threads[helper->thread_count], &attributes, help, helper);
        helper->thread_count += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

struct helper *helper_new(unsigned threads, const struct cpu_list *cpus)
{
    struct helper *helper = calloc(1, sizeof(*helper) + threads * sizeof(pthread_t));

    if (helper == NULL)
        return NULL;
    ck_ring_init(&helper->todo, RING);
    ck_ring_init(&helper->ran, RING);
    helper->work = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    helper->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (helper->work < 0 || helper->news < 0)
        goto failed;
    errno = start_threads(helper, threads, cpus);
    if (errno == 0)
        return helper;

failed:
    helper_free(helper);
    return NULL;
}

bool helper_submit(struct helper *helper, struct helper_job *job)
{
    if (helper->under_way == JOBS_MAX)
        return false;
    helper->under_way++;
    put_todo(helper, job);
    raise_fd(helper->work);
    return true;
}

int helper_fd(const struct helper *helper)
{
    return helper->news;
}

void helper_reap(struct helper *helper)
{
    struct helper_job *job;

    lower_fd(helper->news);
    while ((job = get_ran(helper)) != NULL) {
        helper->under_way--;
        job->done(job);
    }
}

bool helper_wait(struct helper *helper)
{
    struct pollfd news = { .fd = helper->news, .events = POLLIN };

    if (helper->under_way == 0)
        return false;
    poll(&news, 1, -1);
    helper_reap(helper);
    return true;
}

void helper_free(struct helper *helper)
{
    if (helper == NULL)
        return;
    while (helper_wait(helper))
        ;
    for (unsigned i = 0; i < helper->thread_count; i++) {
        put_todo(helper, NULL);
        raise_fd(helper->work);
    }
    for (unsigned i = 0; i < helper->thread_count; i++)
        pthread_join(helper->threads[i], NULL);
    if (helper->work >= 0)
        close(helper->work);
    if (helper->news >= 0)
        close(helper->news);
    free(helper);
}
