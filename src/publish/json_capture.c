/* The `capture` record: how much was seen, what was refused, and how well flows were named. */
#include <math.h>

#include "publish/json.h"

static struct json_object *shares(const uint64_t counts[WEIR_NAMED_N]) {
    uint64_t total = 0;
    for (int i = 0; i < WEIR_NAMED_N; i++) total += counts[i];
    struct json_object *object = json_object_new_object();
    for (int i = 0; i < WEIR_NAMED_N; i++)
        json_put(object, weir_named_by_name(i),
                 json_share(total ? (double)counts[i] / (double)total : NAN));
    return object;
}

static struct json_object *naming(const struct weir_capture_record *capture) {
    struct json_object *object = json_object_new_object(), *drift = json_object_new_array();
    json_put(object, "flows_share", shares(capture->named_flows));
    json_put(object, "bytes_share", shares(capture->named_bytes));
    json_put_uint(object, "flows_ech", capture->flows_ech);
    json_put_uint(object, "flows_doh", capture->flows_doh);
    json_put_uint(object, "flows_dot", capture->flows_dot);
    json_put_uint(object, "flows_vpn", capture->flows_vpn);
    json_put(object, "blind_share",
             json_share(capture->blind_share_ppm == WEIR_NULL
                            ? NAN
                            : (double)capture->blind_share_ppm / 1e6));
    json_put_text(object, "dns",
                  capture->blind_share_ppm == WEIR_NULL ? "unknown"
                  : capture->blind_share_ppm > 500000   ? "blind"
                                                        : "seen");
    for (uint32_t i = 0; i < capture->n_drift; i++) {
        struct json_object *host = json_object_new_object();
        json_put_text(host, "host", capture->drift[i].host);
        json_put_uint(host, "flows", capture->drift[i].flows);
        json_object_array_add(drift, host);
    }
    json_put(object, "unmatched_media_hosts", drift);
    return object;
}

/* Work that a bound refused: all of it, by name (0 in healthy operation). */
static struct json_object *refused(const struct weir_capture_record *capture) {
    struct json_object *object = json_object_new_object();
    json_put_uint(object, "flows_shed", capture->flows_shed);
    json_put_uint(object, "detail", capture->detail_refused);
    json_put_uint(object, "dns", capture->dns_refused);
    json_put_uint(object, "evidence", capture->evidence_refused);
    json_put_uint(object, "records", capture->records_refused);
    json_put_uint(object, "pending", capture->pending_refused);
    json_put_uint(object, "trials", capture->trials_refused);
    json_put_uint(object, "held", capture->held_refused);
    json_put_uint(object, "sessions", capture->sessions_refused);
    json_put_uint(object, "clients", capture->clients_refused);
    return object;
}

void weir_json_capture(const struct weir_publish_context *context, struct json_object *object,
                       const struct weir_capture_record *capture) {
    json_put_uint(object, "packets", capture->packets);
    json_put_uint(object, "bytes", capture->bytes);
    json_put(object, "first_ts", json_time(capture->first_ts_us));
    json_put(object, "last_ts", json_time(capture->last_ts_us));
    json_put_uint(object, "dropped_kernel", capture->dropped_kernel);
    json_put_uint(object, "dropped_interface", capture->dropped_interface);
    json_put_uint(object, "snaplen_cut", capture->truncated);
    json_put_uint(object, "clock_steps", capture->clock_steps);
    json_put_uint(object, "time_clamped", capture->time_clamped);
    json_put_uint(object, "flows", capture->flows);
    json_put_uint(object, "flows_refused", capture->flows_refused);
    json_put_uint(object, "duplicates", capture->duplicates);
    struct json_object *decode = json_object_new_object();
    for (int i = 0; i < WEIR_DECODE_N; i++)
        json_put_uint(decode, weir_decode_name(i), capture->decode[i]);
    json_put(object, "decode", decode);
    json_put(object, "refused", refused(capture));
    json_put(object, "naming", naming(capture));
    struct json_object *unmeasured = NULL;
    if (capture->first_ts_us == WEIR_NULL) {
        enum weir_reason reason = capture->packets ? WEIR_REASON_NO_TIME : WEIR_REASON_NO_SAMPLE;
        json_unmeasured(&unmeasured, "first_ts", reason);
        json_unmeasured(&unmeasured, "last_ts", reason);
    }
    if (capture->blind_share_ppm == WEIR_NULL)
        json_unmeasured(&unmeasured, "naming.blind_share", WEIR_REASON_NO_SAMPLE);
    json_put(object, "unmeasured", unmeasured ? unmeasured : json_object_new_object());
}
