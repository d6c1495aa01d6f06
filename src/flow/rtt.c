/* Round-trip times, split at the vantage.
 *
 *      client ---- [vantage] ---- server
 *         <--client-->  <--server-->
 *
 * A segment that goes one way and the proof that it arrived, coming back, measure the part of the
 * path behind the vantage in its direction. With TCP time stamps (RFC 7323) the proof is the first
 * echo of its TSval, which no retransmission can confuse; without, it is the acknowledgement of
 * exactly its last byte, and any retransmission, hole or other acknowledgement voids it (Karn). One
 * segment a direction is out at a time: a sample a round trip.
 *
 * A receiver may hold back the acknowledgement of a lone segment (RFC 1122: up to 500 ms; 40 ms and
 * more are usual), and echoes a bare acknowledgement only when it has something to send. Where a
 * server trickles, every segment is a lone one, and the low percentile rises with the rest as if
 * the client's network had become slow. So a sample says that it may have waited:
 *
 *     data     one segment or less is acknowledged, not two
 *     bare     nothing came from the peer between the acknowledgement and its echo
 *
 * and it took 20 ms longer than the handshake did. Samples that bound a delay from above are as
 * good as others while they are small.
 *
 * Blind spot: a delay that rises while nothing but lone segments are sent is not seen. A bare
 * acknowledgement's sample gives way to one of data, and is dropped after a second.
 */
#include "flow/flow.h"

enum { EXPIRE_US = 10000000, EXPIRE_BARE_US = 1000000, HELD_US = 20000, SEGMENT_MAX = 1460 };

static void sample(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                   int64_t us, bool handshake, bool waited) {
    uint32_t kept = us < RTT_NONE - 1 ? (uint32_t)us : RTT_NONE - 1;
    if (us == 0 && flow_is_timeless(flow, packet->ts_us)) return;
    if (handshake) {
        flow->opening_rtt_us[side] = kept;
    } else {
        struct report *report = flow_report(flow);
        if (report && !spread_add(&report->rtt[side], &flow->table->histograms, kept))
            flow->table->stats.detail_refused++;
    }
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_RTT,
                                         .ts_us = packet->ts_us,
                                         .now_us = packet->now_us,
                                         .rtt = {side, us, handshake, waited}});
}

uint32_t flow_acknowledged_within_ms(const struct weir_flow *flow) {
    enum { RTT_UNKNOWN_MS = 100, DELAY_MS = 50 }; /* of QUIC 25, and as much for a busy server */
    uint32_t rtt_us = flow->opening_rtt_us[WEIR_SERVER];
    return (rtt_us == RTT_NONE ? RTT_UNKNOWN_MS : rtt_us / 1000) + DELAY_MS;
}

void flow_rtt_sample(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                     int64_t us, bool handshake) {
    sample(flow, packet, side, us, handshake, false);
}

static void forget(struct weir_flow *flow, enum weir_side side) {
    flow->flags &= ~((uint32_t)(FLOW_PENDING | FLOW_PENDING_BARE) << side);
}

static void expect(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                   uint32_t value) {
    flow->pending.value[side] = value;
    flow->pending.us[side] = (uint32_t)packet->ts_us;
    forget(flow, side);
    flow->flags |= FLOW_PENDING << side;
    if (!packet->payload_len) flow->flags |= FLOW_PENDING_BARE << side;
}

/* The peer may have held this answer back: see above. `n_acked` bytes are acknowledged by it. */
static bool may_have_waited(const struct weir_flow *flow, enum weir_side side, uint32_t us,
                            uint32_t n_acked) {
    enum weir_side asker = other(side);
    uint32_t opening_us = flow->opening_rtt_us[side];
    if (us <= (opening_us == RTT_NONE ? 0 : opening_us) + HELD_US) return false;
    if (flow_is(flow, FLOW_PENDING_BARE << asker))
        return (int32_t)(flow->payload_us[side] - flow->pending.us[asker]) < 0;
    return n_acked <= (flow->mss[side] ? flow->mss[side] : SEGMENT_MAX);
}

/* `seen` comes back from `side`: it answers what the other side sent, is beyond it, or is older. */
static void answer(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                   uint32_t seen, uint32_t n_acked) {
    enum weir_side asker = other(side);
    if (!flow_is(flow, FLOW_PENDING << asker)) return;
    uint32_t limit = flow_is(flow, FLOW_PENDING_BARE << asker) ? EXPIRE_BARE_US : EXPIRE_US;
    uint32_t us = low_span(flow->pending.us[asker], packet->ts_us);
    int32_t beyond = (int32_t)(seen - flow->pending.value[asker]);
    if (beyond < 0 && us <= limit) return;
    bool waited = may_have_waited(flow, side, us, n_acked);
    forget(flow, asker);
    if (beyond == 0 && us <= limit) sample(flow, packet, side, us, false, waited);
}

static void by_timestamps(struct weir_flow *flow, const struct weir_packet *packet,
                          enum weir_side side, bool disturbed, uint32_t n_acked) {
    if ((packet->tcp_flags & WEIR_TCP_ACK) && packet->tcp.tsecr)
        answer(flow, packet, side, packet->tcp.tsecr, n_acked);
    uint32_t tsval = packet->tcp.tsval;
    if (tsval == 0 ||
        (flow_is(flow, FLOW_TSVAL << side) && (int32_t)(tsval - flow->tsval[side]) <= 0))
        return;
    flow->tsval[side] = tsval;
    flow->flags |= FLOW_TSVAL << side;
    bool bare = flow_is(flow, FLOW_PENDING_BARE << side);
    if (!disturbed && (!flow_is(flow, FLOW_PENDING << side) || (bare && packet->payload_len)))
        expect(flow, packet, side, tsval);
}

static void by_numbers(struct weir_flow *flow, const struct weir_packet *packet,
                       enum weir_side side, bool disturbed, uint32_t n_acked) {
    if (packet->tcp_flags & WEIR_TCP_ACK) answer(flow, packet, side, packet->tcp.ack, n_acked);
    if (disturbed)
        forget(flow, side);
    else if (packet->payload_len && packet->tcp.seq + packet->payload_len == flow->nxt[side] &&
             !flow_is(flow, FLOW_PENDING << side))
        expect(flow, packet, side, flow->nxt[side]);
}

void rtt_packet(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                bool disturbed, uint32_t n_acked) {
    if (!flow_is(flow, FLOW_TIMESTAMPS))
        by_numbers(flow, packet, side, disturbed, n_acked);
    else if (packet->tcp.has_timestamps)
        by_timestamps(flow, packet, side, disturbed, n_acked);
}
