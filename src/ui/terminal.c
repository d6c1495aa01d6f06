/* What commands share when they talk to a person. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui/command.h"

unsigned weir_terminal_columns(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 100;
}

int weir_complain(const struct weir_fault *fault, int error, int code) {
    fprintf(stderr, "weir: %s\n", fault->text[0] ? fault->text : strerror(-error));
    return code;
}
