#include "base/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static char *room;
static size_t room_bytes;

/* Where the strings of ${list} end that lie behind ${end} without a gap. */
static char *last_byte(char **list, char *end)
{
    for (; *list != NULL; list++) {
        if (end == NULL || *list == end)
            end = *list + strlen(*list) + 1;
    }
    return end;
}

void title_init(char **argv)
{
    char *end = last_byte(environ, last_byte(argv, NULL));
    size_t count = 0;

    while (environ[count] != NULL)
        count++;
    /* Kept in sight of leak checkers even when the C library lets go of environ. */
    static char **volatile kept;
    char **copy = kept = calloc(count + 1, sizeof(*copy));
    if (copy == NULL || argv[0] == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        if ((copy[i] = strdup(environ[i])) == NULL)
            return;
    }
    environ = copy;
    room = argv[0];
    room_bytes = (size_t)(end - argv[0]);
    argv[1] = NULL;
}

void title_set(const char *format, ...)
{
    va_list args;
    char title[128];

    if (room == NULL)
        return;
    int prefix = snprintf(title, sizeof(title), "tickd: ");
    va_start(args, format);
    vsnprintf(title + prefix, sizeof(title) - (size_t)prefix, format, args);
    va_end(args);

    memset(room, 0, room_bytes);
    size_t len = strlen(title);
    memcpy(room, title, len < room_bytes ? len : room_bytes - 1);
}
