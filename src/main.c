/* weir: finds the sub-command, and leaves everything else to it. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ui/command.h"

static const struct weir_command *const commands[] = {&weir_command_live, &weir_command_check, &weir_command_replay, &weir_command_status, &weir_command_top, &weir_command_alerts, &weir_command_history, &weir_command_fleet, &weir_command_services, &weir_command_keys};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    fputs("weir tells whether streaming services work for the people behind a gateway, from its packets.\n\n"
          "Usage: weir COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n", out);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n`weir COMMAND --help` tells of each; `weir --version` of this build.\n", out);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0) {
        puts("weir " WEIR_VERSION);
        return WEIR_EXIT_DONE;
    }
    bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
    if (!help && *name)
        fprintf(stderr, "weir: '%s' is not a command\n\n", name);
    usage(help ? stdout : stderr);
    return help ? WEIR_EXIT_DONE : WEIR_EXIT_USAGE;
}
