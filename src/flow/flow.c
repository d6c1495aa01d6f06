/* One flow: its accessors, its cold parts, how it speaks and how it ends. */
#include "flow/table.h"

const struct weir_addr *weir_flow_addr(const struct weir_flow *flow, enum weir_side side) {
    return &flow->addr[side];
}
uint16_t weir_flow_port(const struct weir_flow *flow, enum weir_side side) {
    return flow->port[side];
}
uint8_t weir_flow_transport(const struct weir_flow *flow) { return flow->transport; }
int64_t weir_flow_first_ts_us(const struct weir_flow *flow) { return flow->first_ts_us; }
uint64_t weir_flow_payload(const struct weir_flow *flow, enum weir_side side) {
    return flow->payload[side];
}
bool weir_flow_midstream(const struct weir_flow *flow) { return flow_is(flow, FLOW_MID); }
struct weir_named *weir_flow_named(struct weir_flow *flow) {
    return &flow->named;
}
void **weir_flow_naming(struct weir_flow *flow) { return &flow->naming; }

const struct weir_cid *weir_flow_first_dcid(const struct weir_flow *flow) {
    const struct shake *shake = flow->proto == PROTO_QUIC ? flow_shake(flow) : NULL;
    return shake ? &shake->openings[0].dcid : NULL;
}

uint32_t weir_flow_expected(const struct weir_flow *flow) { return flow->table->expected_seq; }

bool weir_flow_answered(const struct weir_flow *flow) {
    const struct shake *shake = flow->proto == PROTO_QUIC ? flow_shake(flow) : NULL;
    return flow->packets[WEIR_SERVER] && (!shake || shake->flags & SHAKE_ANSWERED);
}

/* ---- cold parts ---- */

static uint32_t take(struct weir_flow *flow, struct slab *slab) {
    uint32_t handle = slab_take(slab);
    if (!handle) flow->table->stats.detail_refused++;
    return handle;
}

struct detail *flow_detail(const struct weir_flow *flow) {
    return flow->detail ? slab_at(&flow->table->detail, flow->detail) : NULL;
}

struct detail *flow_detail_make(struct weir_flow *flow) {
    if (!flow->detail) flow->detail = take(flow, &flow->table->detail);
    return flow_detail(flow);
}

void flow_detail_free(struct weir_flow *flow) {
    slab_give(&flow->table->detail, flow->detail);
    flow->detail = 0;
}

struct dns_flow *flow_dns(const struct weir_flow *flow) {
    return flow_is(flow, FLOW_DNS) && flow->dns ? slab_at(&flow->table->dns_flows, flow->dns)
                                                : NULL;
}

struct shake *flow_shake(const struct weir_flow *flow) {
    return flow_is(flow, FLOW_SHAKE) ? slab_at(&flow->table->shake, flow->shake) : NULL;
}

struct shake *flow_shake_make(struct weir_flow *flow) {
    flow->shake = take(flow, &flow->table->shake);
    if (!flow->shake) return NULL;
    flow->flags |= FLOW_SHAKE;
    return flow_shake(flow);
}

/* Only the length of the handshake is kept, in the handle's place. */
void flow_shake_free(struct weir_flow *flow) {
    const struct shake *shake = flow_shake(flow);
    if (!shake) return;
    bool timed = shake->flags & SHAKE_TIMED;
    uint32_t us = shake->handshake_us;
    slab_give(&flow->table->shake, flow->shake);
    flow->flags &= ~(uint32_t)FLOW_SHAKE;
    flow->shake = timed ? us : 0;
    if (timed) flow->flags |= FLOW_SHAKEN;
}

static void release(struct weir_flow *flow) {
    struct weir_flow_table *table = flow->table;
    struct report *report = flow_report(flow);
    flow_shake_free(flow);
    dns_flow_release(flow);
    flow_detail_free(flow);
    if (!report) return;
    struct spread *const spreads[] = {&report->rtt[0], &report->rtt[1], &report->ttfb,
                                      &report->goodput};
    for (unsigned i = 0; i < sizeof spreads / sizeof *spreads; i++)
        spread_release(spreads[i], &table->histograms);
    slab_give(&table->stalls, report->stalls);
    *report = (struct report){0};
}

/* ---- events ---- */

bool weir_flow_one_way(const struct weir_flow *flow) {
    if (!flow->packets[WEIR_CLIENT]) return true;
    return !flow->packets[WEIR_SERVER] && flow_is(flow, FLOW_ACKS_UNSEEN);
}

void flow_emit(struct weir_flow *flow, const struct weir_event *event) {
    if (flow->table->config.observer)
        flow->table->config.observer(flow->table->config.context, flow, event);
}

void flow_attempt(struct weir_flow *flow, int64_t ts_us, int64_t now_us, enum weir_layer layer,
                  enum weir_outcome outcome, int64_t first_us) {
    bool failed = weir_outcome_failed(outcome);
    if (failed && weir_flow_one_way(flow)) return;
    /* The last failure is the flow's outcome. A connection that works after all takes back that it
     * failed to open, not that a request failed; an answered request speaks only where nothing else
     * has been said. */
    bool serve_failed = flow->outcome == WEIR_OUTCOME_RST_MID ||
                        flow->outcome == WEIR_OUTCOME_REQUEST_TIMEOUT ||
                        flow->outcome == WEIR_OUTCOME_UNACKED;
    if (failed || (layer != WEIR_LAYER_SERVE && !serve_failed) ||
        flow->outcome == WEIR_OUTCOME_NONE)
        flow->outcome = (uint8_t)outcome;
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_ATTEMPT,
                                         .ts_us = ts_us,
                                         .now_us = now_us,
                                         .attempt = {layer, outcome, first_us}});
}

void flow_connect(struct weir_flow *flow, int64_t ts_us, int64_t now_us,
                  enum weir_outcome outcome) {
    uint32_t done = outcome == WEIR_OUTCOME_USEFUL ? FLOW_USEFUL : FLOW_DECIDED | FLOW_USEFUL;
    if (flow_is(flow, FLOW_MID | done)) return;
    flow->flags |= outcome == WEIR_OUTCOME_USEFUL ? FLOW_USEFUL : FLOW_DECIDED;
    const struct shake *shake = flow->proto == PROTO_QUIC ? flow_shake(flow) : NULL;
    flow_attempt(flow, ts_us, now_us,
                 flow->proto == PROTO_QUIC ? WEIR_LAYER_QUIC : WEIR_LAYER_CONNECT, outcome,
                 shake && shake->start_us ? shake->start_us : flow->first_ts_us);
}

enum weir_flow_end flow_end_reason(const struct weir_flow *flow, enum weir_flow_end otherwise) {
    if (flow_is(flow, FLOW_CLOSED_FIN)) return WEIR_END_FIN;
    return flow_is(flow, FLOW_RST) ? WEIR_END_RST : otherwise;
}

void flow_end(struct weir_flow *flow, enum weir_flow_end end, int64_t ts_us, int64_t now_us) {
    request_end(flow, ts_us, now_us);
    dns_flow_end(flow, now_us);
    flow_emit(flow, &(struct weir_event){
                        .kind = WEIR_EVENT_END, .ts_us = ts_us, .now_us = now_us, .end = {end}});
    release(flow);
    table_remove(flow);
}
