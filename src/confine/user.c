/* Another user, and none of root's powers.
 *
 * Started as root, weir becomes `weir` (made by the package), or nobody where there is no such user; started as somebody else
 * (systemd's User= with ambient capabilities, or setcap on the file) it stays that. Either way no capability is left, and
 * no_new_privs sees to it that none comes back. The state directory is made and given away before, while that is possible.
 */
#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "confine/confine.h"

static int find_user(const char *name, struct passwd **ret_user, struct weir_fault *fault)
{
    *ret_user = getpwnam(name ? name : "weir");
    if (!*ret_user && !name && (*ret_user = getpwnam("nobody")))
        weir_log(WEIR_LOG_NOTICE, "there is no user weir: going on as nobody (the package makes that user; --user names another)");
    if (*ret_user)
        return 0;
    return weir_fault_set(fault, -ENOENT, "user %s: there is no such user; --user names one, adduser --system makes one", name ? name : "weir");
}

/* A directory that is there already keeps its owner, unless that is root and it is empty of rights for anybody else to lose. */
static int give_state(const char *path, const struct passwd *user, struct weir_fault *fault)
{
    bool made = mkdir(path, 0750) == 0;
    if (!made && errno != EEXIST)
        return weir_fault_set(fault, -errno, "%s: cannot make the state directory: %s", path, strerror(errno));
    if (made && chown(path, user->pw_uid, user->pw_gid) < 0)
        return weir_fault_set(fault, -errno, "%s: cannot give the state directory to %s: %s", path, user->pw_name, strerror(errno));
    return 0;
}

static int become(const struct passwd *user, struct weir_fault *fault)
{
    capng_clear(CAPNG_SELECT_ALL);
    int answer = capng_change_id((int)user->pw_uid, (int)user->pw_gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
    if (answer < 0)
        return weir_fault_set(fault, -EPERM, "cannot become user %s (libcap-ng %d: %s)", user->pw_name, answer, strerror(errno));
    return 0;
}

/* The bounding set can be emptied only by who has CAP_SETPCAP; no_new_privs makes it meaningless anyway. */
static int drop_capabilities(struct weir_fault *fault)
{
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_apply(CAPNG_SELECT_CAPS) < 0)
        return weir_fault_set(fault, -EPERM, "cannot drop capabilities: %s", strerror(errno));
    capng_clear(CAPNG_SELECT_ALL);
    capng_apply(CAPNG_SELECT_AMBIENT);
    return 0;
}

int weir_confine_user(const struct weir_confinement *how, struct weir_fault *fault)
{
    struct passwd *user = NULL;
    int error = 0;
    if (geteuid() == 0 && (error = find_user(how->user, &user, fault)) == 0) {
        if (how->state)
            error = give_state(how->state, user, fault);
        if (!error)
            error = user->pw_uid == 0 ? drop_capabilities(fault) : become(user, fault);
    } else if (!error) {
        const struct passwd *self = getpwuid(geteuid());
        if (how->user && (!self || strcmp(self->pw_name, how->user) != 0))
            return weir_fault_set(fault, -EPERM, "--user %s: only root can become another user", how->user);
        error = drop_capabilities(fault);
    }
    if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        error = weir_fault_set(fault, -errno, "no_new_privs: %s", strerror(errno));
    return error;
}
