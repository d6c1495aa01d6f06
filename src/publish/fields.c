/* Records as flat fields. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weir/measure.h>

#include "publish/fields.h"

void weir_fields_clear(struct weir_fields *fields) {
    fields->n = 0;
    fields->used = 0;
}

/* Adds a pair whose name and value are made in the arena; a pair without room is left out whole
 * (the arena is sized so that none is: see test_fields). */
__attribute__((format(printf, 3, 4))) static void put(struct weir_fields *fields, const char *name,
                                                      const char *format, ...) {
    if (fields->n == WEIR_PAIRS_MAX) return;
    size_t room = sizeof fields->arena - fields->used;
    char *text = fields->arena + fields->used;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, room, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= room) return;
    fields->names[fields->n] = name;
    fields->texts[fields->n++] = text;
    fields->used += (size_t)length + 1;
}

void weir_fields_text(struct weir_fields *fields, const char *name, const char *text) {
    if (fields->n == WEIR_PAIRS_MAX) return;
    fields->names[fields->n] = name;
    fields->texts[fields->n++] = text ? text : "";
}

void weir_fields_int(struct weir_fields *fields, const char *name, int64_t value) {
    if (value == WEIR_NULL)
        put(fields, name, "%s", "");
    else
        put(fields, name, "%" PRId64, value);
}

void weir_fields_time(struct weir_fields *fields, const char *name, int64_t us) {
    if (us == WEIR_NULL)
        put(fields, name, "%s", "");
    else
        put(fields, name, "%" PRId64 ".%06d", us / 1000000, (int)(us % 1000000));
}

void weir_fields_share(struct weir_fields *fields, const char *name, double share) {
    if (isnan(share))
        put(fields, name, "%s", "");
    else
        put(fields, name, "%.4f", share);
}

/* <group>_<name>, in the arena. */
static const char *flat_name(struct weir_fields *fields, const struct weir_field *field) {
    if (!field->group) return field->name;
    size_t room = sizeof fields->arena - fields->used;
    char *text = fields->arena + fields->used;
    int length = snprintf(text, room, "%s_%s", field->group, field->name);
    if (length < 0 || (size_t)length >= room) return field->name;
    fields->used += (size_t)length + 1;
    return text;
}

void weir_fields_probe(struct weir_fields *fields, const struct weir_publish_context *context,
                       bool replay, const bool seen[WEIR_SERVICES_MAX], int64_t seen_us) {
    char list[2048] = "";
    size_t used = 0;
    for (size_t id = 0; id < weir_service_set_count(context->set); id++) {
        const char *name = weir_service_get(context->set, (weir_service_id)id)->id;
        if (seen[id] && used + strlen(name) + 2 < sizeof list)
            used +=
                (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? " " : "", name);
    }
    weir_fields_text(fields, "version", WEIR_VERSION);
    weir_fields_text(fields, "mode", replay ? "replay" : "live");
    weir_fields_time(fields, "seen_ts", seen_us);
    put(fields, "services", "%s", list);
}

static void put_blocked(struct weir_fields *fields, const struct weir_blocked_names *blocked) {
    char list[WEIR_BLOCKED_NAMES_MAX * WEIR_BLOCKED_NAME_MAX] = "";
    size_t used = 0;
    for (unsigned i = 0; i < blocked->n; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? " " : "",
                                 blocked->text[i]);
    put(fields, "blocked_names", "%s", list);
}

void weir_fields_window(struct weir_fields *fields, const struct weir_publish_context *context,
                        const struct weir_window_record *window) {
    size_t n;
    const struct weir_field *all = weir_fields(&n);
    weir_fields_time(fields, "start_ts", window->start_us);
    weir_fields_time(fields, "end_ts", window->end_us);
    weir_fields_text(fields, "state", weir_state_name(window->state));
    put_blocked(fields, &window->blocked);
    for (size_t i = 0; i < n; i++) {
        const char *name = flat_name(fields, &all[i]);
        const struct weir_value *value = &window->values[i];
        if (all[i].type == WEIR_FIELD_RATIO)
            weir_fields_share(fields, name, value->reason == WEIR_REASON_NONE ? value->real : NAN);
        else
            weir_fields_int(fields, name,
                            value->reason == WEIR_REASON_NONE ? value->integer : WEIR_NULL);
    }
}

void weir_fields_incident(struct weir_fields *fields, const struct weir_publish_context *context,
                          const struct weir_incident *incident) {
    const struct weir_service *service =
        incident->service ? weir_service_get(context->set, incident->service) : NULL;
    weir_fields_text(fields, "id", incident->id);
    weir_fields_text(fields, "event", weir_incident_event_name(incident->event));
    weir_fields_text(fields, "service", service ? service->id : "");
    weir_fields_text(fields, "state", weir_state_name(incident->state));
    weir_fields_text(fields, "cause", weir_cause_name(incident->cause));
    weir_fields_text(fields, "confidence", weir_confidence_name(incident->confidence));
    weir_fields_share(fields, "probability", incident->probability);
    weir_fields_text(fields, "part", weir_part_name(incident->part));
    weir_fields_time(fields, "onset_ts", incident->onset_us);
    if (incident->recovered_us)
        weir_fields_time(fields, "recovered_ts", incident->recovered_us);
    else
        weir_fields_int(fields, "recovered_ts", WEIR_NULL);
    weir_fields_text(fields, "layer", weir_layer_name(incident->layer));
    weir_fields_int(fields, "clients", incident->n_clients);
    weir_fields_int(fields, "clients_seen", incident->n_clients_seen);
    weir_fields_int(fields, "prefixes", incident->n_prefixes);
    weir_fields_int(fields, "asn", incident->as.number ? incident->as.number : WEIR_NULL);
    weir_fields_text(fields, "as_org", incident->as.name);
    weir_fields_int(fields, "trials_fail", incident->trials.fail);
    weir_fields_int(fields, "trials_total", incident->trials.total);
    weir_fields_share(fields, "trials_low", incident->trials.low);
    weir_fields_share(fields, "trials_high", incident->trials.high);
    weir_fields_int(fields, "controls_fail", incident->controls.fail);
    weir_fields_int(fields, "controls_total", incident->controls.total);
    weir_fields_int(fields, "maintenance", incident->maintenance);
    weir_fields_text(fields, "text", incident->text);
}

void weir_fields_capture(struct weir_fields *fields, const struct weir_publish_context *context,
                         const struct weir_capture_record *capture) {
    weir_fields_time(fields, "first_ts", capture->first_ts_us);
    weir_fields_time(fields, "last_ts", capture->last_ts_us);
    size_t n;
    const struct weir_counter *counters = weir_counters(&n);
    for (size_t i = 0; i < n; i++)
        weir_fields_int(fields, counters[i].name,
                        (int64_t)weir_counter_value(&counters[i], capture));
}

void weir_fields_hour(struct weir_fields *fields, int64_t run_us,
                      const struct weir_history_hour *hour) {
    weir_fields_time(fields, "start_ts", hour->start_us);
    weir_fields_time(fields, "run_ts", run_us);
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {{"judged_s", hour->judged_s},
                  {"healthy_s", hour->healthy_s},
                  {"degraded_s", hour->degraded_s},
                  {"partial_s", hour->partial_s},
                  {"down_s", hour->down_s},
                  {"trials_ok", hour->trials_ok},
                  {"trials_failed", hour->trials_fail}};
    const struct {
        const char *name;
        double value;
    } medians[] = {{"goodput_bps", hour->goodput_bps},
                   {"ttfb_us", hour->ttfb_us},
                   {"rtt_server_us", hour->rtt_server_us},
                   {"rtt_client_us", hour->rtt_client_us}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        weir_fields_int(fields, counts[i].name, counts[i].value);
    for (size_t i = 0; i < sizeof medians / sizeof medians[0]; i++)
        weir_fields_int(fields, medians[i].name,
                        isnan(medians[i].value) ? WEIR_NULL : llround(medians[i].value));
    weir_fields_share(fields, "loss_server", hour->loss_server);
    weir_fields_share(fields, "loss_client", hour->loss_client);
}
