#include "process/succession.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "process/announce.h"
#include "process/notify.h"
#include "process/takeover.h"

/* --- The pid file */

/* Nobody else may be master with this pid file. */
int succession_lock(struct master *master, const struct config *config)
{
    const char *path = config->pid_file;
    char problem[512];

    if (path[0] == '\0')
        return 0;
    master->pidfile = pidfile_lock(path, problem, sizeof(problem));
    if (master->pidfile == NULL)
        log_error("%s", problem);
    return master->pidfile == NULL ? -1 : 0;
}

int succession_write(const struct master *master, const struct config *config)
{
    if (master->pidfile == NULL || pidfile_write(master->pidfile) == 0)
        return 0;
    log_error("cannot write the pid file %s: %m", config->pid_file);
    return -1;
}

/* --- The old master */

void succession_begin(struct master *master)
{
    master->upgrade_wanted = false;
    if (upgrade_begin(master->upgrade, generation_setup(master->current)->sockets,
                      master->stock))
        log_error("upgrade: it failed; going on as before");
}

/* The pid file's other name, while a new master takes its own. */
static int move_pidfile(struct master *master, bool away)
{
    const char *path = state_config(master)->pid_file;
    char *other;

    if (master->pidfile == NULL)
        return 0;
    if ((other = pidfile_oldbin(path)) == NULL)
        return -1;
    int failed = pidfile_move(master->pidfile, away ? other : path);
    if (failed)
        log_error("cannot rename the pid file %s: %m", away ? path : other);
    free(other);
    return failed;
}

static void end_failed_upgrade(struct master *master)
{
    upgrade_reset(master->upgrade);
    if (master->pidfile != NULL &&
        !pidfile_is_at(master->pidfile, state_config(master)->pid_file))
        move_pidfile(master, false);
    if (!master->stopping)
        log_error("upgrade: it failed; going on as before");
}

/* The new master serves, on the same sockets. */
static void be_succeeded(struct master *master)
{
    log_notice("upgrade: process %d has taken over; finishing what is under way",
               (int)upgrade_pid(master->upgrade));
    notify_send("MAINPID=%d", (int)upgrade_pid(master->upgrade));
    master->succeeded = master->stopping = true;
    sockets_lend(generation_setup(master->current)->sockets);
    generation_drain(master->current);
    upgrade_reset(master->upgrade);
}

void succession_advance(struct master *master)
{
    switch (upgrade_state(master->upgrade)) {
    case UPGRADE_READY:
        if (move_pidfile(master, true))
            upgrade_cancel(master->upgrade);
        else
            upgrade_go(master->upgrade);
        break;
    case UPGRADE_DONE:
        be_succeeded(master);
        break;
    case UPGRADE_FAILED:
        end_failed_upgrade(master);
        break;
    default:
        break;
    }
}

/* --- The new master */

/* This master is not to be: the old one goes on. */
void succession_refuse(struct master *master)
{
    master->stopping = master->failed = true;
    generation_drain(master->current);
}

void succession_take(struct master *master)
{
    if (succession_lock(master, state_config(master)) ||
        succession_write(master, state_config(master))) {
        succession_refuse(master);
        return;
    }
    sockets_claim(master->stock);
    takeover_done(master->takeover_fd);
    master->takeover_fd = -1;
    master->takeover_said = false;
    announce_started(master);
}
