#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "dice.h"
#include "system/timers.h"

#define TIMERS 60

/* What the wheel should know, in a plain array. */
static struct timers wheel;
static struct timer each[TIMERS];
static uint64_t deadlines[TIMERS]; /* 0: not set */
static uint64_t now;
static unsigned expired_count;
static struct dice dice;
static bool meddling;

/* The end of the slot that a deadline lies in: no expiry is later. */
static uint64_t latest(uint64_t deadline)
{
    return (deadline / TIMERS_TICK + 1) * TIMERS_TICK;
}

static uint64_t some_deadline(void)
{
    switch (dice_roll(&dice, 4)) {
    case 0:
        return now + dice_roll(&dice, 3 * TIMERS_TICK);
    case 1:
        return now + dice_roll(&dice, TIMERS_TICK * TIMERS_SLOTS);
    case 2:
        return now + dice_roll(&dice, 5 * TIMERS_TICK * TIMERS_SLOTS); /* round again */
    default:
        return now + 1 + dice_roll(&dice, 1000);
    }
}

static void meddle(void)
{
    unsigned i = dice_roll(&dice, TIMERS);

    switch (dice_roll(&dice, 4)) {
    case 0:
        timers_remove(&wheel, &each[i]);
        deadlines[i] = 0;
        memset(&each[i], 0, sizeof(each[i])); /* its memory went, and came back as new */
        break;
    case 1:
        timers_unset(&each[i]);
        deadlines[i] = 0;
        break;
    default:
        deadlines[i] = some_deadline();
        if (deadlines[i] <= now)
            deadlines[i] = now + 1;
        timers_set(&wheel, &each[i], deadlines[i]);
        break;
    }
}

static void expired(void *arg, struct timer *timer)
{
    size_t i = (size_t)(timer - each);

    MUST(arg == &wheel);
    MUST(i < TIMERS);
    MUST(deadlines[i] != 0); /* set, and not told before */
    MUST(deadlines[i] <= now);
    MUST(timer->deadline == 0);
    deadlines[i] = 0;
    expired_count++;
    if (meddling) {
        meddle();
        meddle();
    }
}

/* Nobody is late, and the next call is asked for in time. */
static void check_wheel(void)
{
    uint64_t first = UINT64_MAX;
    int wait = timers_wait(&wheel, now);

    for (size_t i = 0; i < TIMERS; i++) {
        if (deadlines[i] == 0)
            continue;
        MUST(latest(deadlines[i]) > now);
        first = deadlines[i] < first ? deadlines[i] : first;
    }
    if (first != UINT64_MAX) {
        MUST(wait >= 0);
        MUST(now + (uint64_t)wait <= latest(first));
    }
    MUST(wait >= -1);
}

static void begin(uint64_t start)
{
    now = start;
    expired_count = 0;
    memset(each, 0, sizeof(each));
    memset(deadlines, 0, sizeof(deadlines));
    meddling = false;
    timers_init(&wheel, now);
}

static void run(bool with_meddling, uint64_t seed)
{
    dice = dice_new(seed);
    begin(1000000007);
    meddling = with_meddling;
    ck_assert_int_eq(timers_wait(&wheel, now), -1);

    for (int step = 0; step < 30000; step++) {
        unsigned changes = dice_roll(&dice, 6);

        for (unsigned i = 0; i < changes; i++)
            meddle();
        switch (dice_roll(&dice, 30)) {
        case 0: /* a long sleep */
            now += dice_roll(&dice, 4 * TIMERS_TICK * TIMERS_SLOTS);
            break;
        case 1: /* exactly as asked */
            now += (uint64_t)(timers_wait(&wheel, now) + 1);
            break;
        case 2:
            break;
        case 3: /* a suspended machine */
            now += (uint64_t)1 << (20 + dice_roll(&dice, 16));
            break;
        default:
            now += dice_roll(&dice, 4 * TIMERS_TICK);
        }
        timers_expire(&wheel, now, expired, &wheel);
        check_wheel();
    }
    ck_assert_uint_gt(expired_count, 1000);

    for (size_t i = 0; i < TIMERS; i++)
        timers_remove(&wheel, &each[i]);
    ck_assert_uint_eq(wheel.count, 0);
    ck_assert_int_eq(timers_wait(&wheel, now), -1);
}

START_TEST(timers_agree_with_a_list)
{
    run(false, 1);
}
END_TEST

START_TEST(timers_may_be_changed_while_they_expire)
{
    run(true, 2);
}
END_TEST

/* A timer that is always set later, as every request does, never expires. */
START_TEST(timers_set_later_stay_quiet)
{
    begin(5);
    for (int i = 0; i < 100000; i++) {
        now += 7;
        deadlines[0] = now + 1000;
        timers_set(&wheel, &each[0], deadlines[0]);
        timers_expire(&wheel, now, expired, &wheel);
        MUST(expired_count == 0);
        MUST(wheel.count == 1);
    }
    now += 999;
    timers_expire(&wheel, now, expired, &wheel);
    ck_assert_uint_eq(expired_count, 0);
    now = latest(deadlines[0]);
    timers_expire(&wheel, now, expired, &wheel);
    ck_assert_uint_eq(expired_count, 1);
    timers_expire(&wheel, now + 100000, expired, &wheel);
    ck_assert_uint_eq(expired_count, 1);
}
END_TEST

/* Set sooner than before, it comes sooner. */
START_TEST(timers_set_sooner_come_sooner)
{
    begin(123456);
    timers_set(&wheel, &each[0], now + 60000);
    deadlines[0] = now + 100;
    timers_set(&wheel, &each[0], deadlines[0]);
    ck_assert_uint_eq(wheel.count, 1);
    ck_assert_int_le(timers_wait(&wheel, now), 100 + TIMERS_TICK);
    now += 100 + TIMERS_TICK;
    timers_expire(&wheel, now, expired, &wheel);
    ck_assert_uint_eq(expired_count, 1);
}
END_TEST

/* A clock that steps back delays, and neither hangs nor fires. */
START_TEST(timers_bear_a_step_back)
{
    begin(1000000);
    deadlines[0] = now + 500;
    timers_set(&wheel, &each[0], deadlines[0]);
    now -= 600000;
    timers_expire(&wheel, now, expired, &wheel);
    ck_assert_uint_eq(expired_count, 0);
    ck_assert_int_gt(timers_wait(&wheel, now), 0);
    now = latest(deadlines[0]);
    timers_expire(&wheel, now, expired, &wheel);
    ck_assert_uint_eq(expired_count, 1);
}
END_TEST

UNIT("timers", timers_agree_with_a_list, timers_may_be_changed_while_they_expire,
     timers_set_later_stay_quiet, timers_set_sooner_come_sooner, timers_bear_a_step_back)
