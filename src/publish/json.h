/* How values become JSON: shared by the encoder's files (json.c, json_flow.c, json_service.c,
 * json_incident.c). */
#pragma once

#include <json-c/json.h>

#include <weir/sink.h>

/* Each adds the fields of one record type behind "weir", "type", "site" and "ts". */
void weir_json_flow(const struct weir_publish_context *context, struct json_object *object,
                    const struct weir_flow_record *flow);
void weir_json_window(const struct weir_publish_context *context, struct json_object *object,
                      const struct weir_window_record *window);
void weir_json_service(const struct weir_publish_context *context, struct json_object *object,
                       const struct weir_service_record *service);
void weir_json_session(const struct weir_publish_context *context, struct json_object *object,
                       const struct weir_session_record *session);
void weir_json_incident(const struct weir_publish_context *context, struct json_object *object,
                        const struct weir_incident *incident);
void weir_json_capture(const struct weir_publish_context *context, struct json_object *object,
                       const struct weir_capture_record *capture);

static inline void json_put(struct json_object *object, const char *key,
                            struct json_object *value) {
    json_object_object_add_ex(object, key, value,
                              JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}
static inline void json_put_uint(struct json_object *object, const char *key, uint64_t value) {
    json_put(object, key, json_object_new_uint64(value));
}
static inline void json_put_text(struct json_object *object, const char *key, const char *text) {
    json_put(object, key, text ? json_object_new_string(text) : NULL);
}
static inline void json_put_bool(struct json_object *object, const char *key, bool value) {
    json_put(object, key, json_object_new_boolean(value));
}
/* A measured value: null when it is WEIR_NULL. */
static inline void json_put_value(struct json_object *object, const char *key, int64_t value) {
    json_put(object, key, value == WEIR_NULL ? NULL : json_object_new_int64(value));
}
/* Where "name" or "group.name" goes: `object`, or its object of that name, made on first use;
 * *ret_name is the part behind the dot. */
struct json_object *json_place(struct json_object *object, const char *path, const char **ret_name);
/* Epoch seconds with 6 decimals; null for WEIR_NULL. */
struct json_object *json_time(int64_t us);
/* A share, 4 decimals; null when it is not a number. */
struct json_object *json_share(double share);
/* null, and "unmeasured": {key: reason} in `unmeasured` (made on first use, *unmeasured starts
 * NULL). */
void json_unmeasured(struct json_object **unmeasured, const char *key, enum weir_reason reason);
