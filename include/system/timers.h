#ifndef SYSTEM_TIMERS_H
#define SYSTEM_TIMERS_H

#include <stdint.h>

/*
 * Timeouts of many connections, as a wheel of slots. Setting a timer later, which every request
 * does, is one store: a timer is only moved when its slot comes round. Expiry is late by up to
 * TIMERS_TICK, never early.
 */

#define TIMERS_TICK 32    /* milliseconds a slot */
#define TIMERS_SLOTS 1024 /* about half a minute; longer timeouts go round again */

struct timer {
    struct timer *next, **link; /* in its slot's list; link is NULL while in none */
    uint64_t deadline;          /* milliseconds of clock_ms; 0: not set */
    uint64_t tick;              /* when its slot comes round */
};

struct timers {
    uint64_t soonest; /* no slot in use comes round before this tick */
    uint64_t tick;    /* the last one that was dealt with */
    unsigned count;   /* of timers in slots */
    struct timer *slots[TIMERS_SLOTS];
};

/**
 * timers_init(timers, now):
 * Make ${timers} an empty wheel at ${now} (clock_ms).
 */
void timers_init(struct timers *timers, uint64_t now);

/**
 * timers_set(timers, timer, deadline):
 * Let ${timer}, all zeros when new, expire at ${deadline} (clock_ms), instead of what was set.
 */
void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline);

/**
 * timers_unset(timer):
 * ${timer} does not expire; its memory stays in use until timers_remove.
 */
static inline void timers_unset(struct timer *timer)
{
    timer->deadline = 0;
}

/**
 * timers_remove(timers, timer):
 * Take ${timer} out: its memory may go.
 */
void timers_remove(struct timers *timers, struct timer *timer);

/**
 * timers_expire(timers, now, expired, arg):
 * Call ${expired}(${arg}, timer) once for each timer whose deadline has passed at ${now}; it is
 * unset before. The callback may set and remove any timer.
 */
void timers_expire(struct timers *timers, uint64_t now,
                   void (*expired)(void *arg, struct timer *timer), void *arg);

/**
 * timers_wait(timers, now):
 * Milliseconds from ${now} until timers_expire should be called again; -1 if no timer needs it.
 */
int timers_wait(struct timers *timers, uint64_t now);

#endif
