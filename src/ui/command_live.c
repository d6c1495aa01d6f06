/* `weir live -i IFACE`: the engine on an interface, until a signal or --duration ends it.
 *
 * A sink stands in front of stdout's: what was captured so far is kept back (one capture record ends a run), and a person gets
 * each incident event as a line the moment it happens, before the report at the end.
 */
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

#include "base/log.h"
#include "confine/confine.h"
#include "engine/config.h"
#include "engine/pipeline.h"
#include "ui/command.h"

static const char usage[] =
    "Usage: weir live [OPTIONS] -i IFACE\n\n"
    "Watches an interface and says when a streaming service stops working, and when it is well again. SIGINT or SIGTERM ends\n"
    "it with a report. Exit: 0 done, 1 failed while running, 2 usage or configuration.";

/* ---- sinks ---- */

struct inner_sink {
    const struct weir_sink *sink;
    void *state;
    const struct weir_service_set *set; /* stdout: lines of incidents; NULL: none */
    FILE *stream;
};

static int inner_new(void **ret_state, const struct weir_sink *sink, void *state)
{
    struct inner_sink *inner = malloc(sizeof *inner);
    if (!inner) {
        sink->free(state);
        return -ENOMEM;
    }
    *inner = (struct inner_sink){.sink = sink, .state = state};
    *ret_state = inner;
    return 0;
}

static void inner_free(void *state)
{
    struct inner_sink *inner = state;
    if (inner && inner->state)
        inner->sink->free(inner->state);
    free(inner);
}

static int say_incident(const struct inner_sink *inner, const struct weir_incident *incident, struct weir_fault *fault)
{
    char when[32];
    time_t seconds = (time_t)(incident->ts_us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &utc);
    const char *who = incident->service ? weir_service_get(inner->set, incident->service)->id : weir_cause_name(incident->cause);
    bool cleared = incident->event == WEIR_INCIDENT_CLEARED;
    fprintf(inner->stream, "%s  %s %s: %s\n", when, who, cleared ? "cleared" : weir_state_name(incident->state), incident->text);
    return fflush(inner->stream) == 0 ? 0 : weir_fault_set(fault, -EIO, "writing incidents: %s", strerror(errno));
}

static int stdout_record(void *state, const struct weir_record *record, struct weir_fault *fault)
{
    struct inner_sink *inner = state;
    if (record->type == WEIR_RECORD_CAPTURE && record->capture->interim)
        return 0;
    if (record->type == WEIR_RECORD_INCIDENT && inner->set) {
        int error = say_incident(inner, record->incident, fault);
        if (error)
            return error;
    }
    return inner->sink->record(inner->state, record, fault);
}

static int stdout_flush(void *state, struct weir_fault *fault)
{
    struct inner_sink *inner = state;
    return inner->sink->flush(inner->state, fault);
}

static const struct weir_sink sink_stdout = {
    .name = "stdout", .help = "what an interface shows, as it happens", .record = stdout_record, .flush = stdout_flush, .free = inner_free};

static int add_redis(struct weir_publisher *publisher, const struct weir_config *config, const struct weir_publish_context *context,
                     struct weir_fault *fault)
{
    const char *directory = weir_state_path(config->state, W_OK);
    char spool[PATH_MAX];
    snprintf(spool, sizeof spool, "%s/spool", directory ? directory : "");
    const struct weir_redis_options redis = {
        .url = config->redis, .password = config->redis_password, .password_file = config->redis_password_file, .spool = directory ? spool : NULL,
        .queue_bytes = config->redis_queue_bytes, .patience_s = config->redis_wait_s ? config->redis_wait_s : 5,
        .ttl_s = 35, .window_maxlen = config->redis_windows, .incident_maxlen = 10000};
    void *state = NULL;
    int error = weir_sink_redis_new(&state, context, &redis, fault);
    if (!error)
        weir_publisher_add(publisher, &weir_sink_redis, state);
    return error;
}

static int add_snapshot(struct weir_publisher *publisher, const struct weir_config *config, const struct weir_publish_context *context,
                        struct weir_fault *fault)
{
    const char *directory = weir_state_path(config->state, W_OK);
    void *state = NULL;
    int error = directory ? weir_sink_snapshot_new(&state, context, directory, false, fault) : 0;
    if (!error && directory)
        weir_publisher_add(publisher, &weir_sink_snapshot, state);
    return error;
}

static int add_stdout(struct weir_publisher *publisher, const struct weir_config *config, const struct weir_publish_context *context,
                      struct weir_fault *fault)
{
    bool colour = isatty(STDOUT_FILENO) && !config->no_colour && !getenv("NO_COLOR");
    void *state = NULL, *outer = NULL;
    int error = config->json ? weir_sink_ndjson_new(&state, context, config->records, stdout)
                             : weir_sink_terminal_new(&state, context, stdout, colour, weir_terminal_columns());
    if (!error)
        error = inner_new(&outer, config->json ? &weir_sink_ndjson : &weir_sink_terminal, state);
    if (error)
        return error;
    struct inner_sink *inner = outer;
    inner->set = config->json ? NULL : context->set;
    inner->stream = stdout;
    weir_publisher_add(publisher, &sink_stdout, outer);
    return 0;
}

/* ---- signals ---- */

static struct weir_source *_Atomic signalled_source; /* what SIGINT and SIGTERM stop */
static volatile sig_atomic_t hung_up;

static void on_stop(int number)
{
    struct weir_source *source = signalled_source;
    if (source)
        weir_source_stop(source);
}

static void on_hangup(int number)
{
    hung_up = 1;
}

/* A second SIGINT or SIGTERM kills. A closed pipe or a lost Redis is an error of its sink, not of the process. */
static void watch_signals(struct weir_source *source)
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND}, hangup = {.sa_handler = on_hangup, .sa_flags = SA_RESTART},
                     ignore = {.sa_handler = SIG_IGN};
    signalled_source = source;
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &hangup, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static void look_up(void *context, struct weir_source *source)
{
    if (!hung_up)
        return;
    hung_up = 0;
    weir_log(WEIR_LOG_NOTICE, "SIGHUP: nothing is read again while running; start weir again to change its configuration");
}

/* ---- the command ---- */

static int name_site(struct weir_config *config)
{
    char name[HOST_NAME_MAX + 1] = "";
    if (config->site)
        return 0;
    if (gethostname(name, sizeof name - 1) < 0 || !name[0])
        strcpy(name, "localhost");
    for (char *c = name; *c; c++)
        if (strchr("{} \t\r\n", *c))
            *c = '_';
    config->site = strdup(name);
    return config->site ? 0 : -ENOMEM;
}

static int run_engine(struct weir_source *source, const struct weir_config *config, struct weir_publisher *publisher,
                      struct weir_service_set *set, struct weir_fault *fault)
{
    const struct weir_engine_options options = {
        .set = set, .local = config->local, .n_local = config->n_local, .n_workers = config->workers, .live = true,
        .memory_bytes = config->memory_bytes, .want_flows = config->json && (config->records & 1u << WEIR_RECORD_FLOW),
        .detect = &config->detect, .regions = config->regions, .n_regions = config->n_regions, .state = weir_state_path(config->state, W_OK), .publisher = publisher, .progress = look_up};
    if (!config->quiet)
        weir_log(WEIR_LOG_NOTICE, "watching %s as site %s; SIGINT or SIGTERM ends it", config->interface, config->site);
    return weir_engine_run(source, &options, fault);
}

/* The directory that is kept writable; without --state the usual one, if that is there. */
static int drop_privileges(const struct weir_config *config, struct weir_fault *fault)
{
    const char *state = weir_state_path(config->state, 0);
    const struct weir_confinement how = {.user = config->user, .state = state};
    int error = weir_confine(&how, fault);
    if (!error && config->state && access(state, W_OK | X_OK) < 0) {
        error = -errno;
        const struct passwd *self = getpwuid(geteuid());
        weir_fault_set(fault, error, "--state %s: user %s cannot write there: %s; give the directory to that user, or name another "
                       "user with --user", state, self ? self->pw_name : "?", strerror(-error));
    }
    return error;
}

/* One given by name is read with the rights of who started weir; else it is kept where state is kept, if anywhere. */
static int load_key(uint8_t key[32], const struct weir_config *config, bool confined, struct weir_fault *fault)
{
    const char *state = weir_state_path(config->state, W_OK);
    char path[PATH_MAX];
    if (confined != !config->key_file)
        return 0;
    if (!config->key_file && state)
        snprintf(path, sizeof path, "%s/client.key", state);
    return weir_client_key_load(key, config->key_file ? config->key_file : state ? path : NULL, fault);
}

static int add_sinks(struct weir_publisher *publisher, const struct weir_config *config, const struct weir_publish_context *context,
                     struct weir_fault *fault)
{
    int error = config->redis ? add_redis(publisher, config, context, fault) : 0;
    if (!error)
        error = add_snapshot(publisher, config, context, fault);
    return error ? error : add_stdout(publisher, config, context, fault);
}

/* What needs root's powers comes first; then they are dropped; sinks, which may start threads, are made without them. */
static int live(const struct weir_config *config, struct weir_service_set *set, struct weir_fault *fault)
{
    struct weir_publish_context context = {
        .site = config->site, .set = set, .clients = config->clients_set ? config->clients : WEIR_CLIENTS_PSEUDONYM};
    struct weir_source *source = NULL;
    struct weir_publisher publisher = {0};
    const struct weir_source_options how = {.filter = config->filter, .n_workers = config->workers, .knows_linktype = weir_decode_knows_link};
    const struct weir_live_options where = {
        .interface = config->interface, .snaplen = config->snaplen, .buffer_bytes = config->ring_bytes,
        .promiscuous = !config->no_promiscuous, .write = config->write, .duration_us = config->duration_us};
    int error = load_key(context.key, config, false, fault);
    if (!error)
        error = weir_source_open_live(&source, &where, &how, fault);
    if (!error)
        error = drop_privileges(config, fault);
    if (!error)
        error = load_key(context.key, config, true, fault);
    if (!error)
        error = add_sinks(&publisher, config, &context, fault);
    if (!error) {
        watch_signals(source);
        error = run_engine(source, config, &publisher, set, fault);
        signalled_source = NULL;
    }
    weir_publisher_deinit(&publisher);
    weir_source_free(source);
    return error;
}

static int run(int argc, char **argv)
{
    struct weir_config config;
    struct weir_fault fault = {0};
    weir_config_init(&config);
    int operand = weir_config_parse(&config, WEIR_CONFIG_LIVE, argc, argv, usage, &fault), code = WEIR_EXIT_DONE;
    if (operand == WEIR_CONFIG_HELP) {
        weir_config_deinit(&config);
        return code;
    }
    if (operand >= 0 && operand < argc)
        operand = weir_fault_set(&fault, -EINVAL, "'%s': live takes no capture files (weir replay does)", argv[operand]);
    else if (operand >= 0 && !config.interface)
        operand = weir_fault_set(&fault, -EINVAL, "name the interface to watch: weir live -i IFACE; see weir live --help");
    struct weir_service_set *set = NULL;
    char path[PATH_MAX];
    int error = operand < 0 ? operand : weir_service_set_load(&set, weir_signatures_path(config.signatures, path), &fault);
    if (!error)
        error = name_site(&config);
    if (error < 0)
        code = weir_complain(&fault, error, WEIR_EXIT_USAGE);
    else if ((error = live(&config, set, &fault)) < 0)
        code = weir_complain(&fault, error, WEIR_EXIT_FAILED);
    weir_service_set_unref(set);
    weir_config_deinit(&config);
    return code;
}

const struct weir_command weir_command_live = {"live", "watches an interface and says when a service stops working", run};
