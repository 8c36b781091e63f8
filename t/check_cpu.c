#include "unit.h"

#include <sched.h>

#include "base/cpu.h"

START_TEST(cpu_reads_lists)
{
    static const struct {
        const char *text;
        size_t count;
        int cpus[6];
    } good[] = {
        { "0", 1, { 0 } },
        { "7", 1, { 7 } },
        { "0,2-3", 3, { 0, 2, 3 } },
        { "3,1", 2, { 3, 1 } },
        { "4-4", 1, { 4 } },
        { "1,1", 2, { 1, 1 } },
        { "1020-1023,5", 5, { 1020, 1021, 1022, 1023, 5 } },
    };
    static const char *const bad[] = { "",    ",",    "1,",  ",1",    "1,,2",  "a",
                                       "1-",  "-1",   "3-1", "1-2-3", " 1",    "1 ",
                                       "0x1", "1024", "1.0", "1;2",   "0-1024" };
    struct cpu_list list;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_msg(cpu_parse(slice_of(good[i].text), &list) == 0, "%s", good[i].text);
        ck_assert_uint_eq(list.count, good[i].count);
        for (size_t j = 0; j < list.count; j++)
            ck_assert_int_eq(list.cpus[j], good[i].cpus[j]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(cpu_parse(slice_of(bad[i]), &list) == -1, "%s", bad[i]);

    /* As many as there is room for, and not one more. */
    ck_assert_int_eq(cpu_parse(SLICE("0-1023"), &list), 0);
    ck_assert_uint_eq(list.count, CPU_MAX);
    ck_assert_int_eq(list.cpus[CPU_MAX - 1], CPU_MAX - 1);
    ck_assert_int_eq(cpu_parse(SLICE("0-1023,0"), &list), -1);
    ck_assert_int_eq(cpu_parse(SLICE("0-600,0-600"), &list), -1);
}
END_TEST

START_TEST(cpu_pins_to_an_allowed_one)
{
    struct cpu_list list, pinned;

    ck_assert_int_eq(cpu_allowed(&list), 0);
    ck_assert_uint_ge(list.count, 1);
    for (size_t i = 0; i < list.count; i++)
        ck_assert(i == 0 || list.cpus[i] > list.cpus[i - 1]);

    int last = list.cpus[list.count - 1];
    ck_assert_int_eq(cpu_pin(last), 0);
    ck_assert_int_eq(sched_getcpu(), last);
    ck_assert_int_eq(cpu_allowed(&pinned), 0);
    ck_assert_uint_eq(pinned.count, 1);
    ck_assert_int_eq(pinned.cpus[0], last);
    ck_assert_int_eq(cpu_pin(CPU_MAX - 1), -1); /* a core that there is none of */
}
END_TEST

UNIT("cpu", cpu_reads_lists, cpu_pins_to_an_allowed_one)
