#include "system/timers.h"

#include <stddef.h>
#include <string.h>

void timers_init(struct timers *timers, uint64_t now)
{
    memset(timers, 0, sizeof(*timers));
    timers->tick = now / TIMERS_TICK;
    timers->soonest = UINT64_MAX;
}

static void unlink_timer(struct timers *timers, struct timer *timer)
{
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
    timer->link = NULL;
    timers->count--;
}

/* Put the timer into the slot that comes round just after its deadline, or into the farthest
 * one. */
static void link_timer(struct timers *timers, struct timer *timer)
{
    uint64_t tick = timer->deadline / TIMERS_TICK + 1;

    if (tick <= timers->tick)
        tick = timers->tick + 1;
    if (tick >= timers->tick + TIMERS_SLOTS)
        tick = timers->tick + TIMERS_SLOTS - 1;

    struct timer **head = &timers->slots[tick % TIMERS_SLOTS];
    timer->tick = tick;
    timer->next = *head;
    timer->link = head;
    if (*head != NULL)
        (*head)->link = &timer->next;
    *head = timer;
    timers->count++;
    if (tick < timers->soonest)
        timers->soonest = tick;
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline)
{
    timer->deadline = deadline;
    if (timer->link != NULL) {
        if (timer->tick <= deadline / TIMERS_TICK + 1)
            return; /* looked at in time, and moved then */
        unlink_timer(timers, timer);
    }
    link_timer(timers, timer);
}

void timers_remove(struct timers *timers, struct timer *timer)
{
    timer->deadline = 0;
    if (timer->link != NULL)
        unlink_timer(timers, timer);
}

/* Empty the slot of the present tick: each timer expires, moves on, or is forgotten. */
static void turn(struct timers *timers, uint64_t now,
                 void (*expired)(void *arg, struct timer *timer), void *arg)
{
    struct timer **head = &timers->slots[timers->tick % TIMERS_SLOTS];

    while (*head != NULL) {
        struct timer *timer = *head;

        unlink_timer(timers, timer);
        if (timer->deadline > now) {
            link_timer(timers, timer);
        } else if (timer->deadline != 0) {
            timer->deadline = 0;
            expired(arg, timer);
        }
    }
}

void timers_expire(struct timers *timers, uint64_t now,
                   void (*expired)(void *arg, struct timer *timer), void *arg)
{
    uint64_t until = now / TIMERS_TICK;

    /* After a long sleep every slot is due, but none twice. */
    if (until - timers->tick > TIMERS_SLOTS && until > timers->tick)
        timers->tick = until - TIMERS_SLOTS;
    while (timers->tick < until) {
        timers->tick++;
        turn(timers, now, expired, arg);
    }
}

int timers_wait(struct timers *timers, uint64_t now)
{
    if (timers->count == 0)
        return -1;
    if (timers->soonest <= timers->tick || timers->soonest == UINT64_MAX)
        timers->soonest = timers->tick + 1;
    while (timers->slots[timers->soonest % TIMERS_SLOTS] == NULL)
        timers->soonest++;
    uint64_t due = timers->soonest * TIMERS_TICK;
    return due > now ? (int)(due - now) : 0;
}
