/* Everything measured of one flow, as its record. What was not measured is null and says why. */
#include <string.h>

#include "flow/flow.h"

static uint8_t no_samples(const struct weir_flow *flow, uint8_t otherwise) {
    const struct report *report = flow_report(flow);
    if (!flow->packets[0] || !flow->packets[1]) return WEIR_REASON_ONE_DIRECTION;
    return report && flow_is_timeless(flow, report->last_ts_us) ? WEIR_REASON_NO_TIME : otherwise;
}

static void quantiles(const struct weir_flow *flow, const struct spread *spread,
                      struct weir_quantiles *ret) {
    const struct slab *histograms = &flow->table->histograms;
    ret->samples = spread ? spread_count(spread) : 0;
    ret->min = ret->p50 = ret->p95 = WEIR_NULL;
    if (ret->samples) {
        ret->min = spread->min;
        ret->p50 = spread_quantile(spread, histograms, 50);
        ret->p95 = spread_quantile(spread, histograms, 95);
    } else {
        ret->reason =
            no_samples(flow, flow->transport == WEIR_TRANSPORT_TCP ? WEIR_REASON_NO_SAMPLE
                                                                   : WEIR_REASON_TRANSPORT);
    }
}

static void report_rtt(const struct weir_flow *flow, struct weir_flow_record *record) {
    const struct report *report = flow_report(flow);
    for (unsigned side = 0; side < 2; side++) {
        quantiles(flow, report ? &report->rtt[side] : NULL, &record->rtt_us[side]);
        record->handshake_rtt_us[side] = WEIR_NULL;
        if (flow->opening_rtt_us[side] != RTT_NONE)
            record->handshake_rtt_us[side] = flow->opening_rtt_us[side];
        else if (flow->transport == WEIR_TRANSPORT_UDP && flow->proto != PROTO_QUIC)
            record->handshake_rtt_reason[side] = WEIR_REASON_TRANSPORT;
        else if (flow_is(flow, FLOW_MID))
            record->handshake_rtt_reason[side] = WEIR_REASON_NO_HANDSHAKE;
        else if (flow->syn > 1 || flow->syn_ack > 1)
            record->handshake_rtt_reason[side] = WEIR_REASON_RETRANSMITTED;
        else
            record->handshake_rtt_reason[side] = no_samples(flow, WEIR_REASON_NO_SAMPLE);
    }
}

static void report_counters(const struct weir_flow *flow, struct weir_flow_record *record) {
    const struct report *report = flow_report(flow);
    record->last_ts_us = report ? report->last_ts_us : flow->first_ts_us;
    if (!report) return;
    for (unsigned side = 0; side < 2; side++) {
        record->bytes[side] = report->bytes[side];
        record->lost_bytes[side] = report->lost_bytes[side];
    }
#define COPY(name, ...)   record->name = report->name;
#define COPY_2(name, ...) memcpy(record->name, report->name, sizeof record->name);
    WEIR_FLOW_COUNTS(COPY, COPY_2)
#undef COPY
#undef COPY_2
}

static void report_handshake(const struct weir_flow *flow, struct weir_flow_record *record) {
    const struct shake *shake = flow_shake(flow);
    record->tls_handshake_us = WEIR_NULL;
    if (shake && shake->flags & SHAKE_TIMED)
        record->tls_handshake_us = shake->handshake_us;
    else if (flow_is(flow, FLOW_SHAKEN))
        record->tls_handshake_us = flow->shake;
    else if (flow->proto != PROTO_TLS && flow->proto != PROTO_QUIC && !flow_is(flow, FLOW_MID))
        record->tls_handshake_reason = WEIR_REASON_TRANSPORT;
    else if (flow_is(flow, FLOW_MID))
        record->tls_handshake_reason = WEIR_REASON_NO_HANDSHAKE;
    else
        record->tls_handshake_reason =
            flow_is(flow, FLOW_CUT) ? WEIR_REASON_SNAPLEN : no_samples(flow, WEIR_REASON_NO_SAMPLE);
}

static void report_serve(const struct weir_flow *flow, struct weir_flow_record *record) {
    const struct report *report = flow_report(flow);
    record->ttfb_p50_us = record->goodput_p50_bps = WEIR_NULL;
    record->serve_reason = no_samples(flow, WEIR_REASON_NO_SAMPLE);
    if (!report) return;
    record->requests = report->requests;
    record->request_timeouts = report->timeouts;
    if (spread_count(&report->ttfb))
        record->ttfb_p50_us = spread_quantile(&report->ttfb, &flow->table->histograms, 50);
    if (spread_count(&report->goodput))
        record->goodput_p50_bps =
            (int64_t)spread_quantile(&report->goodput, &flow->table->histograms, 50) * 1000;
    const struct stalls *stalls =
        report->stalls ? slab_at(&flow->table->stalls, report->stalls) : NULL;
    record->n_stalls = stalls ? report->n_stalls : 0;
    for (unsigned i = 0; i < WEIR_STALLS_MAX && i < record->n_stalls; i++) {
        record->stalls[i].start_us = stalls->list[i].start_us;
        record->stalls[i].duration_us = stalls->list[i].duration_us;
    }
}

static void report_dns(const struct weir_flow *flow, struct weir_flow_record *record) {
    const struct dns_flow *dns = flow_dns(flow);
    record->has_dns = flow_is(flow, FLOW_DNS);
    if (!dns || dns->queries == 0) return;
    record->dns.queries = record->requests = dns->queries;
    record->dns.timeout = record->request_timeouts = dns->timeout;
    record->dns.answers = dns->answers;
    record->dns.servfail = dns->servfail;
    record->dns.refused = dns->refused;
    record->dns.nxdomain = dns->nxdomain;
}

enum weir_outcome weir_flow_outcome(const struct weir_flow *flow) {
    const struct dns_flow *dns = flow_dns(flow);
    if (dns && dns->queries && dns->answers)
        return weir_outcome_failed(dns->last) ? dns->last : WEIR_OUTCOME_USEFUL;
    if (dns && dns->queries && dns->timeout) return WEIR_OUTCOME_REQUEST_TIMEOUT;
    return flow->outcome == WEIR_OUTCOME_NONE ? WEIR_OUTCOME_NEUTRAL : flow->outcome;
}

void weir_flow_report(const struct weir_flow *flow, enum weir_flow_end end,
                      struct weir_flow_record *ret_record) {
    *ret_record = (struct weir_flow_record){
        .first_ts_us = flow->first_ts_us,
        .transport = flow->transport,
        .named = flow->named,
        .outcome = (uint8_t)weir_flow_outcome(flow),
        .payload_cut = flow_is(flow, FLOW_BLIND) || flow_is(flow, FLOW_CUT),
        .end = (uint8_t)end,
        .syn = flow->syn,
        .syn_ack = flow->syn_ack,
        .one_direction = weir_flow_one_way(flow),
    };
    for (unsigned side = 0; side < 2; side++) {
        ret_record->addr[side] = flow->addr[side];
        ret_record->port[side] = flow->port[side];
        ret_record->packets[side] = flow->packets[side];
        ret_record->payload[side] = flow->payload[side];
    }
    if (flow->proto == PROTO_QUIC) ret_record->named.app = WEIR_APP_QUIC;
    if (flow_is(flow, FLOW_RST)) {
        ret_record->has_reset = true;
        ret_record->reset.by = flow->reset >> 4;
        ret_record->reset.kind = flow->reset & 15;
        ret_record->reset.injected = flow_is(flow, FLOW_INJECTED);
    }
    ret_record->reset_pause_us = weir_flow_reset_pause_us(flow);
    report_rtt(flow, ret_record);
    report_counters(flow, ret_record);
    report_handshake(flow, ret_record);
    report_serve(flow, ret_record);
    report_dns(flow, ret_record);
}
