/* How weir's functions answer, and how a fault reaches a person.
 *
 * Three kinds of return, everywhere:
 *     0    done
 *   < 0    fatal: a negative errno; pass it up unchanged
 *   > 0    an outcome that the caller handles, named in an enum beside the function
 *
 * A function that can fail because of what a user gave it (a file, an option, a key) also takes a
 * `struct weir_fault *` and leaves one line there that names the file, offset or key and what to
 * do.
 */
#pragma once

#include <stdarg.h>

struct weir_fault {
    char text[512]; /* one line without newline; empty while nothing went wrong */
};

/* Formats the fault's text (cut to fit) and returns `error`, so that a caller can write
 * `return weir_fault_set(fault, -EINVAL, "...")`. `fault` may be NULL. */
__attribute__((format(printf, 3, 4))) int weir_fault_set(struct weir_fault *fault, int error,
                                                         const char *format, ...);
