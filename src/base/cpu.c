#include "base/cpu.h"

#include <sched.h>
#include <stdint.h>

#include "base/num.h"

int cpu_allowed(struct cpu_list *list)
{
    cpu_set_t set;

    list->count = 0;
    if (sched_getaffinity(0, sizeof(set), &set))
        return -1;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && cpu < CPU_MAX; cpu++) {
        if (CPU_ISSET(cpu, &set))
            list->cpus[list->count++] = (int)cpu;
    }
    return 0;
}

int cpu_parse(struct slice text, struct cpu_list *list)
{
    list->count = 0;
    while (text.at != NULL) {
        struct slice to, from = slice_cut(slice_cut(text, ',', &text), '-', &to);
        uint64_t first, last;

        if (num_parse(from, &first))
            return -1;
        last = first;
        if (to.at != NULL && num_parse(to, &last))
            return -1;
        if (last >= CPU_MAX || first > last || list->count + (last - first) >= CPU_MAX)
            return -1;
        for (; first <= last; first++)
            list->cpus[list->count++] = (int)first;
    }
    return 0;
}

int cpu_pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set);
}
