/* What all workers counted since the start, and all sources, as one: what the capture record says
 * of the packets. */
#pragma once

#include <weir/capture.h>
#include <weir/classify.h>
#include <weir/measure.h>

struct weir_counters {
    uint64_t decode[WEIR_DECODE_N];
    struct weir_flow_stats flow;
    struct weir_meter_stats meter;
    struct weir_naming_stats naming;
};

/* Of one tick's blocks. `own`: each worker decodes its own packets; else every worker counts all of
 * them. */
void weir_counters_sum(struct weir_counters *ret_counters, const struct weir_block *blocks,
                       unsigned n_blocks, bool own);
/* Of the source, or of all lanes where there are lanes (of which it is the first). */
void weir_counters_read_sources(struct weir_source *source, struct weir_source *const *lanes,
                                unsigned n_lanes, struct weir_source_stats *ret_stats);
/* Says so when --local was given (n_local prefixes) and no flow had a client there. */
void weir_counters_warn(const struct weir_counters *counters, size_t n_local);
/* Packets, times, drops, outcomes of decode, flows, what the workers refused, and what naming saw.
 */
void weir_counters_fill(const struct weir_counters *counters, const struct weir_source_stats *stats,
                        struct weir_capture_record *record);
/* What the coordinator's measurements refused, and how flows were named. `record` was zeroed. */
void weir_counters_fill_measured(const struct weir_trials *trials,
                                 const struct weir_sessions *sessions,
                                 const struct weir_rollup *rollup,
                                 struct weir_capture_record *record);
