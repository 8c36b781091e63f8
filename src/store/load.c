#include "store/load.h"

#include <stddef.h>

static void run(struct helper_job *job)
{
    struct load *load = (struct load *)job;

    load->read(load);
    load->stray = root_left(load->root, load->store->config->data);
}

static void done(struct helper_job *job)
{
    struct load *load = (struct load *)job;

    *load->link = load->next;
    if (load->next != NULL)
        load->next->link = load->link;
    load->store->load_count--;
    load->settle(load);
}

/* Of one worker: more would only wait in the helpers' queue, and hold files. */
#define LOADS_MAX 256

/* Who puts another directory in place of DATA may well remove the old one at once: what is
 * missing in that is no news. */
bool load_is_stray(const struct load *load)
{
    if (load->stray)
        store_look(load->store);
    return load->stray || !root_same(load->root, load->store->root);
}

bool load_has_room(const struct store *store)
{
    return store->load_count < LOADS_MAX;
}

void load_start(struct store *store, struct load *load)
{
    load->store = store;
    load->job = (struct helper_job){ run, done };
    load->next = store->loads;
    load->link = &store->loads;
    if (load->next != NULL)
        load->next->link = &load->next;
    store->loads = load;
    store->load_count++;
    if (store->helper == NULL || !helper_submit(store->helper, &load->job)) {
        run(&load->job);
        done(&load->job);
    }
}

void load_await(struct load_waiter *waiter, struct load *load)
{
    waiter->load = load;
    waiter->any = waiter->partly = false;
    waiter->next = load->waiters;
    waiter->link = &load->waiters;
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    load->waiters = waiter;
}

void load_await_partly(struct load_waiter *waiter, struct load *load)
{
    load_await(waiter, load);
    waiter->partly = true;
}

void load_await_any(struct load_waiter *waiter, struct store *store)
{
    load_await(waiter, store->loads);
    waiter->any = true;
}

void load_deny(struct load_waiter *waiter)
{
    failure_set(waiter->failure, 503, NULL, "out of memory");
    waiter->settled = true;
    waiter->result = LOAD_FAILED;
}

static void unlink_waiter(struct load_waiter *waiter)
{
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    waiter->load = NULL;
}

/* What a load's end means to one who waited. */
static enum load_result result_for(const struct load_waiter *waiter, enum load_result result)
{
    return waiter->any || (waiter->partly && result == LOAD_FAILED) ? LOAD_AGAIN : result;
}

void load_end(struct load *load, enum load_result result, const struct failure *failure,
              struct lru *table, struct lru_entry *found)
{
    while (load->waiters != NULL) {
        struct load_waiter *waiter = load->waiters;

        unlink_waiter(waiter);
        waiter->settled = true;
        waiter->result = result_for(waiter, result);
        if (waiter->result == LOAD_FAILED)
            *waiter->failure = *failure;
        if (waiter->result == LOAD_OK) {
            waiter->table = table;
            waiter->found = found;
            lru_pin(table, found);
        }
        if (waiter->waker.wake != NULL)
            waiter->waker.wake(waiter->waker.arg);
    }
}

void load_leave(struct load_waiter *waiter)
{
    if (waiter->load != NULL)
        unlink_waiter(waiter);
    if (waiter->found != NULL)
        lru_unpin(waiter->table, waiter->found);
    waiter->found = NULL;
    waiter->settled = false;
}
