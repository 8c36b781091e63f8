#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/*
 * Three clocks, so that a step of the wall clock moves nothing but "today". None of them costs
 * a system call where the kernel maps its clocks into the process.
 */

/**
 * clock_ms(void):
 * Milliseconds of a clock that never steps, a few milliseconds coarse: for ages and timeouts.
 */
uint64_t clock_ms(void);

/**
 * clock_ns(void):
 * Nanoseconds of a clock that never steps: for durations.
 */
uint64_t clock_ns(void);

/**
 * clock_wall(void):
 * Seconds since the Unix epoch, as the wall clock has it.
 */
int64_t clock_wall(void);

#endif
