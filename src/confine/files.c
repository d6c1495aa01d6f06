/* No writing outside the state directory, by Landlock: not even where the user's own rights would allow it.
 *
 * Reading stays as it was (signatures and configuration are read again on SIGHUP), and what was opened before stays open (the
 * file of --write). A kernel without Landlock leaves it at the user's rights, and the caller may say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/confine.h"

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE /* third version; Debian 12's headers know two */
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static const __u64 writing =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

static __u64 known_here(long version)
{
    __u64 rights = writing | LANDLOCK_ACCESS_FS_EXECUTE;
    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return rights;
}

static int allow(int rules, const char *path, __u64 rights, struct weir_fault *fault)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (beneath.parent_fd < 0)
        return weir_fault_set(fault, -errno, "%s: %s", path, strerror(errno));
    long answer = syscall(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    int error = answer < 0 ? weir_fault_set(fault, -errno, "%s: Landlock: %s", path, strerror(errno)) : 0;
    close(beneath.parent_fd);
    return error;
}

int weir_confine_files(const char *writable, struct weir_fault *fault)
{
    long version = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return 1;
    const struct landlock_ruleset_attr handled = {.handled_access_fs = known_here(version)};
    int rules = (int)syscall(__NR_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0)
        return weir_fault_set(fault, -errno, "Landlock: %s", strerror(errno));
    int error = allow(rules, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE, fault);
    if (!error && writable)
        error = allow(rules, writable, handled.handled_access_fs & ~(__u64)LANDLOCK_ACCESS_FS_EXECUTE, fault);
    if (!error && syscall(__NR_landlock_restrict_self, rules, 0) < 0)
        error = weir_fault_set(fault, -errno, "Landlock: %s", strerror(errno));
    close(rules);
    return error;
}

int weir_confine(const struct weir_confinement *how, struct weir_fault *fault)
{
    int error = weir_confine_user(how, fault);
    if (!error)
        error = weir_confine_files(how->state, fault);
    if (error >= 0)
        error = weir_confine_calls(fault);
    return error;
}
