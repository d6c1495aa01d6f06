/* `weir top` of a build without ncurses. */
#include <stdio.h>

#include "ui/command.h"

static int run(int argc, char **argv) {
    fputs("weir: this build has no top: it needs ncurses (meson -Dncurses=enabled)\n", stderr);
    return WEIR_EXIT_FAILED;
}

const struct weir_command weir_command_top = {"top", "(not in this build: it needs ncurses)", run};
