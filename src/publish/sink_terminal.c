/* What a person sees of a replay: one line that says what was read, a table of services, the
 * incidents in words, and how well weir could see. It fits 80 columns. Clocks are local, with their
 * zone. Colours mean state, and are gone in a pipe.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/measure.h>
#include <weir/sink.h>

#include "base/local_time.h"
#include "base/wrap.h"

enum { TIMELINE_MAX = 120, INCIDENTS_MAX = 256, COLUMNS_MAX = 120 };
#define DAY_US INT64_C(86400000000)

struct told {                      /* of one incident */
    struct weir_incident incident; /* its last event */
    /* of a cleared one: what was said while it lasted */
    char before[sizeof((struct weir_incident *)0)->text + 16];
};

struct terminal_sink {
    const struct weir_publish_context *context;
    FILE *stream;
    struct weir_terminal_options how;
    const char *clock; /* strftime's format: with the date where the capture is longer than a day */
    size_t n_services;
    struct weir_service_record *services[WEIR_SERVICES_MAX];
    size_t n_incidents;
    struct told *incidents[INCIDENTS_MAX];
    uint64_t n_incidents_left_out;
};

/* ---- small texts ---- */

static const char *paint(const struct terminal_sink *sink, const char *code) {
    return sink->how.colour ? code : "";
}

static const char *state_colour(const struct terminal_sink *sink, enum weir_state state) {
    switch (state) {
    case WEIR_STATE_DOWN: return paint(sink, "\033[1;31m");
    case WEIR_STATE_PARTIAL:
    case WEIR_STATE_DEGRADED: return paint(sink, "\033[33m");
    case WEIR_STATE_HEALTHY: return paint(sink, "\033[32m");
    default: return paint(sink, "\033[2m");
    }
}

static const char *plain(const struct terminal_sink *sink) { return paint(sink, "\033[0m"); }

static unsigned width_of(const struct terminal_sink *sink) {
    return sink->how.columns > COLUMNS_MAX ? COLUMNS_MAX : sink->how.columns;
}

static void print_paragraph(const struct terminal_sink *sink, const char *text, unsigned indent) {
    fprintf(sink->stream, "%*s", (int)indent, "");
    weir_wrap(sink->stream, text, indent, indent, width_of(sink));
}

/* 1.2 MB, 34 kB: three figures and a decimal unit. */
static const char *amount(char *text, size_t size, double value, const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    int step = 0;
    while (value >= 999.5 && step < 4) {
        value /= 1000;
        step++;
    }
    snprintf(text, size, value >= 99.5 || step == 0 ? "%.0f %s%s" : "%.1f %s%s", value,
             prefixes[step], unit);
    return text;
}

static const char *clock_text(const struct terminal_sink *sink, char text[32], int64_t us) {
    return weir_local_time(text, 32, us, sink->clock);
}

static const char *span_text(char *text, size_t size, int64_t us) {
    int64_t s = us / 1000000;
    if (s < 60)
        snprintf(text, size, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(text, size, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else
        snprintf(text, size, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    return text;
}

/* ---- values of a service ---- */

static bool value_of(const struct weir_service_record *service, const char *group, const char *name,
                     double *ret) {
    size_t n;
    int field = weir_field_find(group, name);
    if (field < 0 || service->values[field].reason != WEIR_REASON_NONE) return false;
    *ret = weir_fields(&n)[field].type == WEIR_FIELD_RATIO ? service->values[field].real
                                                           : (double)service->values[field].integer;
    return true;
}

static double count_of(const struct weir_service_record *service, const char *group,
                       const char *name) {
    double value = 0;
    value_of(service, group, name, &value);
    return value;
}

static double failures(const struct weir_service_record *service, double kinds[WEIR_OUTCOME_N]) {
    double total = 0;
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++) {
        kinds[kind] = weir_outcome_failed(kind)
                          ? count_of(service, "trials_fail", weir_outcome_name(kind))
                          : 0;
        total += kinds[kind];
    }
    return total;
}

static const char *or_dash(char *text, size_t size, bool known, const char *format, double value) {
    if (known)
        snprintf(text, size, format, value);
    else
        snprintf(text, size, "-");
    return text;
}

/* ---- the report ---- */

static void print_head(const struct terminal_sink *sink,
                       const struct weir_capture_record *capture) {
    char bytes[32], begin[64], span[32], line[512];
    if (capture->packets == 0) {
        fprintf(sink->stream, "%s: no packets\n", sink->context->site);
        return;
    }
    int used = snprintf(line, sizeof line, "%s: %" PRIu64 " packets, %s, %" PRIu64 " flows, ",
                        sink->context->site, capture->packets,
                        amount(bytes, sizeof bytes, (double)capture->bytes, "B"), capture->flows);
    if (capture->first_ts_us == WEIR_NULL)
        snprintf(line + used, sizeof line - (size_t)used,
                 "no time stamps: nothing that takes time is measured");
    else
        snprintf(
            line + used, sizeof line - (size_t)used, "%s from %s",
            span_text(span, sizeof span, capture->last_ts_us - capture->first_ts_us),
            weir_local_time(begin, sizeof begin, capture->first_ts_us, "%Y-%m-%d %H:%M:%S %Z"));
    weir_wrap(sink->stream, line, 0, 2, width_of(sink));
}

/* "27 failed (SYNs unanswered 17, requests unanswered 10)": the three that are most. */
static void add_failures(char *line, size_t size, double kinds[WEIR_OUTCOME_N], double failed) {
    size_t used = strlen(line);
    used += (size_t)snprintf(line + used, size - used, "%s%.0f failed (", used ? "; " : "", failed);
    for (int turn = 0; turn < 3; turn++) {
        int most = 0;
        for (int kind = 1; kind < WEIR_OUTCOME_N; kind++)
            if (kinds[kind] > kinds[most]) most = kind;
        if (kinds[most] <= 0) break;
        used += (size_t)snprintf(line + used, size - used, "%s%s %.0f", turn ? ", " : "",
                                 weir_outcome_help((enum weir_outcome)most), kinds[most]);
        kinds[most] = 0;
    }
    snprintf(line + used, size - used, ")");
}

/* Below its row: what happened, not only how it ended, and why nothing is said of a service. */
static void print_notes(const struct terminal_sink *sink, const struct weir_service_record *service,
                        double useful, double kinds[WEIR_OUTCOME_N], double failed) {
    const struct weir_incident *worst = NULL, *uplink = NULL;
    char line[600] = "", span[32];
    for (size_t i = 0; i < sink->n_incidents; i++) {
        const struct weir_incident *one = &sink->incidents[i]->incident;
        if (one->cause == WEIR_CAUSE_UPLINK && one->recovered_us && failed > 0) uplink = one;
        if (one->service == service->service && one->recovered_us &&
            (!worst || one->state > worst->state))
            worst = one;
    }
    if (worst && service->state != WEIR_STATE_DOWN)
        snprintf(line, sizeof line, "was %s for %s", weir_state_name(worst->state),
                 span_text(span, sizeof span, worst->recovered_us - worst->onset_us));
    else if (uplink && !worst && service->service != WEIR_SERVICE_OTHER)
        snprintf(line, sizeof line, "hit by the uplink for %s",
                 span_text(span, sizeof span, uplink->recovered_us - uplink->onset_us));
    if (failed > 0) add_failures(line, sizeof line, kinds, failed);
    if (service->state == WEIR_STATE_UNKNOWN && service->service != WEIR_SERVICE_OTHER &&
        useful + failed > 0) {
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, "%s%s", used ? "; " : "",
                 useful > count_of(service, "trials_by_layer", "dns_ok") /* look-ups reach nobody */
                     ? "too few useful trials to judge"
                     : "never worked in this capture, so not judged");
    }
    if (line[0]) print_paragraph(sink, line, 14);
}

/* At most eight letters and a unit: "9.4 Mbit/s", "94 Mbit/s". */
static const char *rate(char *text, size_t size, double bps) {
    amount(text, size, bps, "bit/s");
    char *point = strchr(text, '.'), *unit = strchr(text, ' ');
    if (point && unit && point - text > 1) memmove(point, unit, strlen(unit) + 1);
    return text;
}

static void print_service(const struct terminal_sink *sink,
                          const struct weir_service_record *service) {
    const struct weir_service *about = weir_service_get(sink->context->set, service->service);
    char useful[32], down[32], goodput[32] = "-", rtt[32], loss[2][32];
    double kinds[WEIR_OUTCOME_N], ok = count_of(service, NULL, "trials_ok"),
                                  failed = failures(service, kinds), value = 0;
    bool known = value_of(service, "rtt_server", "p50_us", &value);
    or_dash(rtt, sizeof rtt, known, value < 99500 ? "%.1f ms" : "%.0f ms", value / 1000);
    known = value_of(service, "loss", "down_before_share", &value);
    or_dash(loss[0], sizeof loss[0], known, "%.2f %%", value * 100);
    known = value_of(service, "loss", "down_beyond_share", &value);
    or_dash(loss[1], sizeof loss[1], known, "%.2f %%", value * 100);
    if (value_of(service, "goodput", "p50_bps", &value)) rate(goodput, sizeof goodput, value);
    snprintf(useful, sizeof useful, "%.0f/%.0f", ok, ok + failed);
    fprintf(sink->stream, "%-13s %s%-10s%s %9s %7s %10s %7s %8s %8s\n",
            service->service == WEIR_SERVICE_OTHER ? "other" : about->id,
            state_colour(sink, service->state), weir_state_name(service->state), plain(sink),
            useful, amount(down, sizeof down, count_of(service, NULL, "bytes_down"), "B"), goodput,
            rtt, loss[0], loss[1]);
    print_notes(sink, service, ok, kinds, failed);
}

static void print_services(const struct terminal_sink *sink) {
    if (!sink->n_services) return;
    fprintf(sink->stream, "\n%s%-13s %-10s %9s %7s %10s %7s %8s %8s%s\n", paint(sink, "\033[1m"),
            "service", "state", "useful", "down", "goodput", "rtt", "srv loss", "cli loss",
            plain(sink));
    for (size_t i = 0; i < sink->n_services; i++) /* services first, the control group last */
        if (sink->services[i]->service != WEIR_SERVICE_OTHER)
            print_service(sink, sink->services[i]);
    for (size_t i = 0; i < sink->n_services; i++)
        if (sink->services[i]->service == WEIR_SERVICE_OTHER)
            print_service(sink, sink->services[i]);
    print_paragraph(sink,
                    "useful: of all trials; rtt, srv loss: between the servers and here; cli loss: "
                    "between here and the clients",
                    2);
}

/* What viewers went through over the run, of the services that anybody watched. */
static void print_viewers(const struct terminal_sink *sink) {
    bool head = false;
    for (size_t i = 0; i < sink->n_services; i++) {
        const struct weir_service_record *service = sink->services[i];
        double watching = 0, stalled, share, startup, startup_p95, rate;
        if (service->service == WEIR_SERVICE_OTHER ||
            !value_of(service, "viewers", "watching", &watching) || watching <= 0)
            continue;
        char still[32], begins[48], bits[32];
        bool known = value_of(service, "viewers", "stalled_share", &share);
        or_dash(still, sizeof still, known, "%.1f %%", share * 100);
        known = value_of(service, "viewers", "startup_p50_us", &startup) &&
                value_of(service, "viewers", "startup_p95_us", &startup_p95);
        if (!known)
            strcpy(begins, "-");
        else if (startup_p95 < 1e6)
            snprintf(begins, sizeof begins, "%.0f / %.0f ms", startup / 1e3, startup_p95 / 1e3);
        else
            snprintf(begins, sizeof begins, "%.1f / %.1f s", startup / 1e6, startup_p95 / 1e6);
        if (value_of(service, "viewers", "bitrate_p50_bps", &rate))
            amount(bits, sizeof bits, rate, "bit/s");
        else
            strcpy(bits, "-");
        if (!value_of(service, "viewers", "stalled", &stalled)) stalled = 0;
        if (!head)
            fprintf(sink->stream, "\n%s%-13s %9s %9s %13s %14s %12s%s\n", paint(sink, "\033[1m"),
                    "viewers", "at most", "stalled", "still picture", "begins p50/p95", "bit rate",
                    plain(sink));
        head = true;
        fprintf(sink->stream, "%-13s %9.0f %9.0f %13s %14s %12s\n",
                weir_service_get(sink->context->set, service->service)->id, watching, stalled,
                still, begins, bits);
    }
}

/* The time when it was over, not the one when that was sure. */
static int64_t over_us(const struct weir_incident *incident) {
    return incident->recovered_us ? incident->recovered_us : incident->cleared_us;
}

static void print_incident(const struct terminal_sink *sink, const struct told *told) {
    const struct weir_incident *incident = &told->incident;
    char begin[32], end[32], span[32], zone[16], when[128], line[256], text[sizeof told->before];
    bool cleared = incident->event == WEIR_INCIDENT_CLEARED;
    const char *who = incident->service
                          ? weir_service_get(sink->context->set, incident->service)->id
                          : weir_cause_name(incident->cause);
    int64_t until = cleared ? over_us(incident) : incident->ts_us;
    fprintf(sink->stream, "  %s%-13s %-9s%s ", state_colour(sink, incident->state), who,
            weir_state_name(incident->state), plain(sink));
    clock_text(sink, begin, incident->onset_us);
    weir_local_zone(zone, incident->onset_us);
    span_text(span, sizeof span, until - incident->onset_us);
    if (cleared)
        snprintf(when, sizeof when, "%s - %s %s, %s", begin, clock_text(sink, end, until), zone,
                 span);
    else
        snprintf(when, sizeof when, "since %s %s, still open, %s", begin, zone, span);
    snprintf(line, sizeof line, "%s, cause: %s, confidence %s", when,
             weir_cause_name(incident->cause), weir_confidence_name(incident->confidence));
    weir_wrap(sink->stream, line, 26, 26, width_of(sink));
    weir_local_sentence(text, sizeof text, incident->text, incident->onset_us);
    print_paragraph(sink, text, 4);
    if (!told->before[0]) return;
    weir_local_sentence(text, sizeof text, told->before, incident->onset_us);
    print_paragraph(sink, text, 4);
}

/* One line an incident over the time of the capture: '#' down, '=' partial, '-' degraded, '.' well;
 * '>' where it is still open. */
static void print_bar(const struct terminal_sink *sink, const struct weir_incident *incident,
                      int64_t first_us, int64_t last_us, int width) {
    char bar[TIMELINE_MAX + 1];
    const char *who = incident->service
                          ? weir_service_get(sink->context->set, incident->service)->id
                          : weir_cause_name(incident->cause);
    char mark = incident->state == WEIR_STATE_DOWN      ? '#'
                : incident->state == WEIR_STATE_PARTIAL ? '='
                                                        : '-';
    bool open = !incident->cleared_us;
    double scale = (double)width / (double)(last_us - first_us);
    int from = (int)((double)(incident->onset_us - first_us) * scale),
        to = open ? width : (int)((double)(over_us(incident) - first_us) * scale);
    from = from < 0 ? 0 : from >= width ? width - 1 : from;
    to = to <= from ? from + 1 : to > width ? width : to;
    memset(bar, '.', (size_t)width);
    memset(bar + from, mark, (size_t)(to - from));
    if (open) bar[width - 1] = '>';
    fprintf(sink->stream, "  %-13s %.*s%s%.*s%s%.*s\n", who, from, bar,
            state_colour(sink, incident->state), to - from, bar + from, plain(sink), width - to,
            bar + to);
}

static void print_timeline(const struct terminal_sink *sink,
                           const struct weir_capture_record *capture) {
    int width = (int)width_of(sink) - 17;
    char begin[32], end[32];
    if (!sink->n_incidents || width < 24 || capture->first_ts_us == WEIR_NULL ||
        capture->last_ts_us <= capture->first_ts_us)
        return;
    if (width > TIMELINE_MAX) width = TIMELINE_MAX;
    clock_text(sink, begin, capture->first_ts_us);
    clock_text(sink, end, capture->last_ts_us);
    fprintf(sink->stream, "%s  %-13s %-*s%s%s\n", paint(sink, "\033[2m"), "",
            width - (int)strlen(end), begin, end, plain(sink));
    for (size_t i = 0; i < sink->n_incidents; i++)
        print_bar(sink, &sink->incidents[i]->incident, capture->first_ts_us, capture->last_ts_us,
                  width);
    fputc('\n', sink->stream);
}

static void print_incidents(const struct terminal_sink *sink,
                            const struct weir_capture_record *capture) {
    fprintf(sink->stream, "\n%sincidents%s\n", paint(sink, "\033[1m"), plain(sink));
    if (!sink->n_incidents) fprintf(sink->stream, "  none\n");
    print_timeline(sink, capture);
    for (size_t i = 0; i < sink->n_incidents; i++) print_incident(sink, sink->incidents[i]);
    if (sink->n_incidents_left_out)
        fprintf(sink->stream, "  and %" PRIu64 " more: see --json\n", sink->n_incidents_left_out);
}

static void print_shares(const struct terminal_sink *sink, const char *what,
                         const uint64_t counts[WEIR_NAMED_N]) {
    uint64_t total = 0;
    for (int i = 0; i < WEIR_NAMED_N; i++) total += counts[i];
    fprintf(sink->stream, "  %-6s", what);
    for (int i = 1; total && i <= WEIR_NAMED_N; i++) { /* the unnamed last */
        int by = i % WEIR_NAMED_N;
        fprintf(sink->stream, " %s %.0f %%%s",
                by == WEIR_NAMED_NONE ? "unnamed" : weir_named_by_name(by),
                100.0 * (double)counts[by] / (double)total, i < WEIR_NAMED_N ? "," : "");
    }
    fprintf(sink->stream, "%s\n", total ? "" : " none");
}

static void print_naming(const struct terminal_sink *sink,
                         const struct weir_capture_record *capture) {
    fprintf(sink->stream, "\n%show flows were named%s\n", paint(sink, "\033[1m"), plain(sink));
    print_shares(sink, "flows", capture->named_flows);
    print_shares(sink, "bytes", capture->named_bytes);
    if (capture->flows_ech || capture->flows_vpn)
        fprintf(sink->stream,
                "  hidden %" PRIu64 " hellos with ECH or GREASE, %" PRIu64 " tunnels\n",
                capture->flows_ech, capture->flows_vpn);
    for (uint32_t i = 0; i < capture->n_drift && i < 5; i++)
        fprintf(sink->stream, "  %s %s (%" PRIu64 " flows)\n", i ? "      " : "no signature knows",
                capture->drift[i].host, capture->drift[i].flows);
}

static void print_decode(const struct terminal_sink *sink,
                         const struct weir_capture_record *capture) {
    char line[1024] = "decode:";
    size_t used = strlen(line), empty = used;
    for (int i = 1; i < WEIR_DECODE_N && used < sizeof line; i++)
        if (capture->decode[i])
            used +=
                (size_t)snprintf(line + used, sizeof line - used, "%s %s %" PRIu64,
                                 used > empty ? "," : "", weir_decode_name(i), capture->decode[i]);
    if (used == empty) return;
    fputc('\n', sink->stream);
    weir_wrap(sink->stream, line, 0, 8, width_of(sink));
}

/* Where clients ask in secret, names come from SNI and addresses alone: said always, since an
 * incident without lookups is judged on less. */
static void print_blindness(const struct terminal_sink *sink,
                            const struct weir_capture_record *capture) {
    char line[300];
    if (capture->blind_share_ppm == WEIR_NULL) return;
    bool blind = capture->blind_share_ppm > 500000;
    if (!blind && !sink->how.verbose) return;
    snprintf(line, sizeof line,
             "dns %s: %.0f %% of HTTPS flows went to addresses that no answer told the client%s",
             blind ? "blind" : "seen", (double)capture->blind_share_ppm / 1e4,
             capture->flows_doh + capture->flows_dot ? "; some clients ask in secret (DoH, DoT)"
                                                     : "");
    fputc('\n', sink->stream);
    print_paragraph(sink, line, 2);
}

/* What stands between the packets and the verdict: only when there is something. */
static void print_warnings(const struct terminal_sink *sink,
                           const struct weir_capture_record *capture) {
    char line[300];
    uint64_t refused = 0; /* frames without IP are none of a streaming service's */
    for (int i = WEIR_DECODE_LINK_UNKNOWN; i < WEIR_DECODE_N; i++) refused += capture->decode[i];
    if (refused * 100 > capture->packets) {
        snprintf(line, sizeof line, "%.0f %% of the packets could not be decoded%s",
                 100 * (double)refused / (double)capture->packets,
                 sink->how.verbose ? "" : "; --verbose says why");
        fputs(paint(sink, "\033[33m"), sink->stream);
        weir_wrap(sink->stream, line, 0, 0, width_of(sink));
        fputs(plain(sink), sink->stream);
    }
    if (capture->dropped_kernel + capture->dropped_interface) {
        snprintf(line, sizeof line,
                 "the capture lost %" PRIu64
                 " packets: what it shows of losses is not the network's",
                 capture->dropped_kernel + capture->dropped_interface);
        fputs(paint(sink, "\033[33m"), sink->stream);
        weir_wrap(sink->stream, line, 0, 0, width_of(sink));
        fputs(plain(sink), sink->stream);
    }
}

/* ---- the sink ---- */

static int keep_incident(struct terminal_sink *sink, const struct weir_incident *incident) {
    size_t i = 0;
    while (i < sink->n_incidents && strcmp(sink->incidents[i]->incident.id, incident->id) != 0) i++;
    if (i == INCIDENTS_MAX) {
        sink->n_incidents_left_out++;
        return 0;
    }
    if (i == sink->n_incidents &&
        !(sink->incidents[sink->n_incidents++] = calloc(1, sizeof *sink->incidents[i])))
        return -ENOMEM;
    struct told *told = sink->incidents[i];
    if (incident->event == WEIR_INCIDENT_CLEARED &&
        told->incident.id[0]) /* "well again" says less than what was wrong */
        snprintf(told->before, sizeof told->before, "Told before: \"%s\"", told->incident.text);
    else
        told->before[0] = '\0';
    told->incident = *incident;
    return 0;
}

static int keep_service(struct terminal_sink *sink, const struct weir_service_record *service) {
    struct weir_service_record *copy = malloc(sizeof *copy);
    if (!copy || sink->n_services == WEIR_SERVICES_MAX) {
        free(copy);
        return -ENOMEM;
    }
    *copy = *service;
    sink->services[sink->n_services++] = copy;
    return 0;
}

static int terminal_record(void *state, const struct weir_record *record,
                           struct weir_fault *fault) {
    struct terminal_sink *sink = state;
    switch (record->type) {
    case WEIR_RECORD_INCIDENT: return keep_incident(sink, record->incident);
    case WEIR_RECORD_SERVICE: return keep_service(sink, record->service);
    case WEIR_RECORD_CAPTURE: /* the last record of a run */
        if (record->capture->last_ts_us - record->capture->first_ts_us > DAY_US)
            sink->clock = "%Y-%m-%d %H:%M:%S";
        print_head(sink, record->capture);
        print_services(sink);
        print_viewers(sink);
        print_incidents(sink, record->capture);
        print_blindness(sink, record->capture);
        if (sink->how.verbose) print_naming(sink, record->capture);
        if (sink->how.verbose) print_decode(sink, record->capture);
        print_warnings(sink, record->capture);
        return 0;
    default: return 0;
    }
}

static int terminal_flush(void *state, struct weir_fault *fault) {
    struct terminal_sink *sink = state;
    return fflush(sink->stream) == 0
               ? 0
               : weir_fault_set(fault, -EIO, "writing the report: %s", strerror(errno));
}

static void terminal_free(void *state) {
    struct terminal_sink *sink = state;
    for (size_t i = 0; sink && i < sink->n_services; i++) free(sink->services[i]);
    for (size_t i = 0; sink && i < sink->n_incidents; i++) free(sink->incidents[i]);
    free(sink);
}

int weir_sink_terminal_new(void **ret_state, const struct weir_publish_context *context,
                           void *stream, const struct weir_terminal_options *how) {
    struct terminal_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    *sink = (struct terminal_sink){
        .context = context, .stream = stream, .how = *how, .clock = "%H:%M:%S"};
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_terminal = {
    .name = "terminal",
    .help = "a table and the incidents in words",
    .record = terminal_record,
    .flush = terminal_flush,
    .free = terminal_free,
};
