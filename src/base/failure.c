#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failure_set(struct failure *failure, int status, const char *parameter, const char *format,
                ...)
{
    va_list args;

    failure->status = status;
    snprintf(failure->parameter, sizeof(failure->parameter), "%s",
             parameter == NULL ? "" : parameter);
    va_start(args, format);
    vsnprintf(failure->reason, sizeof(failure->reason), format, args);
    va_end(args);
    return -1;
}

char *failure_quote(struct slice text, char quoted[FAILURE_QUOTED])
{
    size_t len = text.len < FAILURE_SHOWN ? text.len : FAILURE_SHOWN;

    for (size_t i = 0; i < len; i++)
        quoted[i] = text.at[i] >= 0x20 && text.at[i] < 0x7f ? text.at[i] : '?';
    strcpy(quoted + len, text.len > len ? "..." : "");
    return quoted;
}
