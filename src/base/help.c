/* To standard output: help is what was asked for. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/help.h"
#include "base/wrap.h"

enum { HELP_INDENT = 27 };

static void print_paragraph(const char *text, size_t length) {
    char room[2048];
    snprintf(room, sizeof room, "%.*s", (int)length, text);
    if (*room == ' ' || strncmp(room, "Usage:", 6) == 0)
        puts(room);
    else
        weir_wrap(stdout, room, 0, 0, WEIR_HELP_COLUMNS);
}

void weir_help_usage(const char *usage) {
    while (*usage) {
        const char *end = strstr(usage, "\n\n");
        size_t length = end ? (size_t)(end - usage) : strlen(usage);
        print_paragraph(usage, length);
        usage += length + (end ? 2 : 0);
        if (*usage) putchar('\n');
    }
}

void weir_help_option(char letter, const char *name, const char *argument, const char *help) {
    char left[80] = "      ";
    if (letter) snprintf(left, sizeof left, "  -%c, ", letter);
    size_t used = strlen(left);
    snprintf(left + used, sizeof left - used, "--%s%s%s", name, argument ? " " : "",
             argument ? argument : "");
    bool fits = strlen(left) + 2 <= HELP_INDENT;
    printf("%s%s%*s", left, fits ? "" : "\n", fits ? HELP_INDENT - (int)strlen(left) : HELP_INDENT,
           "");
    weir_wrap(stdout, help, HELP_INDENT, HELP_INDENT, WEIR_HELP_COLUMNS);
}
