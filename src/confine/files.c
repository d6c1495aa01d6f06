/* No writing outside named directories, and no reading of what is nobody's business, by Landlock:
 * not even where the user's own rights would allow it.
 *
 * Readable stay the named paths (signatures and configuration are read again on SIGHUP) and those
 * of the system that libraries open by themselves: name look-ups, time zones, certificates,
 * counters of interfaces. Home directories, /var, /tmp and the passwords' file are not among them.
 * Open files stay open (a capture, the file of --write). A kernel without Landlock leaves it at the
 * user's rights, and the caller may say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/confine.h"
#include "confine/landlock.h"

static const uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

static const char *const of_the_system[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/passwd",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/pki",
    "/etc/alternatives",
    "/dev/null",
    "/dev/urandom",
    "/dev/tty",
    "/proc",
    "/sys/class/net",
    "/sys/devices",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    "/run/netconfig",
};

static uint64_t known_here(long version) {
    uint64_t rights = writing | reading | LANDLOCK_ACCESS_FS_EXECUTE;
    if (version >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3) rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    return rights;
}

void weir_confine_path(const char **list, const char *path) {
    for (size_t i = 0; path && i < WEIR_CONFINE_PATHS_MAX; i++) {
        if (list[i]) continue;
        list[i] = path;
        return;
    }
}

/* A file takes fewer rights than a directory. A path that is not there gives none. */
static int allow(int rules, const char *path, uint64_t rights, bool must_exist,
                 struct weir_fault *fault) {
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights,
                                                 .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    struct stat stat;
    if (beneath.parent_fd < 0)
        return must_exist ? weir_fault_set(fault, -errno, "%s: %s", path, strerror(errno)) : 0;
    if (fstat(beneath.parent_fd, &stat) == 0 && !S_ISDIR(stat.st_mode))
        beneath.allowed_access &= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                                  LANDLOCK_ACCESS_FS_TRUNCATE;
    long answer = syscall(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    int error =
        answer < 0 ? weir_fault_set(fault, -errno, "%s: Landlock: %s", path, strerror(errno)) : 0;
    close(beneath.parent_fd);
    return error;
}

static int allow_all(int rules, const struct weir_confinement *how, uint64_t known,
                     struct weir_fault *fault) {
    uint64_t all = known & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
    int error = allow(rules, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE | reading, false, fault);
    for (size_t i = 0; !error && i < sizeof of_the_system / sizeof of_the_system[0]; i++)
        error = allow(rules, of_the_system[i], reading, false, fault);
    for (size_t i = 0; !error && i < WEIR_CONFINE_PATHS_MAX && how->readable[i]; i++)
        error = allow(rules, how->readable[i], reading, false, fault);
    for (size_t i = 0; !error && i < WEIR_CONFINE_PATHS_MAX && how->writable[i]; i++)
        error = allow(rules, how->writable[i], all, true, fault);
    if (!error && how->state) error = allow(rules, how->state, all, !how->keep_user, fault);
    return error;
}

int weir_confine_files(const struct weir_confinement *how, struct weir_fault *fault) {
    long version = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return 1;
    const struct landlock_ruleset_attr handled = {.handled_access_fs = known_here(version)};
    int rules = (int)syscall(__NR_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0) return weir_fault_set(fault, -errno, "Landlock: %s", strerror(errno));
    int error = allow_all(rules, how, handled.handled_access_fs, fault);
    if (!error && syscall(__NR_landlock_restrict_self, rules, 0) < 0)
        error = weir_fault_set(fault, -errno, "Landlock: %s", strerror(errno));
    close(rules);
    return error;
}

int weir_confine(const struct weir_confinement *how, struct weir_fault *fault) {
    int error = weir_confine_user(how, fault);
    if (!error) error = weir_confine_files(how, fault);
    if (error >= 0) error = weir_confine_calls(how, fault);
    return error;
}
