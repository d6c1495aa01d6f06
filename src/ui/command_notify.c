/* `weir notify`: follows incidents and hands each event to the targets of the configuration until
 * it was taken. */
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "confine/confine.h"
#include "notify/hook.h"
#include "notify/notify.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/notify.h"
#include "ui/prompt.h"
#include "ui/web.h"

static const char usage[] =
    "Usage: weir notify [OPTIONS]\n\n"
    "Hands incident events to people and pagers: each until it was taken, in order for each "
    "incident, at least once. Targets are lines of `to:` in the configuration, or of --to:\n\n"
    "  FORMAT [WORD...] URL\n"
    "  command [WORD...] /PATH/TO/PROGRAM [ARGUMENT...]\n\n"
    "FORMAT is alertmanager (API v2), cloudevents (1.0), slack, ntfy or json. A command gets "
    "the event on its standard input; exit 0 means taken, 100 never.\n\n"
    "WORD is one of:\n\n"
    "  services=a,b                  only these\n"
    "  state=degraded|partial|down   no lesser state\n"
    "  after=90s                     only what lasts so long\n"
    "  quiet=22:00/07:00             not at these hours of UTC\n"
    "  changes                       only what changes the state\n"
    "  each                          not one message for one cause\n"
    "  token-file=PATH               its first line is sent as a bearer token\n\n"
    "Exit: 0 done, 1 failed, or with --once something was not taken, 2 usage or "
    "configuration.";

struct asked {
    struct weir_prompt prompt;
    size_t n_lines;
    const char *lines[WEIR_TARGETS_MAX];
    const char *cursor, *user;
    bool from_start, once, fleet;
    struct weir_target targets[WEIR_TARGETS_MAX];
    int commands[WEIR_TARGETS_MAX];
};

static volatile int stopped;

static void on_stop(int number) { stopped = 1; }

/* ---- options ---- */

static int read_to(void *context, const char *text, struct weir_fault *fault) {
    struct asked *asked = context;
    if (asked->n_lines == WEIR_TARGETS_MAX)
        return weir_fault_set(fault, -EINVAL, "--to: at most %d targets", WEIR_TARGETS_MAX);
    asked->lines[asked->n_lines++] = text;
    return 0;
}

static int read_cursor(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->cursor = text;
    return *text && strlen(text) < 4000 ? 0
                                        : weir_fault_set(fault, -EINVAL, "--cursor: name a file");
}

static int read_user(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->user = text;
    return 0;
}

static int read_from_start(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->from_start = true;
    return 0;
}

static int read_once(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->once = true;
    return 0;
}

static int read_fleet(void *context, const char *text, struct weir_fault *fault) {
    ((struct asked *)context)->fleet = true;
    return 0;
}

static const struct weir_prompt_option own[] = {
    {"to", "TARGET", "one more target (repeatable), as in the configuration's `to:`", read_to},
    {"cursor", "FILE", "what each target was told (default: notify.cursor in the state directory)",
     read_cursor},
    {"from-start", NULL, "a new target hears of all that is kept, else only of what comes",
     read_from_start},
    {"once", NULL, "tell what there is, and end", read_once},
    {"fleet", NULL, "tell what weir fleet concludes of all sites in Redis", read_fleet},
    {"user", "NAME", "whom to become (default: weir, else nobody), if started as root", read_user},
    {0},
};

/* ---- beginning ---- */

static int read_targets(struct asked *asked, struct weir_fault *fault) {
    for (size_t i = 0; i < asked->prompt.config.n_to && asked->n_lines < WEIR_TARGETS_MAX; i++)
        asked->lines[asked->n_lines++] = asked->prompt.config.to[i];
    if (!asked->n_lines)
        return weir_fault_set(fault, -EINVAL,
                              "nobody to tell: name targets by `to:` in the file of --config, or "
                              "by --to; see weir notify --help");
    for (size_t i = 0; i < asked->n_lines; i++) {
        int error = weir_target_parse(&asked->targets[i], asked->lines[i], fault);
        for (size_t j = 0; !error && j < i; j++)
            if (strcmp(asked->targets[i].name, asked->targets[j].name) == 0)
                error = weir_fault_set(fault, -EINVAL, "to: %s is named twice",
                                       asked->targets[i].shown);
        if (error) return error;
    }
    return 0;
}

static int find_cursor(const struct asked *asked, const char *state, char path[PATH_MAX],
                       struct weir_fault *fault) {
    if (asked->cursor)
        snprintf(path, PATH_MAX, "%s", asked->cursor);
    else if (state)
        snprintf(path, PATH_MAX, "%s/notify.cursor", state);
    return asked->cursor || state ? 0
                                  : weir_fault_set(fault, -EINVAL,
                                                   "name by --cursor a file to remember what was "
                                                   "told, or by --state a directory for it");
}

/* The directory of the cursor stays writable; certificates, names of hosts and what is read of a
 * probe stay readable. */
static void plan(struct weir_confinement *how, const struct asked *asked, const char *state,
                 const char *cursor) {
    static char directory[PATH_MAX];
    static const char *const read[] = {"/etc/ssl",
                                       "/usr/share/ca-certificates",
                                       "/usr/local/share/ca-certificates",
                                       "/etc/resolv.conf",
                                       "/run/systemd/resolve",
                                       "/etc/hosts",
                                       "/etc/nsswitch.conf",
                                       "/etc/gai.conf",
                                       "/etc/host.conf",
                                       "/etc/services"};
    snprintf(directory, sizeof directory, "%s", cursor);
    char *slash = strrchr(directory, '/');
    if (slash) slash[slash == directory] = '\0';
    how->user = asked->user ? asked->user : asked->prompt.config.user;
    how->state = slash ? directory : ".";
    how->connects = true;
    weir_confine_path(how->readable, state);
    weir_confinement_reads_redis(how, weir_prompt_redis(&asked->prompt),
                                 asked->prompt.config.redis_password_file);
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++)
        weir_confine_path(how->readable, read[i]);
}

/* Commands are run by processes of their own, which keep the right to start programs, as the same
 * ordinary user. */
static int confine(struct asked *asked, const struct weir_confinement *how,
                   struct weir_fault *fault) {
    int error = weir_confine_user(how, fault);
    for (size_t i = 0; !error && i < asked->n_lines; i++) {
        asked->commands[i] = -1;
        if (asked->targets[i].format == WEIR_FORMAT_COMMAND)
            error = weir_hook_start(&asked->commands[i], asked->targets[i].url, fault);
    }
    if (!error) error = weir_confine_files(how, fault);
    return error < 0 ? error : weir_confine_calls(how, fault);
}

static void watch_signals(void) {
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND},
                     ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static int notify(struct asked *asked, int *ret_left, struct weir_fault *fault) {
    const char *state = weir_state_path(asked->prompt.state, R_OK),
               *redis = asked->prompt.redis || !asked->prompt.state
                            ? weir_prompt_redis(&asked->prompt)
                            : NULL;
    const struct weir_feed_where where = {.redis = redis,
                                          .password_file = asked->prompt.config.redis_password_file,
                                          .state = state,
                                          .site = asked->prompt.site,
                                          .fleet = asked->fleet};
    struct weir_confinement how = {0};
    struct weir_feed *feed = NULL;
    struct weir_notifier *notifier = NULL;
    char cursor[PATH_MAX] = "";
    if (!redis && !state) return weir_state_absent("history.db", fault);
    if (asked->fleet && !redis)
        return weir_fault_set(
            fault, -EINVAL,
            "--fleet: what weir fleet concludes is in Redis: name it by --redis URL");
    int error = find_cursor(asked, state, cursor, fault);
    plan(&how, asked, redis ? NULL : state, cursor);
    weir_notify_open();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!error) error = confine(asked, &how, fault);
    if (!error) error = weir_feed_new(&feed, &where);
    const struct weir_notify_options options = {.targets = asked->targets,
                                                .n_targets = asked->n_lines,
                                                .feed = feed,
                                                .cursor = cursor,
                                                .from_start = asked->from_start,
                                                .once = asked->once};
    if (!error) error = weir_notifier_new(&notifier, &options, asked->commands, fault);
    if (!error) {
        watch_signals();
        weir_notify("READY=1");
        *ret_left = weir_notifier_run(notifier, &stopped, weir_notify_alive, fault);
        error = *ret_left < 0 ? *ret_left : 0;
    }
    weir_notifier_free(notifier);
    weir_feed_free(feed);
    return error;
}

int weir_web_notify(int argc, char **argv) {
    static struct asked asked;
    struct weir_fault fault = {0};
    int left = 0,
        operand = weir_prompt_parse(&asked.prompt, argc, argv, usage, own, &asked, &fault),
        code = WEIR_EXIT_DONE;
    if (operand >= 0 && operand < argc)
        operand = weir_fault_set(&fault, -EINVAL,
                                 "'%s': notify takes options only; see weir notify --help",
                                 argv[operand]);
    if (operand >= 0 && operand != WEIR_CONFIG_HELP) operand = read_targets(&asked, &fault);
    if (operand < 0)
        code = weir_complain(&fault, operand, WEIR_EXIT_USAGE);
    else if (operand != WEIR_CONFIG_HELP && (operand = notify(&asked, &left, &fault)) < 0)
        code = weir_prompt_fail(&fault, operand);
    else if (left)
        code = WEIR_EXIT_FAILED;
    weir_prompt_deinit(&asked.prompt);
    return code;
}
