/* From flat fields, as in Redis and status.json, to the model. What is absent or unreadable is not
 * measured, never 0. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/counter.h>
#include <weir/outcome.h>

#include "base/local_time.h"
#include "base/printable.h"
#include "view/view.h"

double weir_view_number(const char *text) {
    char *end;
    if (!text || !*text) return NAN;
    double value = strtod(text, &end);
    return *end || !isfinite(value) ? NAN : value;
}

int64_t weir_view_time(const char *text) {
    double seconds = weir_view_number(text);
    return seconds > 0 && seconds < 253402300800.0 ? (int64_t)llround(seconds * 1e6) : 0;
}

/* What could steer a terminal is no text. */
static void copy(char *into, size_t size, const char *text) {
    weir_printable_copy(into, size, text ? text : "");
}
#define COPY(array, text) copy(array, sizeof(array), text)

static double number(weir_view_get get, const void *of, const char *name) {
    return weir_view_number(get(of, name));
}

static double zero_if_unknown(double value) { return isnan(value) ? 0 : value; }

void weir_view_read_probe(struct weir_view *view, weir_view_get get, const void *of) {
    size_t n;
    const struct weir_counter *counters = weir_counters(&n);
    const char *mode = get(of, "mode");
    view->replay = mode && strcmp(mode, "replay") == 0;
    view->seen_us = weir_view_time(get(of, "seen_ts"));
    view->first_us = weir_view_time(get(of, "first_ts"));
    view->packets = number(get, of, "packets");
    view->bytes = number(get, of, "bytes");
    view->dropped = view->refused = 0;
    for (size_t i = 0; i < n; i++) {
        double value = zero_if_unknown(number(get, of, counters[i].name));
        if (counters[i].kind == WEIR_COUNTER_DROPPED) view->dropped += value;
        if (counters[i].kind == WEIR_COUNTER_REFUSED) view->refused += value;
    }
}

static void main_failure(struct weir_view_service *service, weir_view_get get, const void *of) {
    double most = 0;
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++) {
        char name[64];
        snprintf(name, sizeof name, "trials_fail_%s", weir_outcome_name(kind));
        double n = service->kinds[kind] = weir_outcome_failed(kind) ? number(get, of, name) : 0;
        if (n > most) {
            most = n;
            COPY(service->failing_by, weir_outcome_name(kind));
        }
    }
}

void weir_view_read_point(struct weir_view_point *point, weir_view_get get, const void *of) {
    *point = (struct weir_view_point){.end_us = weir_view_time(get(of, "end_ts")),
                                      .ok = number(get, of, "trials_ok"),
                                      .fail = number(get, of, "trials_fail_total"),
                                      .goodput_bps = number(get, of, "goodput_p50_bps"),
                                      .rtt_us = number(get, of, "rtt_server_p50_us"),
                                      .rtt_client_us = number(get, of, "rtt_client_p50_us"),
                                      .loss_before = number(get, of, "loss_down_before_share"),
                                      .loss_beyond = number(get, of, "loss_down_beyond_share"),
                                      .dns_ok = number(get, of, "trials_by_layer_dns_ok")};
    COPY(point->state, get(of, "state"));
}

static void read_layers(struct weir_view_service *service, weir_view_get get, const void *of) {
    char name[64];
    for (int layer = 0; layer < WEIR_LAYER_N; layer++) {
        snprintf(name, sizeof name, "trials_by_layer_%s_ok",
                 weir_layer_name((enum weir_layer)layer));
        service->layer_ok[layer] = number(get, of, name);
        snprintf(name, sizeof name, "trials_by_layer_%s_fail",
                 weir_layer_name((enum weir_layer)layer));
        service->layer_fail[layer] = number(get, of, name);
    }
}

void weir_view_read_service(struct weir_view_service *service, const char *name, weir_view_get get,
                            const void *of) {
    *service =
        (struct weir_view_service){.end_us = weir_view_time(get(of, "end_ts")),
                                   .ok = number(get, of, "trials_ok"),
                                   .fail = number(get, of, "trials_fail_total"),
                                   .clients = number(get, of, "clients"),
                                   .flows = number(get, of, "flows_new"),
                                   .bytes_down = number(get, of, "bytes_down"),
                                   .goodput_bps = number(get, of, "goodput_p50_bps"),
                                   .ttfb_us = number(get, of, "ttfb_p50_us"),
                                   .rtt_us = number(get, of, "rtt_server_p50_us"),
                                   .loss_share = number(get, of, "loss_down_before_share"),
                                   .viewers = number(get, of, "viewers_watching"),
                                   .viewers_stalled = number(get, of, "viewers_stalled"),
                                   .stalled_share = number(get, of, "viewers_stalled_share"),
                                   .startup_us = number(get, of, "viewers_startup_p50_us"),
                                   .bitrate_bps = number(get, of, "viewers_bitrate_p50_bps"),
                                   .rtt_client_us = number(get, of, "rtt_client_p50_us"),
                                   .loss_beyond_share = number(get, of, "loss_down_beyond_share")};
    COPY(service->name, name);
    read_layers(service, get, of);
    COPY(service->state, get(of, "state"));
    main_failure(service, get, of);
}

void weir_view_read_event(struct weir_view_event *event, weir_view_get get, const void *of) {
    const char *json = get(of, "json");
    *event = (struct weir_view_event){.ts_us = weir_view_time(get(of, "ts")),
                                      .onset_us = weir_view_time(get(of, "onset_ts")),
                                      .clients = number(get, of, "clients"),
                                      .trials_fail = number(get, of, "trials_fail"),
                                      .trials_total = number(get, of, "trials_total"),
                                      .maintenance = number(get, of, "maintenance") > 0,
                                      .json = json ? strdup(json) : NULL};
    if (event->json) weir_printable_json(event->json);
    COPY(event->id, get(of, "id"));
    COPY(event->event, get(of, "event"));
    COPY(event->service, get(of, "service"));
    COPY(event->state, get(of, "state"));
    COPY(event->cause, get(of, "cause"));
    COPY(event->confidence, get(of, "confidence"));
    COPY(event->layer, get(of, "layer"));
    char text[sizeof event->text];
    COPY(text, get(of, "text"));
    weir_local_sentence(event->text, sizeof event->text, text, event->onset_us);
}
