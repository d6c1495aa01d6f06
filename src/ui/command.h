/* The sub-commands of `weir`: one const record each, in src/ui/command_<name>.c. */
#pragma once

struct weir_command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the sub-command's name; returns the exit code */
};

enum { WEIR_EXIT_DONE = 0, WEIR_EXIT_FAILED = 1, WEIR_EXIT_USAGE = 2 };

extern const struct weir_command weir_command_replay, weir_command_services;

/* Where the shipped signatures are: `given`, else $WEIR_SIGNATURES, else the installed directory, else signatures/ beside the
 * program's source or build. `path` holds PATH_MAX bytes. */
const char *weir_signatures_path(const char *given, char *path);
