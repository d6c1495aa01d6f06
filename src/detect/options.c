/* Every constant of the detectors: one table, which the configuration, --help and the defaults
 * read.
 *
 * contrib/doc/method-verdict.md says what each guards against. None was fitted to a single capture.
 */
#include <errno.h>
#include <string.h>

#include <weir/detect.h>

/* clang-format off */
#define REAL(field, value, min, max, unit, help) \
    {#field, WEIR_DETECT_REAL, offsetof(struct weir_detect_config, field), value, min, max, unit, help}
#define COUNT(field, value, min, max, unit, help) \
    {#field, WEIR_DETECT_COUNT, offsetof(struct weir_detect_config, field), value, min, max, unit, help}
/* The member ends in _us, the option's name doesn't: people write seconds. */
#define SECONDS(name, value, min, max, help) \
    {#name, WEIR_DETECT_SECONDS, offsetof(struct weir_detect_config, name##_us), value, min, max, "s", help}
/* clang-format on */

static const struct weir_detect_option options[] = {
    REAL(p0, 0.02, 0.001, 0.3, "share", "trials that fail while a service is healthy"),
    REAL(p1, 0.5, 0.31, 0.99, "share",
         "trials that fail in the outage that the hard detector looks for"),
    REAL(p1_slow, 0.1, 0.02, 0.5, "share", "trials that fail in a slow burn"),
    REAL(h_small, 14, 4, 100, "nat", "evidence that raises an incident, few active clients"),
    REAL(h_medium, 22, 4, 100, "nat", "the same above medium_clients"),
    REAL(h_large, 22, 4, 100, "nat", "the same above large_clients"),
    COUNT(medium_clients, 10, 1, 1000000, "clients", "active clients up to which h_small holds"),
    COUNT(large_clients, 1000, 1, 1000000, "clients", "active clients up to which h_medium holds"),
    REAL(
        joint, 1.14, 1, 100, "h",
        "summed evidence of connecting and requesting that raises an incident, few active clients"),
    REAL(h_slow, 25, 4, 200, "nat", "evidence that raises a slow burn"),
    REAL(ends_p0, 0.005, 0.0001, 0.05, "share",
         "media connections reset in mid-transfer while healthy"),
    REAL(ends_p1, 0.1, 0.051, 0.9, "share", "the same in the failure looked for"),
    REAL(ends_h, 14, 4, 100, "nat", "evidence of resets that raises an incident"),
    COUNT(ends_min, 3, 1, 1000, "connections", "reset in mid-transfer before that may raise"),
    REAL(weight_unknown, 0.5, 0, 1, "", "weight of a failure of a client without control trials"),
    REAL(freeze_weight, 1.5, 1, 4, "",
         "weight of a failure while every open request of the service hangs"),
    REAL(fisher_p, 0.02, 0.0001, 0.2, "",
         "chance at which one client or prefix is held to fail alone"),
    REAL(prior_service, 0.0007, 1e-6, 0.1, "share",
         "of the time that a service is out, as odds against the next ones"),
    REAL(prior_path, 0.004, 1e-6, 0.1, "share", "of the time that a prefix of a service is bad"),
    REAL(prior_client, 0.004, 1e-6, 0.1, "share", "of the time that a client's own network is bad"),
    REAL(prior_resolver, 0.0007, 1e-6, 0.1, "share", "of the time that a resolver is bad"),
    REAL(prior_uplink, 0.0005, 1e-6, 0.1, "share", "of the time that the uplink is bad"),
    REAL(lead, 3, 0, 20, "nat", "by which one explanation must beat the others before it is told"),
    /* Chosen by: worlds 30001-30202, --profile small (tests/world/run --json,
     * tests/world/calibrate). With 0.37, 0.8 and 0.2 services were claimed with 0.64 in 20
     * incidents, of which 18 were services, and with 1.00 in 36, of which 30 were what was told. */
    REAL(share_here, 0.06, 1e-6, 1, "",
         "odds that one client's application fails at a service, against the service"),
    REAL(share_path, 0.3, 1e-6, 1, "",
         "odds of a place that nobody went round, against the service, served from several lately"),
    REAL(share_path_only, 0.06, 1e-6, 1, "", "the same of a service that was served from one only"),
    REAL(something_else, 0.04, 0, 0.5, "", "probability that it is no cause that is asked for"),
    REAL(sprt_error, 0.01, 0.0001, 0.2, "", "error of the test that clears, either way"),
    REAL(drop_share, 0.001, 0, 1, "share",
         "packets lost by the capture above which a slot isn't judged"),
    REAL(one_way_share, 0.2, 0, 1, "share",
         "flows seen in one direction above which a slot isn't judged"),
    REAL(z_raise, 15, 1, 1000, "", "sum of deviations that makes a service degraded"),
    REAL(z_clip, 4, 1, 100, "", "most that one window may add to it, before the drift"),
    REAL(z_drift, 1, 0.1, 10, "", "what each window takes from it"),
    REAL(scale_min, 0.1, 0.01, 2, "", "least scale of a logarithm"),
    COUNT(guard_useful, 3, 1, 1000, "trials",
          "useful ones before a service, prefix or resolver is scored"),
    SECONDS(control, 60, 10, 3600, "how long a client's control trial speaks for it"),
    SECONDS(active, 600, 10, 86400, "a client with a trial in this time is active"),
    SECONDS(slow_pure, 300, 10, 86400, "age of a slow burn before it is raised"),
    SECONDS(slow_mixed, 40, 10, 86400, "the same where mixed slots carry it"),
    SECONDS(clear, 60, 10, 86400, "least time from raise to clear"),
    COUNT(clear_ok, 5, 1, 1000, "trials", "in a row that must be useful to clear"),
    SECONDS(reopen, 600, 0, 86400, "a raise this soon after the clear reopens the incident"),
    SECONDS(silent, 900, 60, 86400, "without a trial for so long a service is unknown"),
    SECONDS(severity, 300, 10, 86400, "severity is judged over this much at the most"),
    SECONDS(client, 60, 0, 86400, "age of a failure of one client alone before it is reported"),
    SECONDS(stale, 300, 10, 86400,
            "failures before a silence of this length don't add to those after it"),
    SECONDS(baseline, 86400, 600, 2592000, "age before the baselines by hour of the week are used"),
    COUNT(baseline_samples, 200, 30, 100000, "windows", "the same, in samples"),
    COUNT(silence_clients, 200, 50, 1000000, "clients",
          "active, below which it says nothing that nobody asks for a service"),
    REAL(silence_p, 1e-9, 1e-15, 1e-6, "", "chance at which a service is held to be silent"),
    COUNT(max_clients, 8192, 16, 1048576, "entries", "clients remembered"),
    COUNT(max_prefixes, 4096, 16, 1048576, "entries",
          "prefixes of services with a detector of their own"),
    COUNT(max_destinations, 16384, 16, 1048576, "entries",
          "prefixes remembered as having been useful"),
    COUNT(max_resolvers, 64, 8, 4096, "entries", "DNS resolvers with a detector of their own"),
    COUNT(max_history, 65536, 256, 4194304, "trials",
          "kept to say what failed, for whom, and what did not"),
};
enum { N_OPTIONS = sizeof options / sizeof *options };

const struct weir_detect_option *weir_detect_options(size_t *ret_n) {
    *ret_n = N_OPTIONS;
    return options;
}

static void store(struct weir_detect_config *config, const struct weir_detect_option *option,
                  double value) {
    char *member = (char *)config + option->offset;
    int64_t integer = (int64_t)(value * (option->type == WEIR_DETECT_SECONDS ? 1e6 : 1));
    if (option->type == WEIR_DETECT_REAL)
        memcpy(member, &value, sizeof value);
    else
        memcpy(member, &integer, sizeof integer);
}

void weir_detect_config_default(struct weir_detect_config *ret_config) {
    for (size_t i = 0; i < N_OPTIONS; i++) store(ret_config, &options[i], options[i].value);
}

int weir_detect_config_set(struct weir_detect_config *config, const char *name, double value) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strcmp(options[i].name, name) != 0) continue;
        if (!(value >= options[i].min && value <= options[i].max)) return -ERANGE;
        store(config, &options[i], value);
        return 0;
    }
    return -ENOENT;
}
