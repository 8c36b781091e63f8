#include "system/helper.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "unit.h"

static const struct cpu_list anywhere = { .count = 0 };

struct sum {
    struct helper_job job;
    pthread_t caller;
    unsigned from, to;
    unsigned long sum;
    unsigned *done;
};

static void run(struct helper_job *job)
{
    struct sum *sum = (struct sum *)job;

    ck_assert(!pthread_equal(pthread_self(), sum->caller));
    for (unsigned i = sum->from; i < sum->to; i++)
        sum->sum += i;
}

static void done(struct helper_job *job)
{
    struct sum *sum = (struct sum *)job;

    ck_assert(pthread_equal(pthread_self(), sum->caller));
    ++*sum->done;
}

START_TEST(jobs_run_elsewhere_and_come_back)
{
    struct helper *helper = helper_new(3, &anywhere);
    struct sum sums[500];
    unsigned count = 0;

    ck_assert_ptr_nonnull(helper);
    for (int round = 0; round < 20; round++) {
        count = 0;
        for (unsigned i = 0; i < 500; i++) {
            sums[i] = (struct sum){ { run, done }, pthread_self(), i, i + 100, 0, &count };
            ck_assert(helper_submit(helper, &sums[i].job));
        }
        while (count < 500) {
            struct pollfd poll_fd = { .fd = helper_fd(helper), .events = POLLIN };

            ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
            helper_reap(helper);
        }
        for (unsigned i = 0; i < 500; i++)
            ck_assert_uint_eq(sums[i].sum, 100 * i + 4950);
    }
    ck_assert(!helper_wait(helper));
    helper_free(helper);
}
END_TEST

START_TEST(too_many_are_refused_until_some_are_reaped)
{
    struct helper *helper = helper_new(1, &anywhere);
    struct sum *sums = calloc(10000, sizeof(*sums));
    unsigned count = 0, taken = 0;

    while (taken < 10000) {
        sums[taken] = (struct sum){ { run, done }, pthread_self(), 0, 10, 0, &count };
        if (!helper_submit(helper, &sums[taken].job))
            break;
        taken++;
    }
    ck_assert_uint_lt(taken, 10000);
    ck_assert(helper_wait(helper));
    ck_assert(helper_submit(helper, &sums[taken].job));
    helper_free(helper);
    ck_assert_uint_eq(count, taken + 1);
    free(sums);
}
END_TEST

START_TEST(nothing_to_do_is_fine)
{
    struct helper *helper = helper_new(2, &anywhere);

    helper_reap(helper);
    helper_free(helper);
    helper_free(NULL);
}
END_TEST

UNIT("helper", jobs_run_elsewhere_and_come_back, too_many_are_refused_until_some_are_reaped,
     nothing_to_do_is_fine)
