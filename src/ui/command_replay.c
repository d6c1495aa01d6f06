/* `weir replay CAPTURE...`: the same engine as on a gateway, over files; a table and the incidents
 * in words, or NDJSON. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/capture.h>
#include <weir/decode.h>

#include "base/log.h"
#include "base/printable.h"
#include "engine/config.h"
#include "engine/hosts.h"
#include "engine/pipeline.h"
#include "proof/proof.h"
#include "ui/command.h"
#include "ui/confined.h"
#include "ui/progress.h"
#include "ui/service_names.h"
#include "ui/sinks.h"

static const char usage[] =
    "Usage: weir replay [OPTIONS] CAPTURE...\n\n"
    "Reads pcap or pcapng files, also .gz and .zst, and says for each streaming service "
    "whether it worked. Several files are one capture in time order; - is stdin.\n\n"
    "Exit: 0 done, 1 failed while running, 2 usage or configuration.";

/* replay:<first file's name>, so that a replay never writes into a live site's keys. */
static int name_site(struct weir_config *config, const char *path) {
    if (config->site) return 0;
    const char *slash = strrchr(path, '/');
    char *site;
    if (asprintf(&site, "replay:%s",
                 strcmp(path, "-") == 0 ? "stdin"
                 : slash                ? slash + 1
                                        : path) < 0)
        return -ENOMEM;
    weir_printable(site, false); /* a file's name may be any bytes */
    for (char *c = site; *c; c++)
        if (strchr("{} \t\r\n", *c)) *c = '_';
    config->site = site;
    return 0;
}

/* And the one it is in, no more: what is not there above is a slip of the pen. < 0 with errno. */
static int make_directory(const char *path) {
    char above[PATH_MAX];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    while (length > 0 && path[length - 1] != '/') length--;
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return 0;
    if (errno != ENOENT || !length) return -1;
    snprintf(above, sizeof above, "%.*s", (int)length, path);
    return mkdir(above, 0777) < 0 ? -1 : mkdir(path, 0777);
}

/* A capture is a stranger's bytes. All files are open; no thread runs yet. */
static int confine(const struct weir_config *config, struct weir_fault *fault) {
    struct weir_confinement how = {.keep_user = true, .state = config->state};
    weir_confinement_of_config(&how, config);
    if (config->evidence && make_directory(config->evidence) < 0)
        return weir_fault_set(fault, -errno, "--evidence %s: %s", config->evidence,
                              strerror(errno));
    weir_confine_path(how.writable, config->evidence);
    return weir_confine(&how, fault);
}

/* The evidence of a capture is gathered as that of an interface is, with more memory for it. */
static int add_proof(struct weir_publisher *publisher, const struct weir_config *config,
                     const struct weir_publish_context *sent, struct weir_proof **ret_proof,
                     struct weir_fault *fault) {
    enum { RINGS_BYTES = 256 << 20 };
    void *state = NULL;
    if (!config->evidence) return 0;
    int error =
        weir_proof_new(ret_proof, config->workers, RINGS_BYTES, config->evidence, false, fault);
    if (!error) error = weir_sink_proof_new(&state, sent, *ret_proof);
    if (!error) weir_publisher_add(publisher, &weir_sink_proof, state);
    return error;
}

/* Beside status.json, where what is kept shows clients plainly. */
static struct weir_hosts *add_hosts(struct weir_publisher *publisher,
                                    const struct weir_config *config,
                                    const struct weir_publish_context *sent) {
    struct weir_hosts *hosts =
        config->state && sent->clients == WEIR_CLIENTS_PLAIN ? weir_hosts_new() : NULL;
    void *state = NULL;
    if (hosts && weir_sink_hosts_new(&state, sent, hosts, config->state) == 0)
        weir_publisher_add(publisher, &weir_sink_hosts, state);
    return hosts;
}

static int replay(struct weir_config *config, char **paths, int n_paths,
                  struct weir_service_set *set, struct weir_fault *fault) {
    /* What a replay shows is plain unless asked otherwise; what goes to Redis is pseudonymous
     * unless asked otherwise. */
    struct weir_publish_context shown = {
        .site = config->site, .set = set, .clients = config->clients};
    struct weir_publish_context sent = shown;
    if (!config->clients_set) sent.clients = WEIR_CLIENTS_PSEUDONYM;
    int error = weir_client_key_load(shown.key, config->key_file, fault);
    memcpy(sent.key, shown.key, sizeof sent.key);

    struct weir_source *source = NULL;
    struct weir_publisher publisher = {0};
    struct weir_proof *proof = NULL;
    struct weir_hosts *hosts = NULL;
    const struct weir_source_options how = {.filter = config->filter,
                                            .n_workers = config->workers,
                                            .knows_linktype = weir_decode_knows_link};
    if (!error)
        error = weir_source_open_files(&source, (const char *const *)paths, (size_t)n_paths, &how,
                                       fault);
    const struct weir_sinks_run sinks = {
        .config = config, .shown = &shown, .sent = &sent, .state = config->state};
    if (!error) error = weir_sinks_add(&publisher, &sinks, false, fault);
    if (!error) error = confine(config, fault);
    if (!error) error = weir_sinks_add(&publisher, &sinks, true, fault);
    if (!error) error = add_proof(&publisher, config, &sent, &proof, fault);
    if (!error) {
        struct weir_progress progress;
        hosts = add_hosts(&publisher, config, &sent);
        weir_progress_init(&progress, !config->quiet && !(config->json && isatty(STDOUT_FILENO)));
        const struct weir_engine_options options = {
            .set = set,
            .local = config->local,
            .n_local = config->n_local,
            .n_workers = config->workers,
            .memory_bytes = config->memory_bytes,
            .want_flows = config->json && (config->records & 1u << WEIR_RECORD_FLOW),
            .detect = &config->detect,
            .regions = config->regions,
            .n_regions = config->n_regions,
            .asn = config->asn,
            .maintenance = config->maintenance,
            .n_maintenance = config->n_maintenance,
            .state = config->state,
            .proof = proof,
            .hosts = hosts,
            .publisher = &publisher,
            .progress = weir_progress_update,
            .progress_context = &progress};
        error = weir_engine_run(source, &options, fault);
        weir_progress_done(&progress);
        struct weir_source_stats stats;
        weir_source_stats(source, &stats);
        if (!error && config->filter && !stats.packets && stats.filtered)
            weir_log(WEIR_LOG_WARNING, "--filter \"%s\" matches none of the %llu packets",
                     config->filter, (unsigned long long)stats.filtered);
    }
    weir_publisher_deinit(&publisher);
    weir_proof_free(proof);
    weir_hosts_free(hosts);
    weir_source_free(source);
    return error;
}

static int run(int argc, char **argv) {
    struct weir_config config;
    struct weir_fault fault = {0};
    weir_config_init(&config);
    int operand = weir_config_parse(&config, WEIR_CONFIG_REPLAY, argc, argv, usage, &fault),
        code = WEIR_EXIT_DONE;
    if (operand == WEIR_CONFIG_HELP) {
        weir_config_deinit(&config);
        return code;
    }
    if (operand >= 0 && operand == argc && config.html)
        operand = weir_fault_set(&fault, -EINVAL,
                                 "--html takes the file to write; name a capture as well");
    else if (operand >= 0 && operand == argc)
        operand = weir_fault_set(
            &fault, -EINVAL, "name a capture to replay, or - for stdin; see weir replay --help");
    struct weir_service_set *set = NULL;
    char path[PATH_MAX];
    int error =
        operand < 0
            ? operand
            : weir_service_set_load(&set, weir_signatures_path(config.signatures, path), &fault);
    for (size_t i = 0; !error && i < config.n_maintenance; i++)
        if (strcmp(config.maintenance[i].service, "all") != 0)
            error = weir_service_must_be(set, config.maintenance[i].service, "maintenance", &fault);
    if (!error) error = name_site(&config, argv[operand]);
    if (error < 0)
        code = weir_complain(&fault, error, WEIR_EXIT_USAGE);
    else if ((error = replay(&config, argv + operand, argc - operand, set, &fault)) < 0)
        code = weir_complain(&fault, error, WEIR_EXIT_FAILED);
    weir_service_set_unref(set);
    weir_config_deinit(&config);
    return code;
}

const struct weir_command weir_command_replay = {
    "replay", "reads captures and says how each service did", run};
