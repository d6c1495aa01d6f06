/* Another user, and none of root's powers.
 *
 * Started as root, weir becomes `weir` (made by the package), or nobody where there is no such
 * user; started as somebody else (systemd's User= with ambient capabilities, or setcap on the file)
 * it stays that. Either way no capability is left, and no_new_privs sees to it that none comes
 * back. The state directory is made and given away before, while that is possible.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "confine/confine.h"

static int find_user(const char *name, struct passwd **ret_user, struct weir_fault *fault) {
    *ret_user = getpwnam(name ? name : "weir");
    if (!*ret_user && !name && (*ret_user = getpwnam("nobody")))
        weir_log(
            WEIR_LOG_NOTICE,
            "there is no user weir: going on as nobody (the package makes that user; --user names another)");
    if (*ret_user) return 0;
    return weir_fault_set(
        fault, -ENOENT,
        "user %s: there is no such user; --user names one, adduser --system makes one",
        name ? name : "weir");
}

/* A directory that is there already keeps its owner. A new one is given away by its handle, so that
 * nothing can take its place meanwhile. */
static int give_state(const char *path, const struct passwd *user, struct weir_fault *fault) {
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST)
        return weir_fault_set(fault, -errno, "%s: cannot make the state directory: %s", path,
                              strerror(errno));
    if (!made) return 0;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = 0;
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) < 0)
        error = -errno;
    else if (stat.st_uid != geteuid())
        error = -EPERM; /* another one: somebody moved ours */
    else if (fchmod(fd, 0750) < 0 || fchown(fd, user->pw_uid, user->pw_gid) < 0)
        error = -errno;
    if (fd >= 0) close(fd);
    return error ? weir_fault_set(fault, error, "%s: cannot give the state directory to %s: %s",
                                  path, user->pw_name, strerror(-error))
                 : 0;
}

static int become(const struct passwd *user, struct weir_fault *fault) {
    capng_clear(CAPNG_SELECT_ALL);
    int answer = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
                                 CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
    if (answer < 0)
        return weir_fault_set(fault, -EPERM, "cannot become user %s (libcap-ng %d: %s)",
                              user->pw_name, answer, strerror(errno));
    return 0;
}

/* The bounding set can be emptied only by who has CAP_SETPCAP; no_new_privs makes it meaningless
 * anyway. */
static int drop_capabilities(struct weir_fault *fault) {
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_apply(CAPNG_SELECT_CAPS) < 0)
        return weir_fault_set(fault, -EPERM, "cannot drop capabilities: %s", strerror(errno));
    capng_clear(CAPNG_SELECT_ALL);
    capng_apply(CAPNG_SELECT_AMBIENT);
    return 0;
}

/* A person's own command, as root: what it may write is what Landlock leaves, whoever owns it. */
static int drop_but(const struct weir_confinement *how, struct weir_fault *fault) {
    bool writes = how->state || how->writable[0];
    if (geteuid() != 0 || !writes) return drop_capabilities(fault);
    capng_clear(CAPNG_SELECT_ALL);
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
    return capng_apply(CAPNG_SELECT_CAPS) < 0
               ? weir_fault_set(fault, -EPERM, "cannot drop capabilities: %s", strerror(errno))
               : 0;
}

int weir_confine_user(const struct weir_confinement *how, struct weir_fault *fault) {
    struct passwd *user = NULL;
    int error = 0;
    if (how->keep_user)
        error = drop_but(how, fault);
    else if (geteuid() == 0 && (error = find_user(how->user, &user, fault)) == 0) {
        if (how->state) error = give_state(how->state, user, fault);
        if (!error) error = user->pw_uid == 0 ? drop_capabilities(fault) : become(user, fault);
    } else if (!error) {
        const struct passwd *self = getpwuid(geteuid());
        if (how->user && (!self || strcmp(self->pw_name, how->user) != 0))
            return weir_fault_set(fault, -EPERM, "--user %s: only root can become another user",
                                  how->user);
        error = drop_capabilities(fault);
    }
    if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        error = weir_fault_set(fault, -errno, "no_new_privs: %s", strerror(errno));
    return error;
}
