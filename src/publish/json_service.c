/* `window`, `service` and `session` records: their measured values come from measure's field table,
 * so a new signal shows up here by itself. */
#include <stdio.h>
#include <string.h>

#include <weir/measure.h>

#include "publish/json.h"

static struct json_object *value_json(const struct weir_field *field,
                                      const struct weir_value *value) {
    if (value->reason != WEIR_REASON_NONE) return NULL;
    return field->type == WEIR_FIELD_RATIO ? json_share(value->real)
                                           : json_object_new_int64(value->integer);
}

static struct json_object *group_of(struct json_object *object, const char *group) {
    struct json_object *inner;
    if (!group) return object;
    if (!json_object_object_get_ex(object, group, &inner)) {
        inner = json_object_new_object();
        json_put(object, group, inner);
    }
    return inner;
}

/* A dotted name in `unmeasured` says which value it is. */
static void say_unmeasured(struct json_object *unmeasured, const struct weir_field *field,
                           enum weir_reason reason) {
    char key[96];
    snprintf(key, sizeof key, "%s%s%s", field->group ? field->group : "", field->group ? "." : "",
             field->name);
    json_object_object_add(unmeasured, key, json_object_new_string(weir_reason_text(reason)));
}

static void put_values(struct json_object *object, const struct weir_value *values) {
    size_t n;
    const struct weir_field *fields = weir_fields(&n);
    struct json_object *unmeasured = json_object_new_object();
    for (size_t i = 0; i < n; i++) {
        json_put(group_of(object, fields[i].group), fields[i].name,
                 value_json(&fields[i], &values[i]));
        if (values[i].reason != WEIR_REASON_NONE)
            say_unmeasured(unmeasured, &fields[i], values[i].reason);
    }
    json_put(object, "unmeasured", unmeasured);
}

static void put_service(const struct weir_publish_context *context, struct json_object *object,
                        weir_service_id id) {
    json_put_text(object, "service", weir_service_get(context->set, id)->id);
}

static struct json_object *blocked_names(const struct weir_blocked_names *blocked) {
    struct json_object *list = json_object_new_array();
    for (unsigned i = 0; i < blocked->n; i++)
        json_object_array_add(list, json_object_new_string(blocked->text[i]));
    return list;
}

void weir_json_window(const struct weir_publish_context *context, struct json_object *object,
                      const struct weir_window_record *window) {
    put_service(context, object, window->service);
    json_put(object, "start_ts", json_time(window->start_us));
    json_put(object, "end_ts", json_time(window->end_us));
    json_put_text(object, "state", weir_state_name(window->state));
    json_put(object, "blocked_names", blocked_names(&window->blocked));
    put_values(object, window->values);
}

static struct json_object *by_naming(const uint64_t counts[WEIR_NAMED_N]) {
    struct json_object *object = json_object_new_object();
    for (int i = 0; i < WEIR_NAMED_N; i++) json_put_uint(object, weir_named_by_name(i), counts[i]);
    return object;
}

void weir_json_service(const struct weir_publish_context *context, struct json_object *object,
                       const struct weir_service_record *service) {
    put_service(context, object, service->service);
    json_put(object, "first_ts", json_time(service->first_us));
    json_put(object, "last_ts", json_time(service->last_us));
    json_put_text(object, "state", weir_state_name(service->state));
    struct json_object *named_by = json_object_new_object();
    json_put(named_by, "flows", by_naming(service->named_flows));
    json_put(named_by, "bytes", by_naming(service->named_bytes));
    json_put(object, "named_by", named_by);
    json_put(object, "blocked_names", blocked_names(&service->blocked));
    put_values(object, service->values);
}

static void put_or_why(struct json_object *object, struct json_object **unmeasured,
                       const char *name, int64_t value) {
    json_put_value(object, name, value);
    if (value == WEIR_NULL) json_unmeasured(unmeasured, name, WEIR_REASON_NO_SAMPLE);
}

static struct json_object *stalls_of(const struct weir_session_record *session) {
    struct json_object *stalls = json_object_new_array();
    for (uint32_t i = 0; i < session->n_stalls && i < WEIR_SESSION_STALLS_MAX; i++) {
        struct json_object *stall = json_object_new_object();
        json_put(stall, "start_ts", json_time(session->stalls[i].start_us));
        json_put_value(stall, "duration_us", session->stalls[i].duration_us);
        json_object_array_add(stalls, stall);
    }
    return stalls;
}

static struct json_object *buffer_states_of(const struct weir_session_record *session) {
    static const char *const names[] = {"empty", "low", "full"};
    struct json_object *states = json_object_new_array();
    for (uint32_t i = 0; i < session->n_buffer_changes; i++) {
        struct json_object *state = json_object_new_object();
        json_put(state, "ts", json_time(session->buffer_changes[i].ts_us));
        json_put_text(state, "state", names[session->buffer_changes[i].state]);
        json_object_array_add(states, state);
    }
    return states;
}

void weir_json_session(const struct weir_publish_context *context, struct json_object *object,
                       const struct weir_session_record *session) {
    char client[WEIR_CLIENT_TEXT_MAX];
    struct json_object *unmeasured = NULL;
    put_service(context, object, session->service);
    weir_client_text(context, &session->client, client);
    json_put_text(object, "client", client[0] ? client : NULL);
    json_put(object, "start_ts", json_time(session->start_us));
    json_put(object, "end_ts", json_time(session->end_us));
    json_put_text(object, "kind",
                  session->kind == WEIR_KIND_CALL ? "unknown" : weir_kind_name(session->kind));
    json_put_value(object, "startup_us", session->startup_us);
    if (session->startup_reason != WEIR_REASON_NONE)
        json_unmeasured(&unmeasured, "startup_us", session->startup_reason);
    json_put_uint(object, "media_bytes", session->media_bytes);
    json_put_uint(object, "chunks", session->chunks);
    json_put_uint(object, "sound_chunks", session->sound_chunks);
    put_or_why(object, &unmeasured, "bitrate_bps", session->bitrate_bps);
    put_or_why(object, &unmeasured, "goodput_p50_bps", session->goodput_p50_bps);
    put_or_why(object, &unmeasured, "segment_us", session->segment_us);
    json_put(object, "buffer_s",
             session->buffer_us == WEIR_NULL ? NULL : json_time(session->buffer_us));
    if (session->buffer_us == WEIR_NULL)
        json_unmeasured(&unmeasured, "buffer_s", WEIR_REASON_NO_SAMPLE);
    json_put(object, "buffer_states", buffer_states_of(session));
    put_or_why(object, &unmeasured, "buffer_low_us", session->buffer_low_us);
    put_or_why(object, &unmeasured, "buffer_full_us", session->buffer_full_us);
    json_put(object, "stalls", stalls_of(session));
    json_put_uint(object, "stall_spells", session->n_stalls);
    put_or_why(object, &unmeasured, "stalled_us", session->stalled_us);
    json_put_uint(object, "quality_changes", session->quality_changes);
    json_put_value(object, "starved_us", session->starved_us);
    json_put_value(object, "longest_starved_us", session->longest_starved_us);
    json_put_uint(object, "hollow_answers", session->hollow);
    json_put_text(object, "confidence", weir_stall_confidence_name(session->confidence));
    json_put(object, "unmeasured", unmeasured ? unmeasured : json_object_new_object());
}
