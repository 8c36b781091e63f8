#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stddef.h>

#include "base/slice.h"

/* Processor cores, by the kernel's numbers. */

#define CPU_MAX 1024

struct cpu_list {
    size_t count;
    int cpus[CPU_MAX];
};

/**
 * cpu_allowed(list):
 * Fill ${list} with the cores that this process may run on. Returns 0, or -1 with errno.
 */
int cpu_allowed(struct cpu_list *list);

/**
 * cpu_parse(text, list):
 * Fill ${list} from a text such as "0,2-3", in that order. Returns 0, or -1 if it is not one.
 */
int cpu_parse(struct slice text, struct cpu_list *list);

/**
 * cpu_pin(cpu):
 * Run the calling thread on ${cpu} only. Returns 0, or -1 with errno.
 */
int cpu_pin(int cpu);

#endif
