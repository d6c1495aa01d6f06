/* The sink of `weir replay --html`: records into the model; when the capture is over, the page into
 * its file.
 *
 * Windows go into bins as they come; incidents, sessions and the capture pass through the encoder
 * that all sinks share, so that the page says what the records say, and hides what they hide.
 */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weir/measure.h>
#include <weir/sink.h>

#include "page/page.h"
#include "page/render.h"
#include "page/sink.h"

struct report_sink {
    const struct weir_publish_context *context;
    struct weir_json *json;
    char *path;
    FILE *file; /* opened before rights are given up; what was there stays until the page is made */
    int fields[WEIR_PAGE_SERIES_N];
    int16_t place[WEIR_SERVICES_MAX]; /* in page.services, + 1; 0: none yet */
    struct weir_page page;
};

static const char *title_of(const void *of, const char *id) {
    const struct report_sink *sink = of;
    weir_service_id found = weir_service_find(sink->context->set, id);
    return found == WEIR_SERVICE_OTHER  ? "Everything else"
           : found == WEIR_SERVICE_NONE ? id
                                        : weir_service_get(sink->context->set, found)->title;
}

static struct weir_page_service *service_of(struct report_sink *sink, weir_service_id id) {
    if (sink->place[id]) return &sink->page.services[sink->place[id] - 1];
    if (sink->page.n_services == WEIR_PAGE_SERVICES_MAX) return NULL;
    struct weir_page_service *service = &sink->page.services[sink->page.n_services++];
    sink->place[id] = (int16_t)sink->page.n_services;
    snprintf(service->id, sizeof service->id, "%.60s",
             weir_service_get(sink->context->set, id)->id);
    snprintf(service->title, sizeof service->title, "%.90s", title_of(sink, service->id));
    service->is_control = id == WEIR_SERVICE_OTHER;
    service->track = calloc(1, sizeof *service->track);
    return service;
}

/* ---- values by measure's table ---- */

static double value_at(const struct weir_value *values, int field) {
    size_t n;
    if (field < 0 || values[field].reason != WEIR_REASON_NONE) return NAN;
    return weir_fields(&n)[field].type == WEIR_FIELD_RATIO ? values[field].real
                                                           : (double)values[field].integer;
}

static double named(const struct weir_value *values, const char *group, const char *name) {
    return value_at(values, weir_field_find(group, name));
}

static int take_window(struct report_sink *sink, const struct weir_window_record *window) {
    struct weir_page_service *service = service_of(sink, window->service);
    int place = weir_page_place(&sink->page, window->start_us);
    if (!service || !service->track) return service ? -ENOMEM : 0;
    if (place < 0) return 0;
    struct weir_page_bin *bin = &service->track->bins[place];
    bin->seen = true;
    if (weir_page_badness(window->state) > weir_page_badness(bin->state))
        bin->state = window->state;
    for (int s = 0; s < WEIR_PAGE_SERIES_N; s++) {
        double value = value_at(window->values, sink->fields[s]);
        if (!isnan(value)) {
            bin->sum[s] += (float)value;
            bin->n[s]++;
        }
    }
    sink->page.last_us = window->end_us > sink->page.last_us ? window->end_us : sink->page.last_us;
    return 0;
}

static void take_service(struct report_sink *sink, const struct weir_service_record *record) {
    struct weir_page_service *service = service_of(sink, record->service);
    double most = 0;
    if (!service) return;
    service->state = record->state;
    service->seen_us = record->last_us;
    service->ok = named(record->values, NULL, "trials_ok");
    service->fail = named(record->values, "trials_fail", "total");
    service->flows = named(record->values, NULL, "flows_new");
    service->bytes_down = named(record->values, NULL, "bytes_down");
    service->clients = named(record->values, NULL, "clients");
    service->goodput_bps = named(record->values, "goodput", "p50_bps");
    service->rtt_us = named(record->values, "rtt_server", "p50_us");
    service->loss = named(record->values, "loss", "down_before_share");
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++) {
        double n = weir_outcome_failed(kind)
                       ? named(record->values, "trials_fail", weir_outcome_name(kind))
                       : 0;
        if (n > most) {
            most = n;
            snprintf(service->failing_by, sizeof service->failing_by, "%.60s",
                     weir_outcome_help(kind));
        }
    }
}

/* ---- records that pass through the encoder ---- */

static int take_incident(struct weir_page *page, const struct weir_page_incident *incident) {
    for (size_t i = 0; i < page->n_incidents; i++)
        if (strcmp(page->incidents[i].id, incident->id) == 0) {
            weir_page_join_incident(&page->incidents[i], incident);
            return 0;
        }
    if (page->n_incidents == WEIR_PAGE_INCIDENTS_MAX) {
        page->incidents_left_out++;
        return 0;
    }
    if (!page->incidents &&
        !(page->incidents = calloc(WEIR_PAGE_INCIDENTS_MAX, sizeof *page->incidents)))
        return -ENOMEM;
    page->incidents[page->n_incidents++] = *incident;
    return 0;
}

static double still(const struct weir_page_session *session) {
    return fmax(isnan(session->stalled_us) ? 0 : session->stalled_us,
                isnan(session->starved_us) ? 0 : session->starved_us);
}

/* Of more sessions than there is room for, those stay that stood still longest. */
static int take_session(struct weir_page *page, const struct weir_page_session *session) {
    size_t least = 0;
    page->sessions_total++;
    if (!page->sessions &&
        !(page->sessions = calloc(WEIR_PAGE_SESSIONS_MAX, sizeof *page->sessions)))
        return -ENOMEM;
    if (page->n_sessions < WEIR_PAGE_SESSIONS_MAX) {
        page->sessions[page->n_sessions++] = *session;
        return 0;
    }
    page->sessions_left_out++;
    for (size_t i = 1; i < page->n_sessions; i++)
        if (still(&page->sessions[i]) < still(&page->sessions[least])) least = i;
    if (still(session) > still(&page->sessions[least])) page->sessions[least] = *session;
    return 0;
}

static int write_page(struct report_sink *sink, struct weir_fault *fault) {
    struct weir_page *page = &sink->page;
    page->now_us = page->last_us;
    weir_page_finish(page);
    struct weir_html html = {0};
    int error = weir_page_report(page, &html);
    if (!error && ftruncate(fileno(sink->file), 0) < 0 && errno != EINVAL) /* EINVAL: a pipe */
        error = weir_fault_set(fault, -errno, "--html %s: %s", sink->path, strerror(errno));
    if (!error &&
        (fwrite(html.text, 1, html.length, sink->file) != html.length || fflush(sink->file) != 0))
        error = weir_fault_set(fault, errno ? -errno : -EIO, "--html %s: %s", sink->path,
                               strerror(errno));
    weir_html_deinit(&html);
    return error;
}

static int take_encoded(struct report_sink *sink, const struct weir_record *record,
                        struct weir_fault *fault) {
    size_t length;
    struct weir_page *page = &sink->page;
    const char *text = weir_json_record(sink->json, record, &length);
    struct json_object *object = text ? json_tokener_parse(text) : NULL;
    int error = object ? 0 : -ENOMEM;
    struct weir_page_incident incident;
    struct weir_page_session session;
    if (!error && record->type == WEIR_RECORD_INCIDENT &&
        weir_page_read_incident(&incident, object, title_of, sink) == 0)
        error = take_incident(page, &incident);
    else if (!error && record->type == WEIR_RECORD_SESSION &&
             weir_page_read_session(&session, object, title_of, sink) == 0)
        error = take_session(page, &session);
    else if (!error && record->type == WEIR_RECORD_CAPTURE)
        weir_page_read_capture(page, object);
    json_object_put(object);
    if (!error && record->type == WEIR_RECORD_CAPTURE && !record->capture->interim)
        error = write_page(sink, fault);
    return error;
}

static int report_record(void *state, const struct weir_record *record, struct weir_fault *fault) {
    struct report_sink *sink = state;
    switch (record->type) {
    case WEIR_RECORD_WINDOW: return take_window(sink, record->window);
    case WEIR_RECORD_SERVICE: take_service(sink, record->service); return 0;
    case WEIR_RECORD_INCIDENT:
    case WEIR_RECORD_SESSION:
    case WEIR_RECORD_CAPTURE: return take_encoded(sink, record, fault);
    default: return 0;
    }
}

static int report_flush(void *state, struct weir_fault *fault) { return 0; }

static void report_free(void *state) {
    struct report_sink *sink = state;
    if (!sink) return;
    weir_page_deinit(&sink->page);
    weir_json_free(sink->json);
    if (sink->file) fclose(sink->file);
    free(sink->path);
    free(sink);
}

int weir_sink_report_new(void **ret_state, const struct weir_publish_context *context,
                         const char *path, struct weir_fault *fault) {
    struct report_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    sink->context = context;
    sink->json = weir_json_new(context);
    sink->path = strdup(path);
    sink->page.replay = true;
    sink->page.hide_clients = context->clients == WEIR_CLIENTS_NONE;
    snprintf(sink->page.site, sizeof sink->page.site, "%.150s", context->site);
    for (int s = 0; s < WEIR_PAGE_SERIES_N; s++) {
        const char *group, *name;
        weir_page_series_field((enum weir_page_series)s, &group, &name);
        sink->fields[s] = weir_field_find(group, name);
    }
    tzset();
    sink->file = sink->json && sink->path ? fopen(path, "ae") : NULL;
    if (!sink->file) {
        int error = weir_fault_set(fault, -errno, "--html %s: %s", path, strerror(errno));
        report_free(sink);
        return error;
    }
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_report = {
    .name = "report",
    .help = "one page for a browser",
    .record = report_record,
    .flush = report_flush,
    .free = report_free,
};
