#ifndef SYSTEM_SHARED_H
#define SYSTEM_SHARED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The few operations by which processes touch memory that they share: loads and stores of whole
 * words, which order nothing, one compare-and-swap, and the fences that order them. They are
 * those of Concurrency Kit (ck_pr(3)); ThreadSanitizer cannot see through its inline assembly,
 * so a build for that uses the compiler's own.
 *
 * shared_load, shared_store, shared_load_32, shared_store_32: never torn, never cached in a
 * register, ordered by fences only.
 *
 * shared_swap(at, from, to): make ${*at} ${to} if it is ${from}, in one step; returns whether
 * it was. Orders nothing by itself.
 *
 * shared_fence_load(): loads before it are done before those after it.
 * shared_fence_claimed(): what was swapped before it is seen before any store after it, and no
 * load after it is done before the swap.
 * shared_fence_release(): loads and stores before it are done before any store or swap after
 * it.
 */

#ifdef __SANITIZE_THREAD__
#define SHARED_BY_COMPILER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHARED_BY_COMPILER
#endif
#endif

#ifndef SHARED_BY_COMPILER

#include <ck_pr.h>

static inline uint64_t shared_load(const uint64_t *at)
{
    return ck_pr_load_64(at);
}

static inline void shared_store(uint64_t *at, uint64_t value)
{
    ck_pr_store_64(at, value);
}

static inline uint32_t shared_load_32(const uint32_t *at)
{
    return ck_pr_load_32(at);
}

static inline void shared_store_32(uint32_t *at, uint32_t value)
{
    ck_pr_store_32(at, value);
}

static inline bool shared_swap(uint64_t *at, uint64_t from, uint64_t to)
{
    return ck_pr_cas_64(at, from, to);
}

static inline void shared_fence_load(void)
{
    ck_pr_fence_load();
}

static inline void shared_fence_claimed(void)
{
    ck_pr_fence_acquire();
    ck_pr_fence_atomic_store();
}

static inline void shared_fence_release(void)
{
    ck_pr_fence_release();
}

#else

static inline uint64_t shared_load(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void shared_store(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static inline uint32_t shared_load_32(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void shared_store_32(uint32_t *at, uint32_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static inline bool shared_swap(uint64_t *at, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(at, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* The sanitizer knows no fences: the loads and stores above order themselves. */
static inline void shared_fence_load(void)
{
}

static inline void shared_fence_claimed(void)
{
}

static inline void shared_fence_release(void)
{
}

#endif

#endif
