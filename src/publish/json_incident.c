/* The `incident` record; client addresses as the privacy mode says. */
#include <math.h>

#include "publish/json.h"

static struct json_object *clients_hit(const struct weir_publish_context *context,
                                       const struct weir_incident *incident) {
    struct json_object *list = json_object_new_array();
    for (uint32_t i = 0; i < incident->n_clients && i < WEIR_INCIDENT_LIST_MAX &&
                         context->clients != WEIR_CLIENTS_NONE;
         i++) {
        char text[WEIR_CLIENT_TEXT_MAX];
        json_object_array_add(
            list, json_object_new_string(weir_client_text(context, &incident->clients[i], text)));
    }
    return list;
}

static struct json_object *prefixes(const struct weir_incident *incident) {
    struct json_object *list = json_object_new_array();
    for (uint32_t i = 0; i < incident->n_prefixes && i < WEIR_INCIDENT_LIST_MAX; i++) {
        char text[WEIR_ADDR_TEXT_MAX + 4];
        weir_addr_text(&incident->prefixes[i], text);
        strcat(text, weir_addr_is_v4(&incident->prefixes[i]) ? "/24" : "/48");
        json_object_array_add(list, json_object_new_string(text));
    }
    return list;
}

static void put_as(struct json_object *object, const struct weir_as *as) {
    json_put(object, "asn", as->number ? json_object_new_uint64(as->number) : NULL);
    json_put_text(object, "as_org", as->name[0] ? as->name : NULL);
}

/* Beside `prefixes`, in their order. NULL when no system is known: without a database there is
 * nothing to say. */
static struct json_object *prefix_as(const struct weir_incident *incident) {
    struct json_object *list = json_object_new_array();
    bool known = false;
    for (uint32_t i = 0; i < incident->n_prefixes && i < WEIR_INCIDENT_LIST_MAX; i++) {
        struct json_object *one = json_object_new_object();
        put_as(one, &incident->prefix_as[i]);
        json_object_array_add(list, one);
        known |= incident->prefix_as[i].number != 0;
    }
    if (known) return list;
    json_object_put(list);
    return NULL;
}

static struct json_object *kinds(const struct weir_incident *incident) {
    struct json_object *object = json_object_new_object();
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++)
        if (incident->kinds[kind])
            json_put_uint(object, weir_outcome_name(kind), incident->kinds[kind]);
    return object;
}

static struct json_object *controls(const struct weir_publish_context *context,
                                    const struct weir_incident *incident) {
    struct json_object *object = json_object_new_object(), *by_service = json_object_new_object();
    json_put_uint(object, "fail", incident->controls.fail);
    json_put_uint(object, "total", incident->controls.total);
    for (unsigned i = 0; i < incident->controls.n; i++) {
        const struct weir_service *service =
            weir_service_get(context->set, incident->controls.by_service[i].service);
        struct json_object *one = json_object_new_object();
        json_put_uint(one, "fail", incident->controls.by_service[i].fail);
        json_put_uint(one, "total", incident->controls.by_service[i].total);
        json_put(by_service, service->id, one);
    }
    json_put(object, "by_service", by_service);
    return object;
}

static struct json_object *regions(const struct weir_incident *incident) {
    struct json_object *object = json_object_new_object();
    for (unsigned i = 0; i < incident->n_regions; i++) {
        struct json_object *one = json_object_new_object();
        json_put_uint(one, "fail", incident->regions[i].fail);
        json_put_uint(one, "total", incident->regions[i].total);
        json_put_uint(one, "clients", incident->regions[i].clients);
        json_put_uint(one, "clients_seen", incident->regions[i].clients_seen);
        json_put(object, incident->regions[i].name, one);
    }
    return object;
}

static struct json_object *silence(const struct weir_incident_silence *silence) {
    struct json_object *object = json_object_new_object();
    json_put_uint(object, "window_us", (uint64_t)silence->window_us);
    json_put(object, "clients", json_object_new_double(round(silence->clients * 10) / 10));
    json_put(object, "clients_expected",
             json_object_new_double(round(silence->expected * 10) / 10));
    json_put(object, "others_share", json_share(silence->others_share));
    return object;
}

static struct json_object *link_of(const struct weir_incident_link *link) {
    struct json_object *object = json_object_new_object();
    json_put_uint(object, "segments", link->segments);
    json_put_uint(object, "lost_beyond", link->lost_beyond);
    json_put_uint(object, "lost_before", link->lost_before);
    json_put_uint(object, "others_segments", link->others_segments);
    json_put_uint(object, "others_lost", link->others_lost);
    return object;
}

static struct json_object *alternatives(const struct weir_incident *incident) {
    struct json_object *object = json_object_new_object();
    for (unsigned i = 0; i < incident->n_alternatives; i++)
        json_put(object, weir_cause_name(incident->alternatives[i].cause),
                 json_share(incident->alternatives[i].probability));
    return object;
}

static struct json_object *blocked_names(const struct weir_incident *incident) {
    struct json_object *list = json_object_new_array();
    for (unsigned i = 0; i < incident->n_blocked_names; i++)
        json_object_array_add(list, json_object_new_string(incident->blocked_names[i]));
    return list;
}

void weir_json_incident(const struct weir_publish_context *context, struct json_object *object,
                        const struct weir_incident *incident) {
    const struct weir_service *service =
        incident->service ? weir_service_get(context->set, incident->service) : NULL;
    json_put_text(object, "id", incident->id);
    json_put_text(object, "event", weir_incident_event_name(incident->event));
    json_put_text(object, "service", service ? service->id : NULL);
    json_put_text(object, "state", weir_state_name(incident->state));
    json_put_text(object, "cause", weir_cause_name(incident->cause));
    json_put(object, "probability", json_share(incident->probability));
    json_put(object, "alternatives", alternatives(incident));
    json_put_text(object, "part", weir_part_name(incident->part));
    json_put(object, "blocked_names", blocked_names(incident));
    json_put(object, "onset_ts", json_time(incident->onset_us));
    json_put(object, "raised_ts", json_time(incident->raised_us));
    json_put(object, "recovered_ts",
             incident->recovered_us ? json_time(incident->recovered_us) : NULL);
    json_put(object, "cleared_ts", incident->cleared_us ? json_time(incident->cleared_us) : NULL);
    json_put_text(object, "watch", weir_watch_name(incident->watch));
    json_put_text(object, "layer", weir_layer_name(incident->layer));
    json_put(object, "kinds", kinds(incident));
    json_put_uint(object, "clients", incident->n_clients);
    json_put_uint(object, "clients_seen", incident->n_clients_seen);
    json_put(object, "at_least", json_object_new_boolean(incident->at_least));
    json_put(object, "viewers",
             incident->viewers ? json_object_new_uint64(incident->viewers) : NULL);
    json_put(object, "viewers_stalled",
             incident->viewers ? json_object_new_uint64(incident->viewers_stalled) : NULL);
    json_put(object, "clients_hit", clients_hit(context, incident));
    json_put(object, "prefixes", prefixes(incident));
    struct json_object *systems = prefix_as(incident);
    if (systems) {
        json_put(object, "prefix_as", systems);
        put_as(object, &incident->as);
    }
    json_put(object, "regions", regions(incident));
    struct json_object *trials = json_object_new_object();
    json_put_uint(trials, "fail", incident->trials.fail);
    json_put_uint(trials, "total", incident->trials.total);
    json_put(trials, "low", json_share(incident->trials.low));
    json_put(trials, "high", json_share(incident->trials.high));
    json_put(object, "trials", trials);
    json_put(object, "controls", controls(context, incident));
    if (incident->silence.window_us) json_put(object, "silence", silence(&incident->silence));
    if (incident->link.segments) json_put(object, "link", link_of(&incident->link));
    json_put_text(object, "confidence", weir_confidence_name(incident->confidence));
    if (incident->maintenance) json_put(object, "maintenance", json_object_new_boolean(true));
    json_put_text(object, "text", incident->text);
}
