/* Fuzzes the flow stage through the decoder: the bytes are a run of frames of raw IP, each behind
 * four bytes that say how long it is, how much was cut off, and how much time passes before it;
 * every packet is tracked, every second ticked, and the table drained at the end. Whatever comes,
 * counters agree, no measured span is negative, and no event follows a flow's END. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#include <weir/decode.h>
#include <weir/flow.h>
#include <weir/record.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t n_new, n_end, packets;
    enum weir_flow_end end;
};

static void assert_quantiles(const struct weir_quantiles *of) {
    assert((of->samples == 0) == (of->min == WEIR_NULL));
    assert(of->samples == 0 || (of->min >= 0 && of->min <= of->p50 && of->p50 <= of->p95));
}

static void assert_record(const struct weir_flow_record *record) {
    assert(record->last_ts_us >= record->first_ts_us);
    assert(record->outcome > WEIR_OUTCOME_NONE && record->outcome < WEIR_OUTCOME_N);
    for (unsigned side = 0; side < 2; side++) {
        assert(record->payload[side] <= record->bytes[side]);
        assert(record->handshake_rtt_us[side] == WEIR_NULL || record->handshake_rtt_us[side] >= 0);
        assert_quantiles(&record->rtt_us[side]);
    }
    assert(record->packets[0] + record->packets[1] > 0);
    assert(record->tls_handshake_us == WEIR_NULL || record->tls_handshake_us >= 0);
    assert(record->ttfb_p50_us == WEIR_NULL || record->ttfb_p50_us >= 0);
    assert(record->goodput_p50_bps == WEIR_NULL || record->goodput_p50_bps >= 0);
    assert(record->request_timeouts <= record->requests);
    assert(record->dns.answers <= record->dns.queries);
    for (unsigned i = 0; i < WEIR_STALLS_MAX && i < record->n_stalls; i++)
        assert(record->stalls[i].duration_us >= 0);
}

static void assert_event(const struct weir_event *event) {
    switch (event->kind) {
    case WEIR_EVENT_RTT: assert(event->rtt.us >= 0); break;
    case WEIR_EVENT_HANDSHAKE: assert(event->handshake.us >= 0); break;
    case WEIR_EVENT_FIRST_BYTE: assert(event->first_byte.ttfb_us >= 0); break;
    case WEIR_EVENT_CHUNK:
        assert(event->chunk.ttfb_us >= -1 && event->chunk.transfer_us >= 0);
        break;
    case WEIR_EVENT_STALL: assert(event->stall.duration_us >= 0); break;
    case WEIR_EVENT_PROGRESS: assert(event->progress.open_us >= 0); break;
    case WEIR_EVENT_DNS: assert(event->dns.qname[0] && event->dns.latency_us >= -1); break;
    case WEIR_EVENT_ATTEMPT:
        assert(event->attempt.outcome != WEIR_OUTCOME_NONE && event->attempt.layer < WEIR_LAYER_N);
        break;
    default: break;
    }
}

static void observe(void *context, struct weir_flow *flow, const struct weir_event *event) {
    struct seen *seen = context;
    assert_event(event);
    assert((flow == NULL) == (event->kind == WEIR_EVENT_DNS));
    if (event->kind == WEIR_EVENT_NEW) {
        seen->n_new++;
        weir_flow_named(flow)->role = WEIR_ROLE_MEDIA;
    }
    if (event->kind != WEIR_EVENT_END) return;
    struct weir_flow_record record;
    weir_flow_report(flow, event->end.end, &record);
    assert_record(&record);
    seen->n_end++;
    seen->packets += record.packets[0] + record.packets[1];
}

static int64_t feed(struct weir_flow_table *table, const uint8_t *data, size_t size,
                    uint64_t *ret_tracked) {
    int64_t now_us = INT64_C(1700000000000000), ticked_us = now_us;
    while (size > 4) {
        size_t length = data[0] | (size_t)(data[1] & 7) << 8;
        uint32_t cut = data[1] >> 3;
        int64_t skew_us = data[3] & 0x80 ? -(int64_t)(data[3] & 0x7f) * 100000 : 0;
        now_us += (int64_t)data[2] * data[2] * 300; /* up to 20 s */
        data += 4;
        size -= 4;
        if (length > size) length = size;
        for (; ticked_us + WEIR_TICK_US <= now_us; ticked_us += WEIR_TICK_US)
            weir_flow_tick(table, ticked_us + WEIR_TICK_US);
        /* exactly as long as captured, so that an over-read shows */
        uint8_t *bytes = malloc(length ? length : 1);
        memcpy(bytes, data, length);
        struct weir_frame frame = {.ts_us = now_us + skew_us,
                                   .now_us = now_us,
                                   .data = bytes,
                                   .caplen = (uint32_t)length,
                                   .wirelen = (uint32_t)length + cut * 40,
                                   .linktype = 101};
        struct weir_packet packet;
        struct weir_flow *flow;
        enum weir_side side;
        if (weir_decode(&frame, &packet) == WEIR_DECODE_OK) {
            enum weir_track track =
                weir_flow_track(table, weir_flow_hash(table, &packet), &packet, &flow, &side);
            if (track == WEIR_TRACK_OK) {
                assert(side == WEIR_CLIENT || side == WEIR_SERVER);
                assert(weir_flow_port(flow, side) == packet.src_port ||
                       packet.transport == WEIR_TRANSPORT_ICMP);
                *ret_tracked += packet.transport != WEIR_TRANSPORT_ICMP;
            }
        }
        free(bytes);
        data += length;
        size -= length;
    }
    return now_us;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct seen seen = {0};
    struct weir_flow_config config = {
        .memory_bytes = 1 << 17, .reports = true, .observer = observe, .context = &seen};
    struct weir_flow_table *table;
    if (weir_flow_table_new(&table, &config) < 0) return 0;
    uint64_t tracked = 0;
    int64_t now_us = feed(table, data, size, &tracked);
    weir_flow_drain(table, now_us);
    struct weir_flow_stats stats;
    weir_flow_table_stats(table, &stats);
    assert(stats.flows_now == 0);
    assert(stats.flows == seen.n_new && seen.n_new == seen.n_end);
    assert(seen.packets == tracked);
    assert(stats.memory_bytes <= config.memory_bytes);
    weir_flow_table_free(table);
    return 0;
}
