/* The rights that weir gives up once its sockets and files are open.
 *
 * - user (user.c, libcap-ng): setgid, setuid, and the supplementary groups of that user
 * - capabilities (user.c): all sets empty, the bounding set too
 * - files (files.c, Landlock where the kernel has it): writing only below named directories;
 *   reading only below these, of named files, and of the system's own
 * - system calls (calls.c, libseccomp): an allow-list; any other call kills the process
 *
 * Every command does it that reads bytes of strangers: live, replay, and the readers of Redis and
 * of the state directory. No thread may have been started before: the kernel keeps these for each
 * thread, and new ones inherit them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <weir/error.h>

enum { WEIR_CONFINE_PATHS_MAX = 32, WEIR_CONFINE_CAPTURES_MAX = 64 };

struct weir_confinement {
    /* to become, where started as root; NULL: `weir`, or nobody where there is no such user */
    const char *user;
    bool keep_user; /* stay who started it, without capabilities (a person's own command) */
    /* directory that stays writable; NULL: none. Made, for that user, where it does not exist */
    const char *state;
    const char *writable[WEIR_CONFINE_PATHS_MAX]; /* more directories, up to the first NULL */
    /* files and directories that are read later; absent ones are left out */
    const char *readable[WEIR_CONFINE_PATHS_MAX];
    bool connects;    /* an address was given: Redis, a target, a name to look up */
    bool local_redis; /* and it is a socket of this machine (unix://) */
    bool listens;     /* serves others: opens listening sockets, or accepts on them */
    bool full_screen; /* changes the terminal's mode */
    int captures[WEIR_CONFINE_CAPTURES_MAX]; /* packet sockets: received from, never sent to */
    size_t n_captures;
};

/* All of it, in the order above. Returns 0 or < 0 with what cannot be given up and why. */
int weir_confine(const struct weir_confinement *how, struct weir_fault *fault);

/* The steps. */
int weir_confine_user(const struct weir_confinement *how, struct weir_fault *fault);
/* > 0: this kernel has no Landlock */
int weir_confine_files(const struct weir_confinement *how, struct weir_fault *fault);
int weir_confine_calls(const struct weir_confinement *how, struct weir_fault *fault);
/* Adds a path to one of the lists; NULL and what finds no room is left out. */
void weir_confine_path(const char **list, const char *path);
