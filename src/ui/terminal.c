/* What commands share when they talk to a person. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui/command.h"

unsigned weir_terminal_columns(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
}

bool weir_terminal_colour(bool no_colour) {
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !no_colour && !(none && *none) && isatty(STDOUT_FILENO) &&
           !(terminal && strcmp(terminal, "dumb") == 0);
}

int weir_complain(const struct weir_fault *fault, int error, int code) {
    fprintf(stderr, "weir: %s\n", fault->text[0] ? fault->text : strerror(-error));
    return code;
}
