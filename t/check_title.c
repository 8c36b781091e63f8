#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "base/title.h"

extern char **environ;

/* As the kernel lays out arguments and environment: one string after another. */
static char memory[128];
static char *args[] = { memory, memory + 6, NULL };
static char *variables[] = { memory + 9, memory + 13, NULL };

static void lay_out(void)
{
    memset(memory, '#', sizeof(memory));
    memcpy(memory, "tickd\0-f\0A=1\0BCD=two three", 27);
    environ = variables;
}

START_TEST(title_is_written_over_the_arguments)
{
    char **kept = environ;

    lay_out();
    title_init(args);
    ck_assert_str_eq(getenv("A"), "1");
    ck_assert_str_eq(getenv("BCD"), "two three");

    title_set("master");
    ck_assert_str_eq(memory, "tickd: master");
    for (size_t i = strlen(memory); i < 27; i++)
        ck_assert_int_eq(memory[i], '\0');

    /* Not one byte past the strings, and an end to it. */
    title_set("worker %d of a very long description indeed", 1234567);
    ck_assert_uint_eq(strlen(memory), 26);
    ck_assert(memcmp(memory, "tickd: worker 1234567 of a", 26) == 0);
    ck_assert_int_eq(memory[27], '#');

    title_set("%0200d", 1);
    ck_assert_uint_eq(strlen(memory), 26);
    ck_assert_int_eq(memory[27], '#');

    title_set("w");
    ck_assert_str_eq(memory, "tickd: w");
    ck_assert_str_eq(getenv("A"), "1");
    ck_assert_str_eq(getenv("BCD"), "two three");
    for (char **each = environ; *each != NULL; each++)
        free(*each);
    free(environ);
    environ = kept;
}
END_TEST

START_TEST(title_needs_an_init)
{
    title_set("nobody");
}
END_TEST

UNIT("title", title_needs_an_init, title_is_written_over_the_arguments)
