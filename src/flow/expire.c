/* What time alone decides: unanswered SYNs, ICMP errors that nothing contradicted, silent TLS
 * servers, idle flows. Everything here runs on ticks, by the engine's clock. */
#include "flow/flow.h"

enum {
    SYN_TIMEOUT_MS = 3000,
    ICMP_HOLD_MS = 3000,
    HELLO_TIMEOUT_MS = 5000,
    IDLE_TCP_MS = 300000,
    IDLE_HALF_OPEN_MS = 30000,
    IDLE_CLOSED_MS = 2000,
    IDLE_UDP_MS = 60000,
    IDLE_QUIC_MS = 130000,
    IDLE_DNS_MS = 10000,
};

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

/* When `limit_ms` will have passed since `since_ms`, as an engine's time; now or earlier when it
 * has. */
static int64_t due_us(int64_t now_us, uint32_t since_ms, uint32_t limit_ms) {
    uint32_t passed = now_ms(now_us) - since_ms;
    return passed >= limit_ms ? now_us : now_us + (int64_t)(limit_ms - passed) * 1000;
}

static bool opening(const struct weir_flow *flow) {
    return flow_is(flow, FLOW_WAITING) &&
           (flow->state == STATE_SYN_SENT || flow->proto == PROTO_QUIC);
}

static int64_t icmp_timer(struct weir_flow *flow, int64_t now_us) {
    if (!opening(flow) || !flow_is(flow, FLOW_ICMP) || flow_is(flow, FLOW_DECIDED))
        return INT64_MAX;
    int64_t due = due_us(now_us, flow->waiting.icmp_ms, ICMP_HOLD_MS);
    if (due > now_us) return due;
    flow_connect(flow, now_us, now_us, WEIR_OUTCOME_ICMP);
    return INT64_MAX;
}

static int64_t syn_timer(struct weir_flow *flow, int64_t now_us) {
    if (flow->state != STATE_SYN_SENT || !flow_is(flow, FLOW_WAITING) || flow->syn < 2 ||
        flow_is(flow, FLOW_DECIDED | FLOW_ICMP))
        return INT64_MAX;
    int64_t due = due_us(now_us, flow->waiting.born_ms, SYN_TIMEOUT_MS);
    if (due > now_us) return due;
    flow_connect(flow, now_us, now_us, WEIR_OUTCOME_SYN_TIMEOUT);
    return INT64_MAX;
}

static int64_t hello_timer(struct weir_flow *flow, int64_t now_us) {
    const struct shake *shake = flow->proto == PROTO_TLS ? flow_shake(flow) : NULL;
    if (!shake || flow->state == STATE_CLOSED || flow_is(flow, FLOW_DECIDED) ||
        !(shake->flags & SHAKE_HELLO_WHOLE) || (shake->flags & SHAKE_SERVER_HELLO) ||
        flow_is(flow, FLOW_FIN | FLOW_UNSEEN))
        return INT64_MAX;
    int64_t due = due_us(now_us, shake->whole_ms, HELLO_TIMEOUT_MS);
    if (due > now_us) return due;
    flow_connect(flow, now_us, now_us, WEIR_OUTCOME_TLS_NORESPONSE);
    return INT64_MAX;
}

static uint32_t idle_limit_ms(const struct weir_flow *flow) {
    if (flow->state == STATE_CLOSED) return IDLE_CLOSED_MS;
    if (flow->transport == WEIR_TRANSPORT_TCP)
        return flow->state == STATE_OPEN ? IDLE_TCP_MS : IDLE_HALF_OPEN_MS;
    if (flow_is(flow, FLOW_DNS)) return IDLE_DNS_MS;
    return flow->proto == PROTO_QUIC ? IDLE_QUIC_MS : IDLE_UDP_MS;
}

void flow_timer(struct weir_flow *flow, int64_t now_us) {
    int64_t due = icmp_timer(flow, now_us);
    due = sooner(due, syn_timer(flow, now_us));
    due = sooner(due, hello_timer(flow, now_us));
    due = sooner(due, quic_timer(flow, now_us));
    due = sooner(due, quic_death_timer(flow, now_us));
    due = sooner(due, request_timer(flow, now_us));
    int64_t idle = due_us(now_us, flow->last_ms, idle_limit_ms(flow));
    if (idle <= now_us) {
        flow_end(flow, flow_end_reason(flow, WEIR_END_IDLE), now_us, now_us);
        return;
    }
    timer_start(flow, now_us, sooner(due, idle));
}

/* What can be said of a flow that nobody will hear of again: two of the client's own time-outs have
 * passed after a third SYN, and an ICMP error is evidence at any age. */
void flow_last_words(struct weir_flow *flow, int64_t ts_us, int64_t now_us) {
    if (!opening(flow)) return;
    if (flow_is(flow, FLOW_ICMP))
        flow_connect(flow, ts_us, now_us, WEIR_OUTCOME_ICMP);
    else if (flow->state == STATE_SYN_SENT && flow->syn >= 3)
        flow_connect(flow, ts_us, now_us, WEIR_OUTCOME_SYN_TIMEOUT);
}
