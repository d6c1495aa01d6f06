/* `weir notify` of a build without libcurl. */
#include <stdio.h>

#include "ui/command.h"

static int run(int argc, char **argv) {
    fputs("weir: this build has no notify: it needs libcurl (meson -Dnotify=enabled)\n", stderr);
    return WEIR_EXIT_FAILED;
}

const struct weir_command weir_command_notify = {"notify", "(not in this build: it needs libcurl)",
                                                 run};
