#ifndef T_UNIT_H
#define T_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * UNIT(name, test, ...): the main() of one unit test program, which runs the given tests, each
 * in a process of its own (CK_FORK=no: in one, for a debugger).
 */
#define UNIT(name, ...)                                                                        \
    int main(void)                                                                             \
    {                                                                                          \
        const TTest *tests[] = { __VA_ARGS__ };                                                \
        Suite *suite = suite_create(name);                                                     \
        TCase *tcase = tcase_create(name);                                                     \
                                                                                               \
        tcase_set_timeout(tcase, 300);                                                         \
        for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)                            \
            tcase_add_test(tcase, tests[i]);                                                   \
        suite_add_tcase(suite, tcase);                                                         \
        SRunner *runner = srunner_create(suite);                                               \
        srunner_run_all(runner, CK_NORMAL);                                                    \
        int failed = srunner_ntests_failed(runner);                                            \
        srunner_free(runner);                                                                  \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                           \
    }

/* Whether both engines are to be tried, or epoll only: valgrind cannot see what io_uring
 * writes. */
static inline bool unit_epoll_only(void)
{
    const char *engine = getenv("TICKD_ENGINE");

    return engine != NULL && strcmp(engine, "epoll") == 0;
}

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

#endif
