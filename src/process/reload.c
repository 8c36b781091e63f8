#include "process/reload.h"

#include <string.h>

#include "base/log.h"
#include "process/announce.h"
#include "process/check.h"
#include "process/errorlog.h"
#include "process/notify.h"

/* The lock is on the file that is there. */
static int keep_pid_file(struct config *config, const struct config *before, char *problem,
                         size_t size)
{
    if (strcmp(config->pid_file, before->pid_file) == 0)
        return 0;
    log_warn("pid_file: it stays '%s' until the server is started anew", before->pid_file);
    return config_set(config, "pid_file", before->pid_file, problem, size);
}

/*
 * What the file and the flags ask for now, as a setup that takes from ${before} what can stay:
 * read, checked, and everything that can fail tried. NULL after a message.
 */
static struct setup *prepare(const struct commandline *commandline, const struct setup *before,
                             const struct sockets *stock, bool background)
{
    char problem[1024];
    struct config *config = commandline_config(commandline, problem, sizeof(problem));
    struct setup *setup = NULL;

    if (config == NULL || check_config(config, problem, sizeof(problem)) ||
        keep_pid_file(config, before->config, problem, sizeof(problem)))
        log_error("%s", problem);
    else if (errorlog_check(config, before->config, background) == 0)
        setup = setup_new(config, before, stock);
    if (setup == NULL)
        config_free(config);
    else if (setup->roster != before->roster)
        log_notice("what the workers share is found out anew");
    return setup;
}

static void retire(struct master *master, struct generation *generation)
{
    generation_drain(generation);
    master->old[master->old_count++] = generation;
}

static void stay(const struct master *master)
{
    roster_count_here(generation_setup(master->current)->roster);
    log_error("reload: it failed; the configuration of before stays in force");
    notify_send("READY=1");
}

void reload_begin(struct master *master)
{
    master->reload_wanted = false;
    notify_reloading();
    struct setup *setup = prepare(master->commandline, generation_setup(master->current),
                                  master->stock, master->background);
    if (setup != NULL && (master->next = generation_new(setup, &master->parent)) == NULL)
        setup_free(setup);
    if (master->next == NULL)
        stay(master);
}

static void give_up_reload(struct master *master)
{
    retire(master, master->next);
    master->next = NULL;
    stay(master);
}

/* The new workers serve: let the old ones go. */
static void commit_reload(struct master *master)
{
    struct generation *before = master->current;
    const struct setup *now = generation_setup(master->next);

    errorlog_follow(now->config, generation_setup(before)->config, master->background);
    announce_sockets("listening on", now->sockets, generation_setup(before)->sockets);
    announce_sockets("no longer listening on", generation_setup(before)->sockets, now->sockets);
    master->current = master->next;
    master->next = NULL;
    generation_settle(master->current);
    retire(master, before);
    announce_title(master);
    log_notice("reloaded");
    announce_serving(master);
}

void reload_advance(struct master *master)
{
    if (generation_failed(master->next))
        give_up_reload(master);
    else if (generation_serves(master->next))
        commit_reload(master);
}
