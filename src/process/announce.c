#include "process/announce.h"

#include <unistd.h>

#include "base/log.h"
#include "base/title.h"
#include "process/daemonize.h"
#include "process/notify.h"
#include "system/listen.h"

static bool has_fd(const struct sockets *sockets, int fd)
{
    for (size_t i = 0; sockets != NULL && i < sockets_count(sockets); i++) {
        if (sockets_fd(sockets, i) == fd)
            return true;
    }
    return false;
}

void announce_sockets(const char *what, const struct sockets *sockets,
                      const struct sockets *others)
{
    char name[LISTEN_NAME];

    for (size_t i = 0; i < sockets_count(sockets); i++) {
        int fd = sockets_fd(sockets, i);

        if (!has_fd(others, fd))
            log_notice("%s%s %s", i < sockets_admin_from(sockets) ? "" : "admin: ", what,
                       listen_name(fd, name));
    }
}

void announce_title(const struct master *master)
{
    char name[LISTEN_NAME];

    title_set("master %s",
              listen_name(sockets_fd(generation_setup(master->current)->sockets, 0), name));
}

void announce_serving(const struct master *master)
{
    const struct setup *setup = generation_setup(master->current);

    if (setup->config->admin_listen.untouched &&
        sockets_admin_from(setup->sockets) == sockets_count(setup->sockets))
        log_notice("going on without an admin listener: the default, %s, cannot be had",
                   setup->config->admin_listen.items[0]);
    log_notice("%zu worker%s serving %s", setup->workers, setup->workers == 1 ? " is" : "s are",
               setup->config->data);
    notify_send("READY=1\nMAINPID=%d\nSTATUS=%zu worker%s serving %s", (int)getpid(),
                setup->workers, setup->workers == 1 ? " is" : "s are", setup->config->data);
}

void announce_started(struct master *master)
{
    master->announced = true;
    generation_settle(master->current);
    announce_serving(master);
    if (master->daemon_fd >= 0)
        daemonize_ready(master->daemon_fd);
    master->daemon_fd = -1;
}
