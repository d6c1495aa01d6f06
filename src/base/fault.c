/* One line for a person: see error.h. What a file says is quoted in it, and must neither break the line nor steer a
 * terminal: control characters become '?'. */
#include <ctype.h>
#include <stdio.h>

#include <weir/error.h>

int weir_fault_set(struct weir_fault *fault, int error, const char *format, ...)
{
    if (!fault)
        return error;
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    for (char *c = fault->text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    return error;
}
