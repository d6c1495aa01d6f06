/* `weir serve` of a build without libmicrohttpd. */
#include <stdio.h>

#include "ui/command.h"

static int run(int argc, char **argv) {
    fputs("weir: this build has no serve: it needs libmicrohttpd (meson -Dhttp=enabled)\n", stderr);
    return WEIR_EXIT_FAILED;
}

const struct weir_command weir_command_serve = {"serve",
                                                "(not in this build: it needs libmicrohttpd)", run};
