#include "unit.h"

#include <time.h>

#include "base/clock.h"

START_TEST(clock_goes_on)
{
    struct timespec pause = { 0, 30000000 };
    uint64_t ms = clock_ms(), ns = clock_ns();

    for (int i = 0; i < 10000; i++) {
        uint64_t ms_now = clock_ms(), ns_now = clock_ns();

        ck_assert(ms_now >= ms && ns_now >= ns);
        ms = ms_now;
        ns = ns_now;
    }
    nanosleep(&pause, NULL);
    ck_assert_uint_ge(clock_ns() - ns, 30000000);
    ck_assert_uint_ge(clock_ms() - ms, 19); /* coarse: by up to a tick of the kernel */
    ck_assert_uint_lt(clock_ms() - ms, 60000);
}
END_TEST

START_TEST(clock_knows_the_time)
{
    int64_t before = time(NULL), wall = clock_wall(), after = time(NULL);

    ck_assert(wall >= before - 1 && wall <= after + 1);
}
END_TEST

UNIT("clock", clock_goes_on, clock_knows_the_time)
