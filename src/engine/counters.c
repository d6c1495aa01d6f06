#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "engine/counters.h"

/* Every row of a stage (weir/counter.h), added or copied. */
#define ADD_OF_FLOW(name, ...)      sum->flow.name += block->flow.name;
#define ADD_OF_METER(name, ...)     sum->meter.name += block->meter.name;
#define ADD_OF_LANE(name, ...)      sum.name += lane.name;
#define COPY_OF_SOURCE(name, ...)   record->name = stats->name;
#define COPY_OF_FLOW(name, ...)     record->name = counters->flow.name;
#define COPY_OF_METER(name, ...)    record->name = counters->meter.name;
#define COPY_OF_TRIALS(name, ...)   record->name = trials.name;
#define COPY_OF_SESSIONS(name, ...) record->name = sessions.name;
#define COPY_OF_ROLLUP(name, ...)   record->name = seen.name;

void weir_counters_sum(struct weir_counters *ret_counters, const struct weir_block *blocks,
                       unsigned n_blocks, bool own) {
    struct weir_counters *sum = ret_counters;
    memset(sum, 0, sizeof *sum);
    for (unsigned w = 0; w < n_blocks; w++) {
        const struct weir_block *block = &blocks[w];
        for (int i = 0; i < WEIR_DECODE_N; i++)
            sum->decode[i] = block->decode[i] + (own ? sum->decode[i] : 0);
        WEIR_COUNTERS_OF_FLOW(ADD_OF_FLOW)
        WEIR_COUNTERS_OF_METER(ADD_OF_METER)
        sum->flow.flows_local += block->flow.flows_local;
        sum->flow.dns_cut += block->flow.dns_cut;
        if (block->naming) weir_naming_stats_merge(&sum->naming, block->naming);
    }
}

void weir_counters_read_sources(struct weir_source *source, struct weir_source *const *lanes,
                                unsigned n_lanes, struct weir_source_stats *ret_stats) {
    struct weir_source_stats sum, lane;
    weir_source_stats(source, &sum);
    for (unsigned w = 1; lanes && w < n_lanes; w++) {
        weir_source_stats(lanes[w], &lane);
        if (lane.packets && (!sum.packets || lane.first_ts_us < sum.first_ts_us))
            sum.first_ts_us = lane.first_ts_us;
        if (lane.packets && lane.last_ts_us > sum.last_ts_us) sum.last_ts_us = lane.last_ts_us;
        /* all lanes have one clock, which steps back in each of them */
        uint64_t steps = lane.clock_steps > sum.clock_steps ? lane.clock_steps : sum.clock_steps;
        WEIR_COUNTERS_OF_SOURCE(ADD_OF_LANE)
        sum.clock_steps = steps;
        sum.time_backwards += lane.time_backwards;
    }
    *ret_stats = sum;
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
    bool timed = stats->packets > 0 && stats->last_ts_us != 0;
    record->first_ts_us = timed ? stats->first_ts_us : WEIR_NULL;
    record->last_ts_us = timed ? stats->last_ts_us : WEIR_NULL;
    WEIR_COUNTERS_OF_SOURCE(COPY_OF_SOURCE)
    WEIR_COUNTERS_OF_FLOW(COPY_OF_FLOW)
    WEIR_COUNTERS_OF_METER(COPY_OF_METER)
    record->time_clamped += stats->time_backwards;
    memcpy(record->decode, counters->decode, sizeof record->decode);
    fill_naming(&counters->naming, record);
}

void weir_counters_fill_measured(const struct weir_trials *of_trials,
                                 const struct weir_sessions *of_sessions,
                                 const struct weir_rollup *rollup,
                                 struct weir_capture_record *record) {
    struct weir_trials_stats trials;
    struct weir_sessions_stats sessions;
    struct weir_rollup_stats seen;
    weir_trials_read_stats(of_trials, &trials);
    weir_sessions_read_stats(of_sessions, &sessions);
    weir_rollup_read_stats(rollup, &seen);
    WEIR_COUNTERS_OF_TRIALS(COPY_OF_TRIALS)
    WEIR_COUNTERS_OF_SESSIONS(COPY_OF_SESSIONS)
    WEIR_COUNTERS_OF_ROLLUP(COPY_OF_ROLLUP)
    weir_rollup_naming(rollup, record->named_flows, record->named_bytes);
}
