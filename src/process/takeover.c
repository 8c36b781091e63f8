#include "process/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

static bool leads_nowhere(int fd)
{
    struct stat found;

    return fstat(fd, &found) || (S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3));
}

int takeover_begin(void)
{
    const char *text = getenv(TAKEOVER_VARIABLE);
    static int found = -1;
    uint64_t fd;

    if (found >= 0)
        return found;
    if (text == NULL || num_parse(slice_of(text), &fd) || fd > INT32_MAX ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC))
        return -1;
    unsetenv(TAKEOVER_VARIABLE);
    if (leads_nowhere(STDERR_FILENO))
        log_to_syslog("tickd");
    return found = (int)fd;
}

/* An old master that is gone need not hear it. */
static void say(int fd, char word)
{
    if (send(fd, &word, 1, MSG_NOSIGNAL) != 1)
        log_warn("the old master does not listen: %m");
}

void takeover_ready(int fd)
{
    say(fd, TAKEOVER_READY);
}

bool takeover_may_go(int fd)
{
    char word;
    ssize_t n = recv(fd, &word, 1, MSG_DONTWAIT);

    return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

void takeover_done(int fd)
{
    say(fd, TAKEOVER_DONE);
    close(fd);
}
