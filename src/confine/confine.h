/* What a long-running weir gives up once its sockets are open (DESIGN 8): its user, its capabilities, new privileges by
 * programs, writing outside its state directory, and every system call that it has no use for.
 *
 *      user            setgid, setuid, supplementary groups of that user       user.c    libcap-ng
 *      capabilities    all sets empty, the bounding set too                     user.c
 *      files           writing only below the state directory                   files.c   Landlock, where the kernel has it
 *      system calls    an allow-list; any other call kills the process          calls.c   libseccomp
 *
 * No thread may have been started before: the kernel keeps these for each thread, and new ones inherit them.
 */
#pragma once

#include <stdbool.h>

#include <weir/error.h>

struct weir_confinement {
    const char *user;     /* to become, where started as root; NULL: `weir`, or nobody where there is no such user */
    const char *state;    /* directory that stays writable; NULL: none. Made, for that user, where it does not exist */
};

/* All of it, in the order above. Returns 0 or < 0 with what cannot be given up and why. */
int weir_confine(const struct weir_confinement *how, struct weir_fault *fault);

/* The steps. */
int weir_confine_user(const struct weir_confinement *how, struct weir_fault *fault);
int weir_confine_files(const char *writable, struct weir_fault *fault); /* > 0: this kernel has no Landlock */
int weir_confine_calls(struct weir_fault *fault);
