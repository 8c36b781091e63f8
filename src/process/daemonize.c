#include "process/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* The process that was started: wait for the word of the daemon, or for its end. */
static _Noreturn void wait_for(pid_t daemon, int fd)
{
    char byte;
    ssize_t n;
    int status;

    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1)
        _exit(EXIT_SUCCESS);
    if (waitpid(daemon, &status, 0) != daemon || !WIFEXITED(status) || WEXITSTATUS(status) == 0)
        _exit(EXIT_FAILURE);
    _exit(WEXITSTATUS(status));
}

/* Put the descriptor ${fd} on /dev/null. */
static void blank(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, fd);
        close(null);
    }
}

int daemonize_begin(int last)
{
    int word[2];

    /* What the caller has left open is not the daemon's. */
    close_range((unsigned)(last > STDERR_FILENO ? last : STDERR_FILENO) + 1, ~0U, 0);
    if (pipe2(word, O_CLOEXEC))
        return -1;
    pid_t daemon = fork();
    if (daemon < 0) {
        int saved = errno;
        close(word[0]);
        close(word[1]);
        errno = saved;
        return -1;
    }
    if (daemon > 0) {
        close(word[1]);
        wait_for(daemon, word[0]);
    }
    close(word[0]);
    setsid();
    if (chdir("/"))
        log_warn("cannot change to /: %m");
    blank(STDIN_FILENO);
    return word[1];
}

void daemonize_detach(bool keep_stderr)
{
    blank(STDOUT_FILENO);
    if (!keep_stderr)
        blank(STDERR_FILENO);
}

void daemonize_ready(int fd)
{
    if (write(fd, "R", 1) != 1)
        log_warn("nobody waited for tickd to be ready");
    close(fd);
}
