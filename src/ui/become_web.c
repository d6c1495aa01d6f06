/* See web.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ui/command.h"
#include "ui/web.h"

static const char name[] = "weir-web";

/* Of a build directory, or where both were copied to. */
static const char *beside(char path[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash || (size_t)(path + PATH_MAX - slash) <= sizeof name) return NULL;
    memcpy(slash + 1, name, sizeof name);
    return access(path, X_OK) == 0 ? path : NULL;
}

int weir_become_web(int argc, char **argv) {
    char path[PATH_MAX], program[] = "weir";
    const char *found = beside(path);
    const char *tried = found ? found : WEIR_LIBEXEC_DIR "/weir-web";
    int error = ENOMEM;
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    if (arguments) {
        arguments[0] = program;
        memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
        execv(tried, arguments);
        error = errno;
        free(arguments);
    }
    fprintf(stderr, "weir: %s: %s; weir %s is in it: install weir whole\n", tried, strerror(error),
            argv[0]);
    return WEIR_EXIT_FAILED;
}
