/* Finds signatures/ and the state directory: an installed weir and one run from its build directory both work without an option. */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui/command.h"

static bool is_directory_here(const char *path)
{
    return access(path, R_OK | X_OK) == 0;
}

const char *weir_signatures_path(const char *given, char *path)
{
    const char *environment = getenv("WEIR_SIGNATURES");
    if (given)
        return given;
    if (environment)
        return environment;
    /* An uninstalled program lies below the build directory: prefer the signatures of its own source. */
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    if (strncmp(program, WEIR_BUILD_DIR "/", sizeof WEIR_BUILD_DIR) == 0 && is_directory_here(WEIR_SOURCE_DIR "/signatures"))
        return WEIR_SOURCE_DIR "/signatures";
    snprintf(path, PATH_MAX, "%s", WEIR_DATA_DIR "/signatures");
    return path;
}

const char *weir_state_path(const char *given, int mode)
{
    static const char usual[] = "/var/lib/weir";
    return given ? given : access(usual, mode | X_OK) == 0 ? usual : NULL;
}
