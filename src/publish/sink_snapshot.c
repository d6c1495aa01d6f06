/* DIR/status.json: what `weir status`, `alerts` and `top` read on a machine without Redis.
 *
 *     {"weir":1, "type":"status", "site":..., "mode":"live", "ts":...,
 *      "probe":     {flat fields as in Redis' hash},
 *      "services":  {"netflix": {"window": {flat fields}, "history": [[end_ts, ok, fail,
 * goodput_bps, rtt_us, rtt_client_us, loss_before, loss_beyond, state, dns_ok], ...]}, ...},
 *      "incidents": [{flat fields, "json": the record}, ...]}            newest event last
 *
 * The same flat fields as in Redis, so that one reader understands both. The file is written beside
 * itself and renamed: a reader sees a whole one, always. An interface's is written after each
 * window; a full disk is said once, and tried again with the next.
 */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/measure.h>

#include "base/log.h"
#include "base/private_file.h"
#include "publish/fields.h"
#include "publish/json.h"

enum { HISTORY_MAX = 60, EVENTS_MAX = 256, STATUS_BYTES_MAX = 64 << 20 };

struct point {
    /* WEIR_NULL: not measured */
    int64_t end_us, ok, fail, goodput_bps, rtt_us, rtt_client_us, dns_ok;
    double loss_before, loss_beyond; /* NAN: not measured */
    uint8_t state;                   /* enum weir_state at its end */
};

struct service_state {
    struct json_object *window; /* flat fields of the newest */
    size_t n_points;            /* ever; the last HISTORY_MAX are kept */
    struct point points[HISTORY_MAX];
};

struct snapshot_sink {
    const struct weir_publish_context *context;
    bool replay, over, complained;
    char path[4096];
    struct weir_json *json;
    struct weir_fields fields;
    int64_t ts_us;
    struct json_object *probe;
    bool seen[WEIR_SERVICES_MAX];
    struct service_state services[WEIR_SERVICES_MAX];
    size_t n_events; /* ever; the last EVENTS_MAX are kept */
    struct json_object *events[EVENTS_MAX];
};

/* ---- records, as they come ---- */

/* A flat field's text as JSON: empty is null, what reads as a number is one, to the digit. */
static struct json_object *flat_value(const char *text) {
    char *end;
    if (!*text) return NULL;
    double value = strtod(text, &end);
    return *end || !isfinite(value) ? json_object_new_string(text)
                                    : json_object_new_double_s(value, text);
}

static struct json_object *flat_object(const struct weir_fields *fields) {
    struct json_object *object = json_object_new_object();
    for (size_t i = 0; i < fields->n; i++)
        json_object_object_add(object, fields->names[i], flat_value(fields->texts[i]));
    return object;
}

static int64_t value_of(const struct weir_window_record *window, const char *group,
                        const char *name) {
    int field = weir_field_find(group, name);
    return field < 0 || window->values[field].reason != WEIR_REASON_NONE
               ? WEIR_NULL
               : window->values[field].integer;
}

static double share_of(const struct weir_window_record *window, const char *group,
                       const char *name) {
    int field = weir_field_find(group, name);
    return field < 0 || window->values[field].reason != WEIR_REASON_NONE
               ? NAN
               : window->values[field].real;
}

static void keep_window(struct snapshot_sink *sink, const struct weir_record *record) {
    const struct weir_window_record *window = record->window;
    struct service_state *service = &sink->services[window->service];
    weir_fields_clear(&sink->fields);
    weir_fields_time(&sink->fields, "ts", record->ts_us);
    weir_fields_window(&sink->fields, sink->context, window);
    json_object_put(service->window);
    service->window = flat_object(&sink->fields);
    service->points[service->n_points++ % HISTORY_MAX] =
        (struct point){.end_us = window->end_us,
                       .ok = value_of(window, NULL, "trials_ok"),
                       .fail = value_of(window, "trials_fail", "total"),
                       .goodput_bps = value_of(window, "goodput", "p50_bps"),
                       .rtt_us = value_of(window, "rtt_server", "p50_us"),
                       .rtt_client_us = value_of(window, "rtt_client", "p50_us"),
                       .loss_before = share_of(window, "loss", "down_before_share"),
                       .loss_beyond = share_of(window, "loss", "down_beyond_share"),
                       .state = window->state,
                       .dns_ok = value_of(window, "trials_by_layer", "dns_ok")};
    sink->seen[window->service] = true;
}

static void keep_incident(struct snapshot_sink *sink, const struct weir_record *record) {
    size_t length;
    const char *json = weir_json_record(sink->json, record, &length);
    struct json_object **slot = &sink->events[sink->n_events++ % EVENTS_MAX];
    weir_fields_clear(&sink->fields);
    weir_fields_time(&sink->fields, "ts", record->ts_us);
    weir_fields_incident(&sink->fields, sink->context, record->incident);
    json_object_put(*slot);
    *slot = flat_object(&sink->fields);
    json_object_object_add(*slot, "json", json_tokener_parse(json));
}

static void keep_probe(struct snapshot_sink *sink, const struct weir_record *record) {
    weir_fields_clear(&sink->fields);
    weir_fields_probe(&sink->fields, sink->context, sink->replay, sink->seen, record->ts_us);
    weir_fields_capture(&sink->fields, sink->context, record->capture);
    json_object_put(sink->probe);
    sink->probe = flat_object(&sink->fields);
    sink->over = !record->capture->interim;
}

static int snapshot_record(void *state, const struct weir_record *record,
                           struct weir_fault *fault) {
    struct snapshot_sink *sink = state;
    switch (record->type) {
    case WEIR_RECORD_WINDOW: keep_window(sink, record); break;
    case WEIR_RECORD_INCIDENT: keep_incident(sink, record); break;
    case WEIR_RECORD_CAPTURE: keep_probe(sink, record); break;
    default: return 0;
    }
    sink->ts_us = record->ts_us;
    return 0;
}

/* ---- the file ---- */

static struct json_object *point_json(const struct point *point) {
    const int64_t values[] = {point->ok, point->fail, point->goodput_bps, point->rtt_us,
                              point->rtt_client_us};
    struct json_object *list = json_object_new_array();
    json_object_array_add(list, json_time(point->end_us));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        json_object_array_add(list,
                              values[i] == WEIR_NULL ? NULL : json_object_new_int64(values[i]));
    json_object_array_add(list, json_share(point->loss_before));
    json_object_array_add(list, json_share(point->loss_beyond));
    json_object_array_add(list, json_object_new_string(weir_state_name(point->state)));
    json_object_array_add(list,
                          point->dns_ok == WEIR_NULL ? NULL : json_object_new_int64(point->dns_ok));
    return list;
}

static struct json_object *service_json(const struct service_state *service) {
    struct json_object *object = json_object_new_object(), *history = json_object_new_array();
    size_t first = service->n_points > HISTORY_MAX ? service->n_points - HISTORY_MAX : 0;
    json_put(object, "window", json_object_get(service->window));
    for (size_t i = first; i < service->n_points; i++)
        json_object_array_add(history, point_json(&service->points[i % HISTORY_MAX]));
    json_put(object, "history", history);
    return object;
}

static struct json_object *whole(const struct snapshot_sink *sink) {
    struct json_object *object = json_object_new_object(), *services = json_object_new_object(),
                       *incidents = json_object_new_array();
    json_put(object, "weir", json_object_new_int(1));
    json_put_text(object, "type", "status");
    json_put_text(object, "site", sink->context->site);
    json_put_text(object, "mode", sink->replay ? "replay" : "live");
    json_put(object, "ts", json_time(sink->ts_us));
    json_put(object, "probe", json_object_get(sink->probe));
    for (size_t id = 0; id < WEIR_SERVICES_MAX; id++)
        if (sink->seen[id])
            json_object_object_add(services,
                                   weir_service_get(sink->context->set, (weir_service_id)id)->id,
                                   service_json(&sink->services[id]));
    json_put(object, "services", services);
    for (size_t i = sink->n_events > EVENTS_MAX ? sink->n_events - EVENTS_MAX : 0;
         i < sink->n_events; i++)
        json_object_array_add(incidents, json_object_get(sink->events[i % EVENTS_MAX]));
    json_put(object, "incidents", incidents);
    return object;
}

static int save(struct snapshot_sink *sink) {
    size_t length;
    struct json_object *object = whole(sink);
    const char *text = json_object_to_json_string_length(
        object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    const struct weir_piece whole_text = {text, length};
    int error = text ? weir_private_replace(sink->path, 0644, false, &whole_text, 1) : -ENOMEM;
    json_object_put(object);
    return error;
}

/* A replay fails with its file; an interface goes on without, and says so once. */
static int snapshot_flush(void *state, struct weir_fault *fault) {
    struct snapshot_sink *sink = state;
    if (sink->replay && !sink->over) return 0;
    int error = save(sink);
    if (error && sink->replay)
        return weir_fault_set(fault, error, "%s: %s", sink->path, strerror(-error));
    if (error && !sink->complained)
        weir_log(WEIR_LOG_ERROR,
                 "%s: %s; weir status and weir top see no more until it can be written", sink->path,
                 strerror(-error));
    if (!error && sink->complained) weir_log(WEIR_LOG_NOTICE, "%s is written again", sink->path);
    sink->complained = error != 0;
    return 0;
}

static void snapshot_free(void *state) {
    struct snapshot_sink *sink = state;
    if (!sink) return;
    for (size_t i = 0; i < WEIR_SERVICES_MAX; i++) json_object_put(sink->services[i].window);
    for (size_t i = 0; i < EVENTS_MAX; i++) json_object_put(sink->events[i]);
    json_object_put(sink->probe);
    weir_json_free(sink->json);
    free(sink);
}

static bool is_text(struct json_object *object, const char *key, const char *wanted) {
    struct json_object *value;
    return json_object_object_get_ex(object, key, &value) && value &&
           strcmp(json_object_get_string(value), wanted) == 0;
}

/* A site's incidents outlast the program that saw them. */
static void inherit(struct snapshot_sink *sink, struct json_object *there) {
    struct json_object *events;
    if (!is_text(there, "site", sink->context->site) ||
        !json_object_object_get_ex(there, "incidents", &events) ||
        !json_object_is_type(events, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(events) && i < EVENTS_MAX; i++)
        sink->events[sink->n_events++] = json_object_get(json_object_array_get_idx(events, i));
}

/* What an earlier run left. One that can't be understood is nobody's. */
static int look_at_old(struct snapshot_sink *sink, struct weir_fault *fault) {
    char *text = NULL;
    size_t n;
    struct json_object *there = weir_private_read(sink->path, STATUS_BYTES_MAX, &text, &n) == 0
                                    ? json_tokener_parse(text)
                                    : NULL;
    int error = 0;
    free(text);
    if (there && sink->replay && is_text(there, "mode", "live"))
        error = weir_fault_set(fault, -EEXIST,
                               "%s is what weir live keeps: name another directory with --state",
                               sink->path);
    else if (there && !sink->replay)
        inherit(sink, there);
    json_object_put(there);
    return error;
}

int weir_sink_snapshot_new(void **ret_state, const struct weir_publish_context *context,
                           const char *directory, bool replay, struct weir_fault *fault) {
    struct snapshot_sink *sink = calloc(1, sizeof *sink);
    if (!sink) return -ENOMEM;
    sink->context = context;
    sink->replay = replay;
    int length = snprintf(sink->path, sizeof sink->path, "%s/" WEIR_STATUS_FILE, directory),
        error = 0;
    if (length < 0 || (size_t)length >= sizeof sink->path)
        error = weir_fault_set(fault, -ENAMETOOLONG, "--state '%.80s...': the path is too long",
                               directory);
    else if (access(directory, W_OK | X_OK) < 0)
        error = weir_fault_set(fault, -errno,
                               "--state '%s': %s; make a directory that weir may write to",
                               directory, strerror(errno));
    else if (!(sink->json = weir_json_new(context)))
        error = -ENOMEM;
    else
        error = look_at_old(sink, fault);
    if (error) {
        snapshot_free(sink);
        return error;
    }
    *ret_state = sink;
    return 0;
}

const struct weir_sink weir_sink_snapshot = {
    .name = "snapshot",
    .help = "status.json in the state directory",
    .record = snapshot_record,
    .flush = snapshot_flush,
    .free = snapshot_free,
};
