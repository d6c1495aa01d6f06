/* One line for a person: see error.h. A fault quotes files and arguments: what could break its line
 * or steer a terminal becomes
 * '?' (printable.h). */
#include <stdio.h>

#include <weir/error.h>

#include "base/printable.h"

int weir_fault_set(struct weir_fault *fault, int error, const char *format, ...) {
    if (!fault) return error;
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    weir_printable(fault->text, false);
    return error;
}
