/* weir: finds the sub-command, and leaves everything else to it. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/nearest.h"
#include "base/printable.h"
#include "ui/command.h"

static const struct weir_command *const commands[] = {
    &weir_command_live,     &weir_command_check,  &weir_command_replay,  &weir_command_status,
    &weir_command_top,      &weir_command_alerts, &weir_command_clients, &weir_command_history,
    &weir_command_evidence, &weir_command_serve,  &weir_command_notify,  &weir_command_fleet,
    &weir_command_services, &weir_command_keys};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out) {
    fputs(
        "weir tells whether streaming services work for the people behind a gateway, from its packets.\n\n"
        "Usage: weir COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n",
        out);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n`weir COMMAND --help` tells of each; `weir --version` of this build.\n", out);
}

static const struct weir_command *find(const char *name) {
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(name, commands[i]->name) == 0) return commands[i];
    return NULL;
}

static int not_a_command(const char *name) {
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++) names[i] = commands[i]->name;
    const char *near = weir_nearest(name, names, N_COMMANDS);
    char shown[64];
    weir_printable_copy(shown, sizeof shown, name);
    fprintf(stderr, "weir: '%s' is not a command%s%s%s weir help lists the commands\n", shown,
            near ? "; did you mean weir " : ";", near ? near : "", near ? "?" : "");
    return WEIR_EXIT_USAGE;
}

/* `weir help replay` is `weir replay --help`. */
static int help(const char *name) {
    char word[] = "--help", own[64];
    const struct weir_command *command = find(name);
    if (!command) return not_a_command(name);
    snprintf(own, sizeof own, "%s", name);
    return command->run(2, (char *[]){own, word, NULL});
}

int main(int argc, char **argv) {
    tzset(); /* while its file may be read */
    const char *name = argc > 1 ? argv[1] : "";
    const struct weir_command *command = find(name);
    if (command) return command->run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("weir " WEIR_VERSION);
        return WEIR_EXIT_DONE;
    }
    if (strcmp(name, "help") == 0 && argc > 2) return help(argv[2]);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage(stdout);
        return WEIR_EXIT_DONE;
    }
    if (*name) return not_a_command(name);
    usage(stderr);
    return WEIR_EXIT_USAGE;
}
