#include "base/sig.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static bool came[_NSIG];
static int fd = -1;
static sigset_t before;

int sig_catch(const int *signals)
{
    sigset_t set;

    if (fd >= 0) {
        sig_collect(); /* what is pending would do its default when it is let in */
        sig_reset();
    }
    sigemptyset(&set);
    for (; *signals != 0; signals++)
        sigaddset(&set, *signals);
    if (sigprocmask(SIG_BLOCK, &set, &before))
        return -1;
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    return fd;
}

void sig_collect(void)
{
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        came[info.ssi_signo] = true;
}

bool sig_take(int signal)
{
    bool it_came = came[signal];

    came[signal] = false;
    return it_came;
}

void sig_reset(void)
{
    memset(came, 0, sizeof(came));
    if (fd < 0)
        return;
    close(fd);
    fd = -1;
    sigprocmask(SIG_SETMASK, &before, NULL);
}
