/* `weir live -i IFACE`: the engine on an interface, until a signal or --duration ends it. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/capture.h>
#include <weir/decode.h>

#include "base/hash.h"
#include "base/log.h"
#include "engine/config.h"
#include "engine/hosts.h"
#include "engine/pipeline.h"
#include "proof/proof.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/notify.h"
#include "ui/service_names.h"
#include "ui/sinks.h"

static const char usage[] =
    "Usage: weir live [OPTIONS] -i IFACE\n\n"
    "Watches an interface. Says when a streaming service stops working, and when it is well "
    "again. SIGINT or SIGTERM ends it with a report.\n\n"
    "Exit: 0 done, 1 failed while running, 2 usage or configuration.";

/* ---- one run, from its sockets to its end ---- */

struct session {
    int argc;
    char **argv; /* read again on SIGHUP */
    struct weir_config config;
    struct weir_service_set *set;
    struct weir_source *lanes[WEIR_LANES_MAX];
    uint8_t key[32];
    struct weir_config next_config; /* what SIGHUP has read, to go on with */
    struct weir_service_set *next_set;
    bool reload;
};

/* ---- signals ---- */

static struct weir_source *_Atomic signalled_source; /* what SIGINT and SIGTERM stop */
static volatile sig_atomic_t hung_up, stopped;

static void on_stop(int number) {
    struct weir_source *source = signalled_source;
    stopped = 1;
    if (source) weir_source_stop(source);
}

static void on_hangup(int number) { hung_up = 1; }

/* A second SIGINT or SIGTERM kills. A closed pipe or a lost Redis is an error of its sink, not of
 * the process. */
static void watch_signals(struct weir_source *source) {
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND},
                     hangup = {.sa_handler = on_hangup, .sa_flags = SA_RESTART},
                     ignore = {.sa_handler = SIG_IGN};
    signalled_source = source;
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &hangup, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- reading the configuration, at the start and on SIGHUP ---- */

static int name_site(struct weir_config *config) {
    char name[HOST_NAME_MAX + 1] = "";
    if (config->site) return 0;
    if (gethostname(name, sizeof name - 1) < 0 || !name[0]) strcpy(name, "localhost");
    for (char *c = name; *c; c++)
        if (strchr("{} \t\r\n", *c)) *c = '_';
    config->site = strdup(name);
    return config->site ? 0 : -ENOMEM;
}

static int read_configuration(struct weir_config *config, struct weir_service_set **ret_set,
                              int argc, char **argv, struct weir_fault *fault) {
    char path[PATH_MAX];
    weir_config_init(config);
    int operand = weir_config_parse(config, WEIR_CONFIG_LIVE, argc, argv, usage, fault);
    if (operand < 0 || operand == WEIR_CONFIG_HELP) return operand;
    if (operand < argc)
        return weir_fault_set(
            fault, -EINVAL,
            "'%s': live takes no arguments: an interface is named by -i, and a capture is read by weir replay",
            argv[operand]);
    if (config->from && (config->n_interfaces || config->write || config->duration_us))
        return weir_fault_set(
            fault, -EINVAL,
            "--from takes the place of an interface: without -i, --write and --duration");
    if (!config->n_interfaces && !config->from)
        return weir_fault_set(
            fault, -EINVAL,
            "name the interface to watch: weir live -i IFACE (or --from -); see weir live --help");
    int error =
        weir_service_set_load(ret_set, weir_signatures_path(config->signatures, path), fault);
    for (size_t i = 0; !error && i < config->n_maintenance; i++)
        if (strcmp(config->maintenance[i].service, "all") != 0)
            error = weir_service_must_be(*ret_set, config->maintenance[i].service, "maintenance",
                                         fault);
    return error ? error : name_site(config);
}

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

/* What was done with root's rights, or shaped the sockets, stays as it was started. */
static bool needs_a_start(const struct weir_config *now, const struct weir_config *next) {
    bool same = now->n_interfaces == next->n_interfaces && now->workers == next->workers &&
                now->snaplen == next->snaplen && now->ring_bytes == next->ring_bytes &&
                same_text(now->filter, next->filter) && same_text(now->state, next->state) &&
                same_text(now->key_file, next->key_file) && same_text(now->user, next->user) &&
                same_text(now->write, next->write) && same_text(now->from, next->from);
    for (unsigned i = 0; same && i < now->n_interfaces; i++)
        same = same_text(now->interfaces[i], next->interfaces[i]);
    return !same;
}

/* On SIGHUP. Only what was read whole and is right takes the place of the old. */
static void read_again(struct session *session) {
    struct weir_fault fault = {0};
    int error = read_configuration(&session->next_config, &session->next_set, session->argc,
                                   session->argv, &fault);
    if (!error && needs_a_start(&session->config, &session->next_config))
        error = weir_fault_set(
            &fault, -EINVAL,
            "interfaces, workers, snaplen, buffer, filter, state, key-file and user change only with a new start");
    if (error) {
        weir_log(WEIR_LOG_ERROR, "SIGHUP: %s; going on with what was read before",
                 fault.text[0] ? fault.text : strerror(-error));
        weir_service_set_unref(session->next_set);
        session->next_set = NULL;
        weir_config_deinit(&session->next_config);
        return;
    }
    weir_log(WEIR_LOG_NOTICE,
             "SIGHUP: configuration and signatures were read again; going on with them");
    weir_notify_reloading();
    session->reload = true;
    weir_source_stop(session->lanes[0]);
}

static void look_up(void *context, struct weir_source *source) {
    struct session *session = context;
    weir_notify_alive();
    if (!source || !hung_up || session->reload || stopped) return;
    hung_up = 0;
    read_again(session);
}

/* ---- the command ---- */

/* The directory that is kept writable; without --state the usual one, if that is there. */
static int drop_privileges(const struct session *session, struct weir_fault *fault) {
    const struct weir_config *config = &session->config;
    const char *state = weir_state_path(config->state, 0);
    struct weir_confinement how = {.user = config->user, .state = state};
    weir_confinement_of_config(&how, config);
    for (unsigned i = 0; i < config->workers && !config->from; i++)
        how.n_captures += weir_source_sockets(session->lanes[i], how.captures + how.n_captures,
                                              WEIR_CONFINE_CAPTURES_MAX - how.n_captures);
    int error = weir_confine(&how, fault);
    if (!error && config->state && access(state, W_OK | X_OK) < 0) {
        error = -errno;
        const struct passwd *self = getpwuid(geteuid());
        weir_fault_set(
            fault, error,
            "--state %s: user %s cannot write there: %s; give the directory to that user, or name another "
            "user with --user",
            state, self ? self->pw_name : "?", strerror(-error));
    }
    return error;
}

/* One given by name is read with the rights of who started weir; else it is kept where state is
 * kept, if anywhere. */
static int load_key(uint8_t key[32], const struct weir_config *config, bool confined,
                    struct weir_fault *fault) {
    const char *state = weir_state_path(config->state, W_OK);
    char path[PATH_MAX];
    if (confined != !config->key_file) return 0;
    if (!config->key_file && state) snprintf(path, sizeof path, "%s/client.key", state);
    return weir_client_key_load(key,
                                config->key_file ? config->key_file
                                : state          ? path
                                                 : NULL,
                                fault);
}

/* Names of devices are for a site that shows its clients. */
static struct weir_hosts *add_hosts(struct weir_publisher *publisher,
                                    const struct weir_config *config,
                                    const struct weir_publish_context *context) {
    const char *state = weir_state_path(config->state, W_OK);
    struct weir_hosts *hosts =
        state && context->clients == WEIR_CLIENTS_PLAIN ? weir_hosts_new() : NULL;
    void *sink = NULL;
    if (hosts && weir_sink_hosts_new(&sink, context, hosts, state) == 0)
        weir_publisher_add(publisher, &weir_sink_hosts, sink);
    return hosts;
}

/* Watching goes on where there is no memory, or no place, for evidence. */
static struct weir_proof *add_proof(struct weir_publisher *publisher,
                                    const struct weir_config *config,
                                    const struct weir_publish_context *context) {
    const char *state = weir_state_path(config->state, W_OK);
    char directory[PATH_MAX];
    struct weir_proof *proof = NULL;
    struct weir_fault fault = {0};
    void *sink = NULL;
    if (!state || !config->evidence_bytes) return NULL;
    snprintf(directory, sizeof directory, "%s/evidence", state);
    if (weir_proof_new(&proof, config->workers, config->evidence_bytes, directory, true, &fault) <
        0)
        weir_log(WEIR_LOG_WARNING, "%s", fault.text);
    else if (weir_sink_proof_new(&sink, context, proof) == 0)
        weir_publisher_add(publisher, &weir_sink_proof, sink);
    return proof;
}

static void say_start(const struct weir_config *config, const char *state) {
    char hint[PATH_MAX + 32] = "";
    if (state && isatty(STDOUT_FILENO))
        snprintf(hint, sizeof hint, "; weir top%s%s shows more", config->state ? " --state " : "",
                 config->state ? config->state : "");
    weir_log(WEIR_LOG_NOTICE, "watching %s%s as site %s; Ctrl-C ends it%s",
             config->from ? strcmp(config->from, "-") == 0 ? "stdin" : config->from
                          : config->interfaces[0],
             config->n_interfaces > 1 ? " and others" : "", config->site, hint);
}

/* From beginning to end, or to the next configuration. */
static int run_engine(struct session *session, struct weir_fault *fault) {
    const struct weir_config *config = &session->config;
    struct weir_publish_context context = {.site = config->site,
                                           .set = session->set,
                                           .clients = config->clients_set ? config->clients
                                                                          : WEIR_CLIENTS_PSEUDONYM};
    struct weir_publisher publisher = {0};
    struct weir_engine_options options = {
        .set = session->set,
        .local = config->local,
        .n_local = config->n_local,
        .n_workers = config->workers,
        .live = true,
        .lanes = config->workers > 1 && !config->from ? session->lanes : NULL,
        .ticks_aside = !config->from,
        .memory_bytes = config->memory_bytes,
        .want_flows = config->json && (config->records & 1u << WEIR_RECORD_FLOW),
        .detect = &config->detect,
        .regions = config->regions,
        .n_regions = config->n_regions,
        .asn = config->asn,
        .maintenance = config->maintenance,
        .n_maintenance = config->n_maintenance,
        .state = weir_state_path(config->state, W_OK),
        .publisher = &publisher,
        .progress = look_up,
        .progress_context = session};
    memcpy(context.key, session->key, sizeof context.key);
    const struct weir_sinks_run sinks = {.config = config,
                                         .shown = &context,
                                         .sent = &context,
                                         .state = options.state,
                                         .live = true};
    int error = weir_sinks_add(&publisher, &sinks, true, fault);
    if (!error) {
        options.proof = add_proof(&publisher, config, &context);
        options.hosts = add_hosts(&publisher, config, &context);
        if (!config->quiet) say_start(config, options.state);
        weir_notify("READY=1");
        error = weir_engine_run(session->lanes[0], &options, fault);
    }
    weir_publisher_deinit(&publisher);
    weir_proof_free(options.proof);
    weir_hosts_free(options.hosts);
    return error;
}

/* The same sockets go on with another configuration: flows begin anew, the detectors go on from the
 * state directory. */
static void take_next(struct session *session) {
    weir_service_set_unref(session->set);
    weir_config_deinit(&session->config);
    session->set = session->next_set;
    session->config = session->next_config;
    session->next_set = NULL;
    session->next_config = (struct weir_config){0};
    session->reload = false;
    for (unsigned i = 0; i < session->config.workers && session->lanes[i]; i++)
        weir_source_resume(session->lanes[i]);
}

static int open_sockets(struct session *session, struct weir_fault *fault) {
    const struct weir_config *config = &session->config;
    struct weir_source_options how = {
        .filter = config->filter, .n_workers = 1, .knows_linktype = weir_decode_knows_link};
    if (config->from) {
        how.growing = true;
        how.n_workers = config->workers;
        return weir_source_open_files(&session->lanes[0], &config->from, 1, &how, fault);
    }
    struct weir_live_options where = {.n_interfaces = config->n_interfaces,
                                      .snaplen = config->snaplen,
                                      .buffer_bytes = config->ring_bytes,
                                      .promiscuous = !config->no_promiscuous,
                                      .write = config->write,
                                      .duration_us = config->duration_us};
    memcpy(where.interfaces, config->interfaces, sizeof where.interfaces);
    return weir_source_open_live(session->lanes, config->workers, &where, &how, fault);
}

/* What needs root's powers comes first; then they are dropped; sinks, which may start threads, are
 * made without them. */
static int live(struct session *session, struct weir_fault *fault) {
    weir_notify_open();
    int error = load_key(session->key, &session->config, false, fault);
    if (!error) error = open_sockets(session, fault);
    if (!error) error = drop_privileges(session, fault);
    if (!error) error = load_key(session->key, &session->config, true, fault);
    if (!error) watch_signals(session->lanes[0]);
    while (!error) {
        error = run_engine(session, fault);
        if (error || stopped || !session->reload) break;
        take_next(session);
        if (stopped) /* in between: the sources have forgotten it */
            break;
    }
    weir_notify("STOPPING=1");
    signalled_source = NULL;
    for (unsigned i = 0; i < session->config.workers; i++) weir_source_free(session->lanes[i]);
    return error;
}

static int run(int argc, char **argv) {
    static struct session session;
    struct weir_fault fault = {0};
    weir_hash_draw_key(); /* before the first table is made */
    session.argc = argc;
    session.argv = argv;
    int code = WEIR_EXIT_DONE,
        error = read_configuration(&session.config, &session.set, argc, argv, &fault);
    if (error < 0)
        code = weir_complain(&fault, error, WEIR_EXIT_USAGE);
    else if (error != WEIR_CONFIG_HELP && (error = live(&session, &fault)) < 0)
        code = weir_complain(&fault, error, WEIR_EXIT_FAILED);
    weir_service_set_unref(session.set);
    weir_config_deinit(&session.config);
    weir_service_set_unref(session.next_set);
    weir_config_deinit(&session.next_config);
    return code;
}

const struct weir_command weir_command_live = {
    "live", "watches an interface and says when a service stops working", run};
