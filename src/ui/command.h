/* The sub-commands of `weir`: one const record each, in src/ui/command_<name>.c. */
#pragma once

#include <stdbool.h>

#include <weir/error.h>

struct weir_command {
    const char *name;
    const char *summary;
    /* argv[0] is the sub-command's name; returns the exit code */
    int (*run)(int argc, char **argv);
};

enum { WEIR_EXIT_DONE = 0, WEIR_EXIT_FAILED = 1, WEIR_EXIT_USAGE = 2 };

extern const struct weir_command weir_command_alerts, weir_command_check, weir_command_clients,
    weir_command_evidence, weir_command_fleet, weir_command_history, weir_command_keys,
    weir_command_live, weir_command_notify, weir_command_replay, weir_command_serve,
    weir_command_services, weir_command_status, weir_command_top;

/* Where the shipped signatures are: `given`, else $WEIR_SIGNATURES, else the installed directory,
 * else signatures/ beside the program's source or build. `path` holds PATH_MAX bytes. */
const char *weir_signatures_path(const char *given, char *path);

/* The state directory: `given`, else /var/lib/weir where it is there and may be entered in this way
 * (access(2)'s mode), else NULL. */
const char *weir_state_path(const char *given, int mode);
/* The fault where that is NULL and no Redis is named: `what` weir live keeps there. Returns
 * -ENOENT. */
int weir_state_absent(const char *what, struct weir_fault *fault);

unsigned weir_terminal_columns(void); /* of stdout; 80 where it is no terminal */
/* Of stdout: a terminal that has colours, and nobody who asked for none (--no-colour, NO_COLOR). */
bool weir_terminal_colour(bool no_colour);
/* Says the fault (or what the error means) on stderr; returns `code`. */
int weir_complain(const struct weir_fault *fault, int error, int code);
