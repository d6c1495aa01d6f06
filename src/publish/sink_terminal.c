/* What a person sees of a replay: one line that says what was read, a table of services, the
 * incidents in words, and how well weir could see. Colours mean state, and are gone in a pipe.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/measure.h>
#include <weir/sink.h>

enum { TIMELINE_MAX = 120, INCIDENTS_MAX = 256 };

struct told {                      /* of one incident */
    struct weir_incident incident; /* its last event */
    /* of a cleared one: what was said while it lasted */
    char before[sizeof((struct weir_incident *)0)->text + 16];
};

struct terminal_sink {
    const struct weir_publish_context *context;
    FILE *stream;
    bool colour;
    unsigned columns;
    size_t n_services;
    struct weir_service_record *services[WEIR_SERVICES_MAX];
    size_t n_incidents;
    struct told *incidents[INCIDENTS_MAX];
    uint64_t n_incidents_left_out;
};

/* ---- small texts ---- */

static const char *paint(const struct terminal_sink *sink, const char *code) {
    return sink->colour ? code : "";
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

static const char *clock_text(char *text, size_t size, int64_t us, const char *format) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, size, format, &utc);
    return text;
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

/* All failed trials, and the kind that most of them were. */
static double failures(const struct weir_service_record *service, const char **ret_kind) {
    double total = 0, most = 0;
    *ret_kind = "";
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++) {
        double n = weir_outcome_failed(kind)
                       ? count_of(service, "trials_fail", weir_outcome_name(kind))
                       : 0;
        total += n;
        if (n > most) {
            most = n;
            *ret_kind = weir_outcome_name(kind);
        }
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
    char bytes[32], begin[64], span[32];
    if (capture->packets == 0) {
        fprintf(sink->stream, "%s: no packets\n", sink->context->site);
        return;
    }
    if (capture->first_ts_us == WEIR_NULL) {
        fprintf(sink->stream,
                "%s: %" PRIu64 " packets, %s, %" PRIu64
                " flows, no time stamps: nothing that takes time is measured\n",
                sink->context->site, capture->packets,
                amount(bytes, sizeof bytes, (double)capture->bytes, "B"), capture->flows);
        return;
    }
    fprintf(sink->stream, "%s: %" PRIu64 " packets, %s, %" PRIu64 " flows, %s from %s UTC\n",
            sink->context->site, capture->packets,
            amount(bytes, sizeof bytes, (double)capture->bytes, "B"), capture->flows,
            span_text(span, sizeof span, capture->last_ts_us - capture->first_ts_us),
            clock_text(begin, sizeof begin, capture->first_ts_us, "%Y-%m-%d %H:%M:%S"));
}

/* What happened, not only how it ended; and why nothing is said of a service. */
static void print_past(const struct terminal_sink *sink, const struct weir_service_record *service,
                       double useful, double failed) {
    const struct weir_incident *worst = NULL, *uplink = NULL;
    for (size_t i = 0; i < sink->n_incidents; i++) {
        const struct weir_incident *one = &sink->incidents[i]->incident;
        if (one->cause == WEIR_CAUSE_UPLINK && one->recovered_us && failed > 0) uplink = one;
        if (one->service == service->service && one->recovered_us &&
            (!worst || one->state > worst->state))
            worst = one;
    }
    if (worst && service->state != WEIR_STATE_DOWN)
        fprintf(sink->stream, "  was %s %.0f s", weir_state_name(worst->state),
                (double)(worst->recovered_us - worst->onset_us) / 1e6);
    else if (uplink && !worst && service->service != WEIR_SERVICE_OTHER)
        fprintf(sink->stream, "  hit by the uplink %.0f s",
                (double)(uplink->recovered_us - uplink->onset_us) / 1e6);
    if (service->state == WEIR_STATE_UNKNOWN && service->service != WEIR_SERVICE_OTHER &&
        useful + failed > 0)
        fprintf(sink->stream, useful > 0 ? "  too few useful trials to judge"
                                         : "  never worked in this capture, so not judged");
    fputc('\n', sink->stream);
}

static void print_service(const struct terminal_sink *sink,
                          const struct weir_service_record *service) {
    const struct weir_service *about = weir_service_get(sink->context->set, service->service);
    char down[32], goodput[32], rtt[32], loss[2][32];
    const char *kind;
    double ok = count_of(service, NULL, "trials_ok"), failed = failures(service, &kind), value = 0;
    bool known = value_of(service, "rtt_server", "p50_us", &value);
    or_dash(rtt, sizeof rtt, known, "%.1f ms", value / 1000);
    known = value_of(service, "loss", "down_before_share", &value);
    or_dash(loss[0], sizeof loss[0], known, "%.2f %%", value * 100);
    known = value_of(service, "loss", "down_beyond_share", &value);
    or_dash(loss[1], sizeof loss[1], known, "%.2f %%", value * 100);
    if (value_of(service, "goodput", "p50_bps", &value))
        amount(goodput, sizeof goodput, value, "bit/s");
    else
        strcpy(goodput, "-");
    fprintf(sink->stream, "%-13s %s%-10s%s %4.0f/%-4.0f %-16s %5.0f %9s %12s %9s %8s %8s",
            service->service == WEIR_SERVICE_OTHER ? "other" : about->id,
            state_colour(sink, service->state), weir_state_name(service->state), plain(sink), ok,
            ok + failed, failed ? kind : "-", count_of(service, NULL, "flows_new"),
            amount(down, sizeof down, count_of(service, NULL, "bytes_down"), "B"), goodput, rtt,
            loss[0], loss[1]);
    print_past(sink, service, ok, failed);
}

static void print_services(const struct terminal_sink *sink) {
    if (!sink->n_services) return;
    fprintf(sink->stream, "\n%s%-13s %-10s %9s %-16s %5s %9s %12s %9s %8s %8s%s\n",
            paint(sink, "\033[1m"), "service", "state", "useful", "failing by", "flows", "down",
            "goodput", "rtt", "srv loss", "cli loss", plain(sink));
    for (size_t i = 0; i < sink->n_services; i++) /* services first, the control group last */
        if (sink->services[i]->service != WEIR_SERVICE_OTHER)
            print_service(sink, sink->services[i]);
    for (size_t i = 0; i < sink->n_services; i++)
        if (sink->services[i]->service == WEIR_SERVICE_OTHER)
            print_service(sink, sink->services[i]);
    fprintf(
        sink->stream,
        "  rtt and srv loss: between the servers and here; cli loss: between here and the clients\n");
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
        if (known)
            snprintf(begins, sizeof begins, "%.1f / %.1f s", startup / 1e6, startup_p95 / 1e6);
        else
            strcpy(begins, "-");
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

/* Words wrapped to the terminal's width, indented. */
static void print_wrapped(const struct terminal_sink *sink, const char *text, unsigned indent) {
    unsigned column = indent, width = sink->columns > 120 ? 120 : sink->columns;
    fprintf(sink->stream, "%*s", (int)indent, "");
    while (*text) {
        unsigned word = (unsigned)strcspn(text, " ");
        if (column > indent && column + word + 1 > width) {
            fprintf(sink->stream, "\n%*s", (int)indent, "");
            column = indent;
        }
        fprintf(sink->stream, "%s%.*s", column > indent ? " " : "", (int)word, text);
        column += word + (column > indent);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', sink->stream);
}

/* The time when it was over, not the one when that was sure. */
static int64_t over_us(const struct weir_incident *incident) {
    return incident->recovered_us ? incident->recovered_us : incident->cleared_us;
}

static void print_incident(const struct terminal_sink *sink, const struct told *told) {
    const struct weir_incident *incident = &told->incident;
    char begin[32], end[32], span[32];
    bool cleared = incident->event == WEIR_INCIDENT_CLEARED;
    const char *who = incident->service
                          ? weir_service_get(sink->context->set, incident->service)->id
                          : weir_cause_name(incident->cause);
    int64_t until = cleared ? over_us(incident) : incident->ts_us;
    fprintf(sink->stream, "  %s%-13s %-9s%s %s - %s  %s, cause: %s, confidence %s\n",
            state_colour(sink, incident->state), who, weir_state_name(incident->state), plain(sink),
            clock_text(begin, sizeof begin, incident->onset_us, "%H:%M:%S"),
            cleared ? clock_text(end, sizeof end, until, "%H:%M:%S") : "still open",
            span_text(span, sizeof span, until - incident->onset_us),
            weir_cause_name(incident->cause), weir_confidence_name(incident->confidence));
    print_wrapped(sink, incident->text, 4);
    if (told->before[0]) print_wrapped(sink, told->before, 4);
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
    int width = (int)(sink->columns ? sink->columns : 100) - 18;
    char begin[32], end[32];
    if (!sink->n_incidents || width < 24 || capture->first_ts_us == WEIR_NULL ||
        capture->last_ts_us <= capture->first_ts_us)
        return;
    if (width > TIMELINE_MAX) width = TIMELINE_MAX;
    fprintf(sink->stream, "%s  %-13s %-*s%s%s\n", paint(sink, "\033[2m"), "", width - 8,
            clock_text(begin, sizeof begin, capture->first_ts_us, "%H:%M:%S"),
            clock_text(end, sizeof end, capture->last_ts_us, "%H:%M:%S"), plain(sink));
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
    if (capture->blind_share_ppm != WEIR_NULL)
        fprintf(
            sink->stream,
            "  dns    %s: %.0f %% of HTTPS flows went to addresses that no answer told the client%s\n",
            capture->blind_share_ppm > 500000 ? "blind" : "seen",
            (double)capture->blind_share_ppm / 1e4,
            capture->flows_doh + capture->flows_dot ? "; some clients ask in secret (DoH, DoT)"
                                                    : "");
    if (capture->flows_ech || capture->flows_vpn)
        fprintf(sink->stream,
                "  hidden %" PRIu64 " hellos with ECH or GREASE, %" PRIu64 " tunnels\n",
                capture->flows_ech, capture->flows_vpn);
    for (uint32_t i = 0; i < capture->n_drift && i < 5; i++)
        fprintf(sink->stream, "  %s %s (%" PRIu64 " flows)\n", i ? "      " : "no signature knows",
                capture->drift[i].host, capture->drift[i].flows);
}

/* What stands between the packets and the verdict: only when there is something. */
static void print_warnings(const struct terminal_sink *sink,
                           const struct weir_capture_record *capture) {
    uint64_t refused = 0;
    const char *sep = "\ndecode: ";
    for (int i = 1; i < WEIR_DECODE_N; i++) {
        refused += capture->decode[i];
        if (capture->decode[i]) {
            fprintf(sink->stream, "%s%s %" PRIu64, sep, weir_decode_name(i), capture->decode[i]);
            sep = ", ";
        }
    }
    if (refused) fputc('\n', sink->stream);
    if (capture->dropped_kernel + capture->dropped_interface)
        fprintf(sink->stream,
                "%sthe capture lost %" PRIu64
                " packets%s: what it shows of losses is not the network's\n",
                paint(sink, "\033[33m"), capture->dropped_kernel + capture->dropped_interface,
                plain(sink));
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
        print_head(sink, record->capture);
        print_services(sink);
        print_viewers(sink);
        print_incidents(sink, record->capture);
        print_naming(sink, record->capture);
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
                           void *stream, bool colour, unsigned columns) {
    struct terminal_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    *sink = (struct terminal_sink){
        .context = context, .stream = stream, .colour = colour, .columns = columns};
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
