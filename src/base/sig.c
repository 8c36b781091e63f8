#include "base/sig.h"

#include <string.h>

#define SIGNALS 65

static volatile sig_atomic_t came[SIGNALS];
static int caught[SIGNALS]; /* 0-terminated */
static sigset_t open_mask;

static void on_signal(int signo)
{
    came[signo] = 1;
}

int sig_catch(const int *signals)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t block;
    size_t n = 0;

    sigemptyset(&block);
    sigfillset(&action.sa_mask);
    for (; signals[n] != 0; n++) {
        sigaddset(&block, signals[n]);
        came[signals[n]] = 0;
        caught[n] = signals[n];
    }
    caught[n] = 0;

    if (sigprocmask(SIG_BLOCK, &block, &open_mask))
        return -1;
    for (n = 0; signals[n] != 0; n++) {
        if (sigaction(signals[n], &action, NULL))
            return -1;
        sigdelset(&open_mask, signals[n]);
    }
    return 0;
}

const sigset_t *sig_open(void)
{
    return &open_mask;
}

bool sig_take(int signal)
{
    bool it_came = came[signal] != 0;

    came[signal] = 0;
    return it_came;
}

void sig_reset(void)
{
    for (size_t n = 0; caught[n] != 0; n++)
        signal(caught[n], SIG_DFL);
    sigprocmask(SIG_SETMASK, &open_mask, NULL);
}
