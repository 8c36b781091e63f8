#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>

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
