#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "engine/counters.h"

void weir_counters_sum(struct weir_counters *ret_counters, const struct weir_block *blocks,
                       unsigned n_blocks, bool own) {
    struct weir_counters *sum = ret_counters;
    memset(sum, 0, sizeof *sum);
    for (unsigned w = 0; w < n_blocks; w++) {
        const struct weir_block *block = &blocks[w];
        for (int i = 0; i < WEIR_DECODE_N; i++)
            sum->decode[i] = block->decode[i] + (own ? sum->decode[i] : 0);
        sum->flow.flows += block->flow.flows;
        sum->flow.flows_local += block->flow.flows_local;
        sum->flow.flows_refused += block->flow.flows_refused;
        sum->flow.flows_shed += block->flow.flows_shed;
        sum->flow.duplicates += block->flow.duplicates;
        sum->flow.detail_refused += block->flow.detail_refused;
        sum->flow.dns_refused += block->flow.dns_refused;
        sum->flow.dns_cut += block->flow.dns_cut;
        sum->flow.time_clamped += block->flow.time_clamped;
        sum->meter.evidence_refused += block->meter.evidence_refused;
        sum->meter.records_refused += block->meter.records_refused;
        sum->meter.pending_refused += block->meter.pending_refused;
        if (block->naming) weir_naming_stats_merge(&sum->naming, block->naming);
    }
}

void weir_counters_read_sources(struct weir_source *source, struct weir_source *const *lanes,
                                unsigned n_lanes, struct weir_source_stats *ret_stats) {
    weir_source_stats(source, ret_stats);
    for (unsigned w = 1; lanes && w < n_lanes; w++) {
        struct weir_source_stats lane;
        weir_source_stats(lanes[w], &lane);
        if (lane.packets && (!ret_stats->packets || lane.first_ts_us < ret_stats->first_ts_us))
            ret_stats->first_ts_us = lane.first_ts_us;
        if (lane.packets && lane.last_ts_us > ret_stats->last_ts_us)
            ret_stats->last_ts_us = lane.last_ts_us;
        ret_stats->packets += lane.packets;
        ret_stats->bytes += lane.bytes;
        ret_stats->dropped_kernel += lane.dropped_kernel;
        ret_stats->dropped_interface += lane.dropped_interface;
        ret_stats->snaplen_cut += lane.snaplen_cut;
        ret_stats->time_backwards += lane.time_backwards;
        ret_stats->time_steps =
            lane.time_steps > ret_stats->time_steps ? lane.time_steps : ret_stats->time_steps;
    }
}

static void fill_naming(const struct weir_naming_stats *naming,
                        struct weir_capture_record *capture) {
    capture->flows_ech = naming->hellos_ech;
    capture->flows_doh = naming->doh_flows;
    capture->flows_dot = naming->dot_flows;
    capture->flows_vpn = naming->tunnel_flows;
    capture->blind_share_ppm = naming->https_flows
                                   ? (int64_t)(naming->https_blind * 1000000 / naming->https_flows)
                                   : WEIR_NULL;
    for (uint32_t i = 0; i < naming->n_drift && i < WEIR_DRIFT_LISTED_MAX; i++) {
        capture->drift[i].host = naming->drift[i].host.text;
        capture->drift[i].flows = naming->drift[i].flows;
        capture->n_drift++;
    }
}

void weir_counters_warn(const struct weir_counters *counters, size_t n_local) {
    if (n_local && counters->flow.flows && !counters->flow.flows_local)
        weir_log(WEIR_LOG_WARNING,
                 "--local: none of %" PRIu64
                 " flows has a client in %s; who is the client was told by handshakes and private "
                 "addresses alone",
                 counters->flow.flows, n_local == 1 ? "that range" : "any of these ranges");
}

void weir_counters_fill(const struct weir_counters *counters, const struct weir_source_stats *stats,
                        struct weir_capture_record *record) {
    const struct weir_flow_stats *flow = &counters->flow;
    bool any = stats->packets > 0;
    record->packets = stats->packets;
    record->bytes = stats->bytes;
    bool timed = any && stats->last_ts_us != 0;
    record->first_ts_us = timed ? stats->first_ts_us : WEIR_NULL;
    record->last_ts_us = timed ? stats->last_ts_us : WEIR_NULL;
    record->dropped_kernel = stats->dropped_kernel;
    record->dropped_interface = stats->dropped_interface;
    record->truncated = stats->snaplen_cut;
    record->clock_steps = stats->time_steps;
    record->flows = flow->flows;
    record->flows_refused = flow->flows_refused;
    record->flows_shed = flow->flows_shed;
    record->duplicates = flow->duplicates;
    record->detail_refused = flow->detail_refused;
    record->dns_refused = flow->dns_refused;
    record->time_clamped = flow->time_clamped + stats->time_backwards;
    record->evidence_refused = counters->meter.evidence_refused;
    record->records_refused = counters->meter.records_refused;
    record->pending_refused = counters->meter.pending_refused;
    memcpy(record->decode, counters->decode, sizeof record->decode);
    fill_naming(&counters->naming, record);
}
