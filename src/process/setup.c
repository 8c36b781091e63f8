#include "process/setup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "store/facts.h"
#include "system/accesslog.h"

/* Descriptors that a worker needs beside its connections and files. */
#define SPARE_FDS 64

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Mappings that a process may have, but for some for the program itself. */
static uint64_t mappings_allowed(void)
{
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long long count = 65530;

    if (file != NULL) {
        if (fscanf(file, "%llu", &count) != 1)
            count = 65530;
        fclose(file);
    }
    return count > 2048 ? count - 1024 : count / 2;
}

/*
 * As many files as the hard limit allows; where they are too few for what is configured,
 * connections, series and mapped files share them: kept files must not leave none for
 * connections.
 */
static void fit_limits(struct config *config)
{
    uint64_t need =
        config->max_connections + config->max_mapped + config->max_series + SPARE_FDS;
    uint64_t mappings = mappings_allowed(), files;
    struct rlimit limit;

    if (config->max_mapped > mappings)
        config->max_mapped = mappings;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= need)
        return;

    files = limit.rlim_cur > 2 * SPARE_FDS ? limit.rlim_cur - SPARE_FDS : limit.rlim_cur / 2;
    config->max_connections = least(config->max_connections, files / 2 + 1);
    config->max_series = least(config->max_series, files / 8 + 1);
    config->max_mapped = least(config->max_mapped, files / 4 + 1);
    log_warn(
        "a process may open %llu files, of %llu that the configuration asks for: going on with "
        "max_connections %llu, max_series %llu, max_mapped %llu (ulimit -n raises the limit)",
        (unsigned long long)limit.rlim_cur, (unsigned long long)need,
        (unsigned long long)config->max_connections, (unsigned long long)config->max_series,
        (unsigned long long)config->max_mapped);
}

const struct loop_engine *setup_engine(const struct config *config)
{
    char problem[256];
    const struct loop_engine *engine =
        loop_choose((unsigned)config->engine, problem, sizeof(problem));

    if (engine == NULL)
        log_error("engine: io_uring cannot be used here: %s", problem);
    else if (problem[0] != '\0')
        log_notice("the engine is epoll, since io_uring cannot be used here: %s", problem);
    return engine;
}

static int find_cpus(struct setup *setup)
{
    const struct config *config = setup->config;

    if (cpu_allowed(&setup->cpus)) {
        log_error("cannot find out which cores there are: %m");
        return -1;
    }
    if (config->cpus[0] != '\0')
        cpu_parse(slice_of(config->cpus), &setup->cpus);
    setup->workers = config->workers == 0 ? setup->cpus.count : config->workers;
    return 0;
}

static void find_data(struct setup *setup)
{
    struct stat found;

    if (stat(setup->config->data, &found))
        return;
    setup->device = found.st_dev;
    setup->inode = found.st_ino;
}

static bool same_list(const config_list *a, const config_list *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

/* Whether what the workers of ${before} know is true, and has room, for those of ${setup}. */
static bool can_share(const struct setup *setup, const struct setup *before)
{
    size_t bytes[SEGMENT_SECTIONS] = { 0 }, bytes_before[SEGMENT_SECTIONS] = { 0 };

    if (before == NULL || setup->inode == 0 || setup->device != before->device ||
        setup->inode != before->inode ||
        !same_list(&setup->config->type, &before->config->type))
        return false;
    facts_sizes(setup->config, bytes);
    facts_sizes(before->config, bytes_before);
    return memcmp(bytes, bytes_before, sizeof(bytes)) == 0 &&
           roster_size(before->roster) >= 2 * (setup->workers + before->workers);
}

/* A log that cannot be opened is better found out here than by each worker. */
static int try_access_log(const struct config *config)
{
    if (config->access_log[0] == '\0' || accesslog_try(config->access_log) == 0)
        return 0;
    log_error("cannot open the access log %s: %m", config->access_log);
    return -1;
}

struct setup *setup_new(struct config *config, const struct setup *before,
                        const struct sockets *stock)
{
    struct setup *setup = calloc(1, sizeof(*setup));

    if (setup == NULL) {
        log_error("out of memory");
        return NULL;
    }
    setup->config = config;
    fit_limits(config);
    find_data(setup);
    if (find_cpus(setup) || try_access_log(config))
        goto failed;
    setup->engine = before != NULL && before->config->engine == config->engine
                        ? before->engine
                        : setup_engine(config);
    if (setup->engine == NULL)
        goto failed;
    setup->sockets = sockets_open(config, before != NULL ? before->sockets : NULL, stock);
    if (setup->sockets == NULL)
        goto failed;
    setup->roster = can_share(setup, before) ? roster_share(before->roster)
                                             : roster_new(config, setup->workers);
    if (setup->roster == NULL)
        goto failed;
    return setup;

failed:
    setup->config = NULL;
    setup_free(setup);
    return NULL;
}

void setup_leave_sockets(struct setup *setup)
{
    sockets_free(setup->sockets);
    setup->sockets = NULL;
}

void setup_free(struct setup *setup)
{
    if (setup == NULL)
        return;
    setup_leave_sockets(setup);
    roster_free(setup->roster);
    config_free(setup->config);
    free(setup);
}
