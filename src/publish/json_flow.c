/* The `flow` record: everything measured of one flow, null with its reason where it could not be.
 */
#include "publish/json.h"

static struct json_object *endpoint(const char *addr, uint16_t port) {
    struct json_object *object = json_object_new_object();
    json_put_text(object, "addr", addr && *addr ? addr : NULL);
    json_put_uint(object, "port", port);
    return object;
}

static struct json_object *quantiles(const struct weir_quantiles *q,
                                     struct json_object **unmeasured, const char *key) {
    struct json_object *object = json_object_new_object();
    bool none = q->samples == 0;
    json_put_value(object, "min", none ? WEIR_NULL : q->min);
    json_put_value(object, "p50", none ? WEIR_NULL : q->p50);
    json_put_value(object, "p95", none ? WEIR_NULL : q->p95);
    json_put_uint(object, "samples", q->samples);
    if (none) json_unmeasured(unmeasured, key, q->reason);
    return object;
}

static struct json_object *reset(const struct weir_flow_record *flow) {
    static const char *const kinds[WEIR_RESET_N] = {"refused", "handshake", "mid", "teardown",
                                                    "idle"};
    if (!flow->has_reset) return NULL;
    struct json_object *object = json_object_new_object();
    json_put_text(object, "by", flow->reset.by == WEIR_CLIENT ? "client" : "server");
    json_put_text(object, "kind", kinds[flow->reset.kind]);
    json_put_bool(object, "injected", flow->reset.injected);
    return object;
}

static struct json_object *stalls(const struct weir_flow_record *flow) {
    struct json_object *array = json_object_new_array();
    for (uint32_t i = 0; i < flow->n_stalls && i < WEIR_STALLS_MAX; i++) {
        struct json_object *object = json_object_new_object();
        json_put(object, "start_ts", json_time(flow->stalls[i].start_us));
        json_put_value(object, "duration_us", flow->stalls[i].duration_us);
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *dns(const struct weir_flow_record *flow) {
    if (!flow->has_dns) return NULL;
    struct json_object *object = json_object_new_object(), *fail = json_object_new_object();
    json_put_uint(object, "queries", flow->dns.queries);
    json_put_uint(object, "answers", flow->dns.answers);
    json_put_uint(fail, "timeout", flow->dns.timeout);
    json_put_uint(fail, "servfail", flow->dns.servfail);
    json_put_uint(fail, "refused", flow->dns.refused);
    json_put_uint(fail, "nxdomain", flow->dns.nxdomain);
    json_put(object, "fail", fail);
    return object;
}

static void put_names(const struct weir_publish_context *context, struct json_object *object,
                      const struct weir_flow_record *flow) {
    const struct weir_service *service = weir_service_get(context->set, flow->named.service);
    char client[WEIR_CLIENT_TEXT_MAX], server[WEIR_ADDR_TEXT_MAX];
    bool tcp = flow->transport == WEIR_TRANSPORT_TCP;
    json_put_text(object, "transport",
                  tcp                                ? "tcp"
                  : flow->named.app == WEIR_APP_QUIC ? "quic"
                                                     : "udp");
    json_put(object, "client",
             endpoint(weir_client_text(context, &flow->addr[WEIR_CLIENT], client),
                      flow->port[WEIR_CLIENT]));
    json_put(object, "server",
             endpoint(weir_addr_text(&flow->addr[WEIR_SERVER], server), flow->port[WEIR_SERVER]));
    json_put_text(object, "service", service ? service->id : NULL);
    json_put_text(object, "role", weir_role_name(flow->named.role));
    json_put_text(object, "host", flow->named.host);
    json_put_text(object, "named_by", weir_named_by_name(flow->named.by));
    json_put_text(object, "name_conf",
                  flow->named.by == WEIR_NAMED_NONE ? NULL
                  : flow->named.low_confidence      ? "low"
                                                    : "high");
}

/* ---- rows ---- */

enum row_type { ROW_UINT32, ROW_UINT64, ROW_MEASURED, ROW_QUANTILES };
struct row {
    const char *name; /* "reordered_up"; "spurious.up": in an object */
    enum row_type type;
    size_t at;              /* in struct weir_flow_record */
    size_t reason;          /* MEASURED: why it is null */
    const char *unmeasured; /* QUANTILES: what the list of what is unmeasured calls it */
};
#define AT(field) offsetof(struct weir_flow_record, field)

/* In the order of the record. */
static const struct row sizes[] = {
    {"packets_up", ROW_UINT64, AT(packets[WEIR_CLIENT])},
    {"packets_down", ROW_UINT64, AT(packets[WEIR_SERVER])},
    {"bytes_up", ROW_UINT64, AT(bytes[WEIR_CLIENT])},
    {"bytes_down", ROW_UINT64, AT(bytes[WEIR_SERVER])},
    {"payload_up", ROW_UINT64, AT(payload[WEIR_CLIENT])},
    {"payload_down", ROW_UINT64, AT(payload[WEIR_SERVER])},
};
static const struct row measured[] = {
    {"syn", ROW_UINT32, AT(syn)},
    {"syn_ack", ROW_UINT32, AT(syn_ack)},
    {"handshake_rtt_server_us", ROW_MEASURED, AT(handshake_rtt_us[WEIR_SERVER]),
     AT(handshake_rtt_reason[WEIR_SERVER])},
    {"handshake_rtt_client_us", ROW_MEASURED, AT(handshake_rtt_us[WEIR_CLIENT]),
     AT(handshake_rtt_reason[WEIR_CLIENT])},
    {"rtt_server_us", ROW_QUANTILES, AT(rtt_us[WEIR_SERVER]), .unmeasured = "rtt_server"},
    {"rtt_client_us", ROW_QUANTILES, AT(rtt_us[WEIR_CLIENT]), .unmeasured = "rtt_client"},
#define EACH(name, json)          {json, ROW_UINT32, AT(name)},
#define BY_SENDER(name, up, down) {up, ROW_UINT32, AT(name[0])}, {down, ROW_UINT32, AT(name[1])},
    WEIR_FLOW_COUNTS(EACH, BY_SENDER)
#undef EACH
#undef BY_SENDER
        {"tls_handshake_us", ROW_MEASURED, AT(tls_handshake_us), AT(tls_handshake_reason)},
    {"requests", ROW_UINT32, AT(requests)},
    {"request_timeouts", ROW_UINT32, AT(request_timeouts)},
    {"ttfb_p50_us", ROW_MEASURED, AT(ttfb_p50_us), AT(serve_reason)},
    {"goodput_p50_bps", ROW_MEASURED, AT(goodput_p50_bps), AT(serve_reason)},
};

static void put_measured(struct json_object *object, struct json_object **unmeasured,
                         const char *key, int64_t value, enum weir_reason reason) {
    json_put_value(object, key, value);
    if (value == WEIR_NULL) json_unmeasured(unmeasured, key, reason);
}

static void put_rows(struct json_object *object, struct json_object **unmeasured,
                     const struct row *rows, size_t n, const struct weir_flow_record *flow) {
    for (const struct row *row = rows; row < rows + n; row++) {
        const void *at = (const char *)flow + row->at;
        const char *name;
        struct json_object *into = json_place(object, row->name, &name);
        switch (row->type) {
        case ROW_UINT32: json_put_uint(into, name, *(const uint32_t *)at); break;
        case ROW_UINT64: json_put_uint(into, name, *(const uint64_t *)at); break;
        case ROW_QUANTILES: json_put(into, name, quantiles(at, unmeasured, row->unmeasured)); break;
        case ROW_MEASURED:
            put_measured(into, unmeasured, name, *(const int64_t *)at,
                         (enum weir_reason)((const uint8_t *)flow)[row->reason]);
            break;
        }
    }
}
#define PUT_ROWS(rows) put_rows(object, &unmeasured, rows, sizeof rows / sizeof rows[0], flow)

/* Behind the snap length each of these may be unknown, or known by a weaker sign than the payload's
 * own. */
static void put_untold(const struct weir_flow_record *flow, struct json_object **unmeasured) {
    static const char *const names[] = {"host",      "service", "role",     "named_by",
                                        "name_conf", "ndpi",    "transport"},
                             *const answers[] = {
                                 "dns",    "outcome",     "requests",       "request_timeouts",
                                 "stalls", "ttfb_p50_us", "goodput_p50_bps"};
    bool told = flow->named.by == WEIR_NAMED_SNI || flow->named.by == WEIR_NAMED_HTTP;
    for (size_t i = 0; !told && i < sizeof names / sizeof names[0]; i++)
        json_unmeasured(unmeasured, names[i], WEIR_REASON_SNAPLEN);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        json_unmeasured(unmeasured, answers[i], WEIR_REASON_SNAPLEN);
}

void weir_json_flow(const struct weir_publish_context *context, struct json_object *object,
                    const struct weir_flow_record *flow) {
    static const char *const ends[] = {"open", "fin", "rst", "idle"};
    struct json_object *unmeasured = NULL;
    json_put(object, "first_ts", json_time(flow->first_ts_us));
    json_put(object, "last_ts", json_time(flow->last_ts_us));
    put_names(context, object, flow);
    json_put_text(object, "ndpi", flow->ndpi_text[0] ? flow->ndpi_text : NULL);
    PUT_ROWS(sizes);
    json_put_text(object, "outcome",
                  weir_outcome_name(flow->outcome == WEIR_OUTCOME_NONE ? WEIR_OUTCOME_NEUTRAL
                                                                       : flow->outcome));
    json_put_text(object, "end", ends[flow->end]);
    json_put(object, "reset", reset(flow));
    PUT_ROWS(measured);
    json_put(object, "stalls", stalls(flow));
    json_put(object, "dns", dns(flow));
    if (flow->payload_cut) put_untold(flow, &unmeasured);
    json_put(object, "unmeasured", unmeasured ? unmeasured : json_object_new_object());
}
