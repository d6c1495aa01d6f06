/* OpenMetrics, or the older text format for who does not ask for it: a row of a table a family,
 * with its type, unit and help.
 *
 * Seconds, bytes and ratios, as Prometheus wants them; what was not measured has no sample. Labels
 * are the service's id and words of this program: their number is bounded by the signatures.
 */
#include <math.h>
#include <string.h>

#include <weir/incident.h>

#include "page/status.h"
#include "view/view.h"

static const enum weir_state states[] = {
    WEIR_STATE_UNKNOWN, WEIR_STATE_HEALTHY, WEIR_STATE_SUSPECT,   WEIR_STATE_DEGRADED,
    WEIR_STATE_PARTIAL, WEIR_STATE_DOWN,    WEIR_STATE_RECOVERING};

/* A counter's samples end in _total in both; its family is named so in the older one only. */
static void family(struct weir_html *text, bool open, const char *name, const char *type,
                   const char *unit, const char *help) {
    const char *total = !open && strcmp(type, "counter") == 0 ? "_total" : "";
    weir_html_add(text, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, total, help, name, total, type);
    if (open && *unit) weir_html_add(text, "# UNIT %s %s\n", name, unit);
}

static void put_states(struct weir_html *text, bool open, const struct weir_page *page) {
    family(text, open, "weir_service_state", "gauge", "",
           "1 for the state that the service is in, as weir judges it.");
    for (size_t i = 0; i < page->n_services; i++)
        for (size_t s = 0; !page->services[i].is_control && s < sizeof states / sizeof states[0];
             s++)
            weir_html_add(text, "weir_service_state{service=\"%s\",state=\"%s\"} %d\n",
                          page->services[i].id, weir_state_name(states[s]),
                          page->services[i].state == states[s]);
}

static void put_trials(struct weir_html *text, bool open, const struct weir_page_site *site,
                       const struct weir_page *page) {
    family(text, open, "weir_trials", "counter", "",
           "Trials of clients by layer and result since weir serve began to read.");
    for (size_t i = 0; i < page->n_services; i++) {
        const struct weir_page_counts *counts = weir_page_site_counts(site, page->services[i].id);
        for (int layer = 0; counts && layer < WEIR_LAYER_N; layer++)
            for (int failed = 0; failed < 2; failed++)
                weir_html_add(text,
                              "weir_trials_total{service=\"%s\",layer=\"%s\",result=\"%s\"} %.0f\n",
                              page->services[i].id, weir_layer_name((enum weir_layer)layer),
                              failed ? "failing" : "useful",
                              failed ? counts->fail[layer] : counts->ok[layer]);
    }
}

/* ---- one value a service ---- */

static double goodput(const struct weir_page_service *service) { return service->goodput_bps / 8; }
static double rtt_server(const struct weir_page_service *service) { return service->rtt_us / 1e6; }
static double rtt_client(const struct weir_page_service *service) {
    return service->rtt_client_us / 1e6;
}
static double loss_server(const struct weir_page_service *service) { return service->loss; }
static double loss_client(const struct weir_page_service *service) { return service->loss_beyond; }
static double viewers(const struct weir_page_service *service) { return service->viewers; }
static double viewers_stalled(const struct weir_page_service *service) {
    return service->viewers_stalled;
}
static double startup(const struct weir_page_service *service) { return service->startup_us / 1e6; }
static double clients(const struct weir_page_service *service) { return service->clients; }
static double useful(const struct weir_page_service *service) {
    double all = service->recent_ok + service->recent_fail;
    return all > 0 ? service->recent_ok / all : NAN;
}
static double window_end(const struct weir_page_service *service) {
    return service->seen_us ? (double)service->seen_us / 1e6 : NAN;
}
static double availability(const struct weir_page_service *service) {
    return service->availability;
}

static const struct {
    const char *name, *unit, *help;
    double (*value)(const struct weir_page_service *service);
} gauges[] = {
    {"weir_goodput_bytes_per_second", "", "Median speed of media answers in the last window.",
     goodput},
    {"weir_rtt_server_seconds", "seconds", "Median round trip between the vantage and the servers.",
     rtt_server},
    {"weir_rtt_client_seconds", "seconds", "Median round trip between the vantage and the clients.",
     rtt_client},
    {"weir_loss_server_ratio", "ratio",
     "Share of segments lost between the servers and the vantage.", loss_server},
    {"weir_loss_client_ratio", "ratio",
     "Share of segments lost between the vantage and the clients.", loss_client},
    {"weir_clients", "", "Clients of the last window.", clients},
    {"weir_viewers", "", "Clients that watch or listen.", viewers},
    {"weir_viewers_stalled", "", "Of these, those whose picture stands still.", viewers_stalled},
    {"weir_startup_seconds", "seconds",
     "Median time until the picture came, of viewers that began in the last window.", startup},
    {"weir_useful_ratio", "ratio", "Share of useful trials in the last five minutes.", useful},
    {"weir_window_end_timestamp_seconds", "seconds", "End of the service's last window.",
     window_end},
    {"weir_availability_ratio", "ratio",
     "Share of the judged time of 90 days in which the service was not down.", availability},
};

static void put_gauges(struct weir_html *text, bool open, const struct weir_page *page) {
    for (size_t g = 0; g < sizeof gauges / sizeof gauges[0]; g++) {
        family(text, open, gauges[g].name, "gauge", gauges[g].unit, gauges[g].help);
        for (size_t i = 0; i < page->n_services; i++) {
            double value = gauges[g].value(&page->services[i]);
            if (!isnan(value))
                weir_html_add(text, "%s{service=\"%s\"} %.9g\n", gauges[g].name,
                              page->services[i].id, value);
        }
    }
}

static bool stands(const struct weir_page_incident *incident, const char *service,
                   const char *cause) {
    return incident->is_open && !incident->maintenance && strcmp(incident->service, service) == 0 &&
           (!cause || strcmp(incident->cause, cause) == 0);
}

/* A sample for each cause of an incident that stands; one with cause "" and 0 where none does. */
static void put_service_incidents(struct weir_html *text, const struct weir_page *page,
                                  const char *service) {
    bool any = false;
    for (size_t k = 0; k < page->n_incidents; k++) {
        const struct weir_page_incident *incident = &page->incidents[k];
        bool again = false; /* no sample may come twice */
        for (size_t j = 0; j < k; j++)
            again |= stands(&page->incidents[j], service, incident->cause);
        if (!stands(incident, service, NULL) || again) continue;
        any = true;
        weir_html_add(text, "weir_incident_open{service=\"%s\",cause=\"%s\"} 1\n", service,
                      incident->cause);
    }
    if (!any) weir_html_add(text, "weir_incident_open{service=\"%s\",cause=\"\"} 0\n", service);
}

/* Incidents by cause: the whole site's have no service. */
static void put_incidents(struct weir_html *text, bool open, const struct weir_page *page) {
    family(text, open, "weir_incident_open", "gauge", "",
           "Whether an incident of that service, or of that cause where it is nobody's, stands.");
    for (size_t i = 0; i < page->n_services; i++)
        if (!page->services[i].is_control) put_service_incidents(text, page, page->services[i].id);
    for (int cause = 0; cause < WEIR_CAUSE_N; cause++) {
        enum weir_whose whose = weir_cause_whose((enum weir_cause)cause);
        const char *name = weir_cause_name((enum weir_cause)cause);
        bool any = false;
        if (whose != WEIR_WHOSE_SITE && whose != WEIR_WHOSE_CLIENT) continue;
        for (size_t k = 0; k < page->n_incidents; k++) any |= stands(&page->incidents[k], "", name);
        weir_html_add(text, "weir_incident_open{service=\"\",cause=\"%s\"} %d\n", name, any);
    }
}

void weir_page_metrics(const struct weir_page_site *site, const struct weir_page *page,
                       const struct weir_view *view, bool open, struct weir_html *text) {
    put_states(text, open, page);
    put_trials(text, open, site, page);
    put_gauges(text, open, page);
    put_incidents(text, open, page);
    family(text, open, "weir_capture_packets", "counter", "", "Packets that the probe captured.");
    if (!isnan(view->packets))
        weir_html_add(text, "weir_capture_packets_total %.0f\n", view->packets);
    family(text, open, "weir_capture_dropped_packets", "counter", "",
           "Packets that the capture lost.");
    weir_html_add(text, "weir_capture_dropped_packets_total %.0f\n", view->dropped);
    family(text, open, "weir_refused", "counter", "",
           "Times that one of the probe's bounds was hit.");
    weir_html_add(text, "weir_refused_total %.0f\n", view->refused);
    family(text, open, "weir_probe_seen_timestamp_seconds", "gauge", "seconds",
           "When the probe wrote last.");
    if (view->seen_us)
        weir_html_add(text, "weir_probe_seen_timestamp_seconds %.3f\n",
                      (double)view->seen_us / 1e6);
    family(text, open, "weir_up", "gauge", "",
           "1 while what the probe writes can be read and is fresh.");
    weir_html_add(text, "weir_up %d\n",
                  !page->trouble[0] && view->seen_us &&
                      (view->replay || view->now_us - view->seen_us <= WEIR_VIEW_FRESH_US));
    if (open) weir_html_raw(text, "# EOF\n");
}
