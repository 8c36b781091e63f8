#include "process/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "system/listen.h"

/* How long an address that is in use is tried: the workers of a master that was killed are
 * about to close theirs. */
#define IN_USE_MS 2000
#define TRY_EVERY_MS 20

#define FIRST_PASSED 3 /* SD_LISTEN_FDS_START */

struct listener {
    char *address; /* as configured, or as it is bound */
    int fd;
    unsigned uses; /* in sets */
    bool lent;     /* somebody else's as well */
    bool borrowed; /* likewise, until it is claimed */
};

struct sockets {
    size_t count;
    size_t admin_from; /* those from this place on are admin listeners */
    struct listener **all;
};

static void release(struct listener *listener)
{
    if (--listener->uses > 0)
        return;
    if (!listener->lent && !listener->borrowed)
        listen_stop(listener->fd);
    close(listener->fd);
    free(listener->address);
    free(listener);
}

/* Returns 0, or -1 after a message. */
static int add(struct sockets *sockets, struct listener *listener)
{
    struct listener **grown = realloc(sockets->all, (sockets->count + 1) * sizeof(*grown));

    if (grown == NULL) {
        log_error("out of memory");
        return -1;
    }
    sockets->all = grown;
    grown[sockets->count++] = listener;
    listener->uses++;
    return 0;
}

/* A listener of no set; then ${fd} is its. NULL after a message. */
static struct listener *listener_new(const char *address, int fd)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    char *copy = strdup(address);

    if (listener == NULL || copy == NULL) {
        log_error("out of memory");
        free(listener);
        free(copy);
        return NULL;
    }
    *listener = (struct listener){ .address = copy, .fd = fd };
    return listener;
}

static bool holds(const struct sockets *sockets, const struct listener *listener)
{
    for (size_t i = 0; sockets != NULL && i < sockets->count; i++) {
        if (sockets->all[i] == listener)
            return true;
    }
    return false;
}

/* --- What this process was started with */

static int inherit(struct sockets *sockets, int fd, const char *address, bool lent)
{
    char problem[256], name[LISTEN_NAME];

    if (listen_adopt(fd, problem, sizeof(problem))) {
        log_error("%s", problem);
        return -1;
    }
    struct listener *listener =
        listener_new(address != NULL ? address : listen_name(fd, name), fd);
    if (listener == NULL)
        return -1;
    listener->lent = lent;
    listener->borrowed = !lent;
    return add(sockets, listener);
}

static int inherit_from_system(struct sockets *sockets, const char *pid, const char *count)
{
    uint64_t meant = 0, many = 0;

    if (pid == NULL || count == NULL || num_parse(slice_of(pid), &meant) ||
        meant != (uint64_t)getpid())
        return 0; /* it is meant for another process */
    if (num_parse(slice_of(count), &many) || many > 1024) {
        log_error("LISTEN_FDS: '%s' is no number of sockets", count);
        return -1;
    }
    for (int fd = FIRST_PASSED; fd < FIRST_PASSED + (int)many; fd++) {
        if (inherit(sockets, fd, NULL, true))
            return -1;
    }
    return 0;
}

/* Lines "FD KIND ADDRESS", as sockets_export writes them. */
static int inherit_from_master(struct sockets *sockets, const char *list)
{
    while (list != NULL && *list != '\0') {
        char kind, address[512];
        int fd, used = 0;

        if (sscanf(list, "%d %c %511[^\n]%n", &fd, &kind, address, &used) != 3) {
            log_error("TICKD_LISTEN_FDS cannot be understood");
            return -1;
        }
        if (inherit(sockets, fd, address, kind == 'l'))
            return -1;
        list += used;
        list += *list == '\n';
    }
    return 0;
}

struct sockets *sockets_inherited(void)
{
    struct sockets *sockets = calloc(1, sizeof(*sockets));
    int failed;

    if (sockets == NULL) {
        log_error("out of memory");
        return NULL;
    }
    failed = inherit_from_system(sockets, getenv("LISTEN_PID"), getenv("LISTEN_FDS")) ||
             inherit_from_master(sockets, getenv("TICKD_LISTEN_FDS"));
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    unsetenv("TICKD_LISTEN_FDS");
    if (!failed)
        return sockets;
    sockets_free(sockets);
    return NULL;
}

/* --- What a configuration wants */

/* One of ${from} for ${address} that is not in ${taken} yet; NULL if there is none. */
static struct listener *find(const struct sockets *from, const char *address,
                             const struct sockets *taken)
{
    for (size_t i = 0; from != NULL && i < from->count; i++) {
        if (strcmp(from->all[i]->address, address) == 0 && !holds(taken, from->all[i]))
            return from->all[i];
    }
    for (size_t i = 0; from != NULL && i < from->count; i++) {
        if (listen_is_at(from->all[i]->fd, address) && !holds(taken, from->all[i]))
            return from->all[i];
    }
    return NULL;
}

/* An address that nobody asked for is ${optional}: it is tried once, and its absence is no
 * error. */
static struct listener *open_new(const char *address, int backlog, bool optional)
{
    uint64_t until = clock_ms() + (optional ? 0 : IN_USE_MS);
    struct listener *listener;
    char problem[512];
    int fd;

    while ((fd = listen_open(address, backlog, problem, sizeof(problem))) < 0 &&
           errno == EADDRINUSE && clock_ms() < until)
        poll(NULL, 0, TRY_EVERY_MS);
    if (fd < 0) {
        if (!optional)
            log_error("%s", problem);
        return NULL;
    }
    listener = listener_new(address, fd);
    if (listener == NULL)
        listen_close(fd);
    return listener;
}

/* Add one for each of ${addresses}. Returns 0, or -1 after a message. */
static int open_each(struct sockets *sockets, const struct config_list *addresses, int backlog,
                     const struct sockets *before, const struct sockets *stock, bool optional)
{
    for (size_t i = 0; i < addresses->count; i++) {
        const char *address = addresses->items[i];
        struct listener *listener = find(before, address, sockets);

        if (config_listens_nowhere(address))
            continue;
        if (listener == NULL)
            listener = find(stock, address, sockets);
        if (listener != NULL)
            listen(listener->fd, backlog);
        else
            listener = open_new(address, backlog, optional);
        if (listener == NULL && optional)
            continue;
        if (listener == NULL || add(sockets, listener))
            return -1;
    }
    return 0;
}

struct sockets *sockets_open(const struct config *config, const struct sockets *before,
                             const struct sockets *stock)
{
    struct sockets *sockets = calloc(1, sizeof(*sockets));
    int backlog = (int)config->backlog, failed;

    if (sockets == NULL) {
        log_error("out of memory");
        return NULL;
    }
    failed = open_each(sockets, &config->listen, backlog, before, stock, false);
    sockets->admin_from = sockets->count;
    if (!failed)
        failed = open_each(sockets, &config->admin_listen, backlog, before, stock,
                           config->admin_listen.untouched);
    if (!failed)
        return sockets;
    sockets_free(sockets);
    return NULL;
}

size_t sockets_admin_from(const struct sockets *sockets)
{
    return sockets->admin_from;
}

size_t sockets_count(const struct sockets *sockets)
{
    return sockets->count;
}

int sockets_fd(const struct sockets *sockets, size_t place)
{
    return sockets->all[place]->fd;
}

int sockets_last(const struct sockets *sockets)
{
    int last = -1;

    for (size_t i = 0; i < sockets->count; i++)
        last = sockets->all[i]->fd > last ? sockets->all[i]->fd : last;
    return last;
}

void sockets_drop_others(const struct sockets *sockets, const struct sockets *kept)
{
    for (size_t i = 0; sockets != NULL && i < sockets->count; i++) {
        if (!holds(kept, sockets->all[i]))
            close(sockets->all[i]->fd);
    }
}

/* --- From master to master */

static void export(FILE *file, const struct sockets *sockets, const struct sockets *but)
{
    for (size_t i = 0; sockets != NULL && i < sockets->count; i++) {
        const struct listener *listener = sockets->all[i];

        if (!holds(but, listener))
            fprintf(file, "%d %c %s\n", listener->fd, listener->lent ? 'l' : 'o',
                    listener->address);
    }
}

char *sockets_export(const struct sockets *sockets, const struct sockets *more)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        return NULL;
    export(file, sockets, NULL);
    export(file, more, sockets);
    if (fclose(file)) {
        free(text);
        return NULL;
    }
    return text;
}

void sockets_pass(const struct sockets *sockets)
{
    for (size_t i = 0; sockets != NULL && i < sockets->count; i++)
        fcntl(sockets->all[i]->fd, F_SETFD, 0);
}

void sockets_lend(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        sockets->all[i]->borrowed = true;
}

void sockets_claim(struct sockets *stock)
{
    size_t kept = 0;

    for (size_t i = 0; i < stock->count; i++) {
        struct listener *listener = stock->all[i];

        if (listener->borrowed) {
            listener->borrowed = false;
            release(listener);
        } else {
            stock->all[kept++] = listener;
        }
    }
    stock->count = kept;
}

void sockets_free(struct sockets *sockets)
{
    if (sockets == NULL)
        return;
    while (sockets->count > 0)
        release(sockets->all[--sockets->count]);
    free(sockets->all);
    free(sockets);
}
