#include "base/guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

/* Under ThreadSanitizer, whose handler calls ours with everything blocked, that has to be
 * undone; else there is nothing to undo, and no system call is made. */
#ifdef __SANITIZE_THREAD__
#define SAVE_MASK 1
#else
#define SAVE_MASK 0
#endif

static _Thread_local sigjmp_buf *volatile innermost;

static void on_bus(int signo)
{
    if (innermost != NULL)
        siglongjmp(*innermost, 1);

    /* Not ours: fall again, and die of it this time. */
    signal(signo, SIG_DFL);
}

int guard_install(void)
{
    struct sigaction action = { .sa_handler = on_bus };

    /* The handler is left by a jump that restores no mask, so that the next fault must find it
     * open. */
    action.sa_flags = SA_NODEFER;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, NULL);
}

int guard_run(void (*work)(void *), void *arg)
{
    sigjmp_buf here;
    sigjmp_buf *volatile outer = innermost;

    if (sigsetjmp(here, SAVE_MASK)) {
        innermost = outer;
        return -1;
    }
    innermost = &here;
    work(arg);
    innermost = outer;
    return 0;
}
