#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sig.h"

static const int signals[] = { SIGUSR1, SIGUSR2, 0 };

static int wait_a_little(void)
{
    struct timespec time = { 0, 20000000 };

    return ppoll(NULL, 0, &time, sig_open());
}

START_TEST(sig_comes_only_while_waiting)
{
    ck_assert_int_eq(sig_catch(signals), 0);
    ck_assert(!sig_take(SIGUSR1));
    kill(getpid(), SIGUSR1);
    ck_assert(!sig_take(SIGUSR1)); /* blocked: it waits */

    ck_assert_int_eq(wait_a_little(), -1);
    ck_assert_int_eq(errno, EINTR);
    ck_assert(sig_take(SIGUSR1));
    ck_assert(!sig_take(SIGUSR1)); /* taken once */
    ck_assert(!sig_take(SIGUSR2));
    ck_assert_int_eq(wait_a_little(), 0);

    /* Two at once are two flags. */
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR2);
    while (wait_a_little() < 0)
        ;
    ck_assert(sig_take(SIGUSR1));
    ck_assert(sig_take(SIGUSR2));
    ck_assert(!sig_take(SIGUSR2));
}
END_TEST

START_TEST(sig_catch_clears_old_flags)
{
    ck_assert_int_eq(sig_catch(signals), 0);
    kill(getpid(), SIGUSR1);
    wait_a_little();
    ck_assert_int_eq(sig_catch(signals), 0);
    ck_assert(!sig_take(SIGUSR1));
    /* The mask for waiting still lets them in. */
    ck_assert_int_eq(sigismember(sig_open(), SIGUSR1), 0);
    kill(getpid(), SIGUSR1);
    wait_a_little();
    ck_assert(sig_take(SIGUSR1));
}
END_TEST

START_TEST(sig_reset_undoes)
{
    sigset_t before, after;
    int status;

    sigemptyset(&before);
    sigaddset(&before, SIGHUP);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    ck_assert_int_eq(sig_catch(signals), 0);
    sigprocmask(SIG_BLOCK, NULL, &after);
    ck_assert_int_eq(sigismember(&after, SIGUSR1), 1);
    ck_assert_int_eq(sigismember(&after, SIGHUP), 1);
    ck_assert_int_eq(sigismember(sig_open(), SIGHUP), 1);

    pid_t pid = fork();
    if (pid == 0) {
        sig_reset();
        kill(getpid(), SIGUSR2); /* deadly again */
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGUSR2);

    sig_reset();
    sigprocmask(SIG_BLOCK, NULL, &after);
    ck_assert_int_eq(sigismember(&after, SIGUSR1), 0);
    ck_assert_int_eq(sigismember(&after, SIGHUP), 1);
}
END_TEST

UNIT("sig", sig_comes_only_while_waiting, sig_catch_clears_old_flags, sig_reset_undoes)
