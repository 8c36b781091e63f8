#ifndef PROCESS_SELFTEST_H
#define PROCESS_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "http/conn_pool.h"
#include "system/loop.h"

/**
 * selftest_answers(loop, conns, ms):
 * Whether ${conns}, which are on ${loop} and have no connection yet, answer a request for
 * /health, whatever they say, within ${ms} milliseconds. Turns the loop.
 */
bool selftest_answers(struct loop *loop, struct conn_pool *conns, uint64_t ms);

#endif
