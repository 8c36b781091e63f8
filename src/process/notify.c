#include "process/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

/* The address of the manager: a path, or an abstract name that begins with @ where its zero
 * byte is. Returns its length; 0 if there is none. */
static socklen_t manager(struct sockaddr_un *address)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name == NULL ? 0 : strlen(name);

    if (len < 2 || (name[0] != '/' && name[0] != '@') || len > sizeof(address->sun_path))
        return 0;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path, name, len);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void notify_send(const char *format, ...)
{
    struct sockaddr_un address;
    socklen_t address_len = manager(&address);
    char text[1024];
    va_list args;

    if (address_len == 0)
        return;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(text))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || sendto(fd, text, (size_t)len, MSG_NOSIGNAL, (struct sockaddr *)&address,
                         address_len) < 0)
        log_warn("cannot tell the service manager (NOTIFY_SOCKET): %m");
    if (fd >= 0)
        close(fd);
}

void notify_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_send("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now.tv_sec * 1000000 +
                                                        (unsigned long long)now.tv_nsec / 1000);
}

unsigned notify_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t within, meant;

    if (usec == NULL || num_parse(slice_of(usec), &within) || within == 0)
        return 0;
    if (pid != NULL && (num_parse(slice_of(pid), &meant) || meant != (uint64_t)getpid()))
        return 0;
    within /= 2000;
    return within == 0 ? 1 : within > 3600000 ? 3600000 : (unsigned)within;
}
