#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sig.h"

static const int signals[] = { SIGUSR1, SIGUSR2, 0 };

static int readable(int fd)
{
    struct pollfd one = { .fd = fd, .events = POLLIN };

    return poll(&one, 1, 0);
}

START_TEST(sig_waits_to_be_collected)
{
    int fd = sig_catch(signals);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(readable(fd), 0);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(readable(fd), 1);
    ck_assert(!sig_take(SIGUSR1));

    sig_collect();
    ck_assert_int_eq(readable(fd), 0);
    ck_assert(sig_take(SIGUSR1));
    ck_assert(!sig_take(SIGUSR1)); /* taken once */
    ck_assert(!sig_take(SIGUSR2));
    sig_collect(); /* nothing there: does not wait */

    /* Two at once are two flags. */
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR2);
    sig_collect();
    ck_assert(sig_take(SIGUSR1));
    ck_assert(sig_take(SIGUSR2));
    ck_assert(!sig_take(SIGUSR2));
}
END_TEST

START_TEST(sig_catch_clears_what_came)
{
    ck_assert_int_ge(sig_catch(signals), 0);
    kill(getpid(), SIGUSR1);
    sig_collect();
    kill(getpid(), SIGUSR2); /* pending: must not kill on the way */
    ck_assert_int_ge(sig_catch(signals), 0);
    ck_assert(!sig_take(SIGUSR1));
    sig_collect();
    ck_assert(!sig_take(SIGUSR2));
    kill(getpid(), SIGUSR1);
    sig_collect();
    ck_assert(sig_take(SIGUSR1));
}
END_TEST

START_TEST(sig_reset_undoes)
{
    sigset_t before, after;
    int status;

    sig_reset(); /* as a process starts, whatever tests came before */
    sigemptyset(&before);
    sigaddset(&before, SIGHUP);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    ck_assert_int_ge(sig_catch(signals), 0);
    sigprocmask(SIG_BLOCK, NULL, &after);
    ck_assert_int_eq(sigismember(&after, SIGUSR1), 1);
    ck_assert_int_eq(sigismember(&after, SIGHUP), 1);

    pid_t pid = fork();
    if (pid == 0) {
        kill(getpid(), SIGUSR2); /* waits, and is deadly as soon as it is let in */
        sig_reset();
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

UNIT("sig", sig_waits_to_be_collected, sig_catch_clears_what_came, sig_reset_undoes)
