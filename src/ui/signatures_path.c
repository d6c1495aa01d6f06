/* Finds signatures/ and the state directory: an installed weir and one run from its build directory
 * both work without an option. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui/command.h"

/* An uninstalled program lies below the build directory: it prefers the signatures of its own
 * source. A package's knows no such directory. */
static const char *of_the_source(void) {
#ifdef WEIR_SOURCE_DIR
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    if (strncmp(program, WEIR_BUILD_DIR "/", sizeof WEIR_BUILD_DIR) == 0 &&
        access(WEIR_SOURCE_DIR "/signatures", R_OK | X_OK) == 0)
        return WEIR_SOURCE_DIR "/signatures";
#endif
    return NULL;
}

const char *weir_signatures_path(const char *given, char *path) {
    const char *environment = getenv("WEIR_SIGNATURES");
    if (given) return given;
    if (environment) return environment;
    const char *near = of_the_source();
    if (near) return near;
    snprintf(path, PATH_MAX, "%s", WEIR_DATA_DIR "/signatures");
    return path;
}

static const char usual_state[] = "/var/lib/weir";

const char *weir_state_path(const char *given, int mode) {
    return given ? given : access(usual_state, mode | X_OK) == 0 ? usual_state : NULL;
}

int weir_state_absent(const char *what, struct weir_fault *fault) {
    bool there = access(usual_state, F_OK) == 0;
    return weir_fault_set(
        fault, -ENOENT,
        "nothing to read: %s, where weir live keeps %s, %s; name another directory by --state DIR, or Redis by --redis URL",
        usual_state, what, there ? "may not be entered by this user" : "is not there");
}
