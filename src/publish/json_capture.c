/* The `capture` record: how much was seen, what was refused, and how well flows were named. */
#include <math.h>
#include <string.h>

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

enum { LEADING = 2 }; /* rows that come before the times: packets and bytes */

/* The counters from row `from` on, `most` of them, that belong into the record itself (`group` is
 * empty) or into an object of it ("refused."). */
static void put_counters(struct json_object *object, const char *group, size_t from, size_t most,
                         const struct weir_capture_record *capture) {
    size_t n;
    const struct weir_counter *counters = weir_counters(&n);
    for (size_t i = from; i < n && i - from < most; i++) {
        const char *dot = strchr(counters[i].json, '.'), *name = dot ? dot + 1 : counters[i].json;
        size_t length = (size_t)(name - counters[i].json);
        if (length == strlen(group) && strncmp(counters[i].json, group, length) == 0)
            json_put_uint(object, name, weir_counter_value(&counters[i], capture));
    }
}

void weir_json_capture(const struct weir_publish_context *context, struct json_object *object,
                       const struct weir_capture_record *capture) {
    struct json_object *refused = json_object_new_object();
    put_counters(object, "", 0, LEADING, capture);
    json_put(object, "first_ts", json_time(capture->first_ts_us));
    json_put(object, "last_ts", json_time(capture->last_ts_us));
    put_counters(object, "", LEADING, SIZE_MAX, capture);
    struct json_object *decode = json_object_new_object();
    for (int i = 0; i < WEIR_DECODE_N; i++)
        json_put_uint(decode, weir_decode_name(i), capture->decode[i]);
    json_put(object, "decode", decode);
    put_counters(refused, "refused.", 0, SIZE_MAX, capture);
    json_put(object, "refused", refused);
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
