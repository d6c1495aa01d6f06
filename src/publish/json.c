/* Records as JSON, schema version 1: the common head, values and times. json-c does the writing. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/json.h"

static const char *const type_names[WEIR_RECORD_N] = {"flow",    "window",   "service",
                                                      "session", "incident", "capture"};

const char *weir_record_type_name(enum weir_record_type type) { return type_names[type]; }

int weir_record_type_parse(const char *name, size_t length) {
    for (int i = 0; i < WEIR_RECORD_N; i++)
        if (strlen(type_names[i]) == length && memcmp(type_names[i], name, length) == 0) return i;
    return -EINVAL;
}

struct json_object *json_place(struct json_object *object, const char *path,
                               const char **ret_name) {
    const char *dot = strchr(path, '.');
    char group[48];
    struct json_object *inner;
    *ret_name = dot ? dot + 1 : path;
    if (!dot) return object;
    snprintf(group, sizeof group, "%.*s", (int)(dot - path), path);
    if (json_object_object_get_ex(object, group, &inner)) return inner;
    inner = json_object_new_object();
    json_object_object_add(object, group, inner);
    return inner;
}

struct json_object *json_time(int64_t us) {
    if (us == WEIR_NULL) return NULL;
    char text[40];
    int64_t seconds = us / 1000000, rest = us % 1000000;
    snprintf(text, sizeof text, "%s%" PRId64 ".%06" PRId64, us < 0 ? "-" : "",
             seconds < 0 ? -seconds : seconds, rest < 0 ? -rest : rest);
    return json_object_new_double_s((double)us / 1e6, text);
}

struct json_object *json_share(double share) {
    if (isnan(share)) return NULL;
    char text[32];
    snprintf(text, sizeof text, "%.4f", share);
    return json_object_new_double_s(share, text);
}

void json_unmeasured(struct json_object **unmeasured, const char *key, enum weir_reason reason) {
    if (!*unmeasured) *unmeasured = json_object_new_object();
    json_put_text(*unmeasured, key,
                  weir_reason_text(reason == WEIR_REASON_NONE ? WEIR_REASON_NO_SAMPLE : reason));
}

struct weir_json {
    const struct weir_publish_context *context;
    struct json_object *object; /* the last record, which owns the text given out */
};

struct weir_json *weir_json_new(const struct weir_publish_context *context) {
    struct weir_json *json = calloc(1, sizeof *json);
    if (json) json->context = context;
    return json;
}

void weir_json_free(struct weir_json *json) {
    if (json) json_object_put(json->object);
    free(json);
}

const char *weir_json_record(struct weir_json *json, const struct weir_record *record,
                             size_t *ret_length) {
    const struct weir_publish_context *context = json->context;
    json_object_put(json->object);
    struct json_object *object = json->object = json_object_new_object();
    json_put(object, "weir", json_object_new_int(1));
    json_put_text(object, "type", weir_record_type_name(record->type));
    json_put_text(object, "site", context->site);
    json_put(object, "ts", json_time(record->ts_us));

    switch (record->type) {
    case WEIR_RECORD_FLOW: weir_json_flow(context, object, record->flow); break;
    case WEIR_RECORD_WINDOW: weir_json_window(context, object, record->window); break;
    case WEIR_RECORD_SERVICE: weir_json_service(context, object, record->service); break;
    case WEIR_RECORD_SESSION: weir_json_session(context, object, record->session); break;
    case WEIR_RECORD_INCIDENT: weir_json_incident(context, object, record->incident); break;
    case WEIR_RECORD_CAPTURE: weir_json_capture(context, object, record->capture); break;
    case WEIR_RECORD_N: break;
    }
    return json_object_to_json_string_length(
        object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, ret_length);
}
