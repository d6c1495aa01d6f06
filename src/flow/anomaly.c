/* Segments that are not plain new data, by comparing each with the highest end seen.
 *
 *     seq .. seen before .. nxt    lost between us and the receiver ("beyond")
 *     [ hole ]  .. nxt             fills a hole: lost between the sender and us ("before"),
 *                                  or merely overtaken
 *
 * The split into seen and never seen is Jaiswal's (2007). Whether the filler of a hole was sent
 * again, or merely overtaken, depends on its age:
 *
 * - younger than half a round trip: overtaken. Nobody can have asked for it yet. Some senders send
 *   a hello's segments in another order than they are numbered.
 * - older than a round trip: sent again, unless the sender's own time stamp is of before the
 *   packet that showed the hole.
 * - between: the sender says it, by its time stamp, or by its IPv4 identification where it counts
 *   them up. A quick repair takes just one round trip, and the handshake's was perhaps a slow one.
 *   Where both are silent: overtaken.
 *
 * Round trip: the handshake's; at least 3 ms (Wireshark's bound) is "older", and where it is not
 * known 3 ms are half.
 *
 * A bare acknowledgement has no bytes, but shows by its own number what was sent before it: a lost
 * tail is seen so. All comparisons are int32 differences, which survive the wrap of sequence
 * numbers. Blind spots: a hole beyond those that are remembered (counted), what is lost twice
 * before it passes, and bytes that the capture itself missed: a hole that the receiver acknowledges
 * is forgotten.
 */
#include "flow/flow.h"

enum { REORDER_MIN_US = 3000, ID_STEP_MAX = 256, MSS_DEFAULT = 1460, MSS_LEAST = 100 };
#define OUT_OF_WINDOW (INT32_C(1) << 30)

static uint32_t segments(const struct weir_flow *flow, enum weir_side side, uint32_t bytes) {
    uint32_t mss = flow->mss[other(side)] ? flow->mss[other(side)] : MSS_DEFAULT;
    if (flow->mss[side] && flow->mss[side] < mss) mss = flow->mss[side];
    if (mss < MSS_LEAST) mss = MSS_LEAST;
    if (flow_is(flow, FLOW_TIMESTAMPS)) mss -= 12;
    return bytes ? (bytes + mss - 1) / mss : 1;
}

static void take_back(struct report *of_flow, enum weir_side side, uint32_t bytes, uint32_t n) {
    of_flow->lost_beyond[side] -= n < of_flow->lost_beyond[side] ? n : of_flow->lost_beyond[side];
    of_flow->lost_bytes[side] -=
        bytes < of_flow->lost_bytes[side] ? bytes : of_flow->lost_bytes[side];
}

static void report(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                   enum weir_anomaly what, uint32_t bytes) {
    uint32_t n = segments(flow, side, bytes);
    struct report *of_flow = flow_report(flow);
    if (of_flow) {
        uint32_t *const counters[WEIR_ANOMALY_N] = {
            [WEIR_ANOMALY_LOST_BEYOND] = &of_flow->lost_beyond[side],
            [WEIR_ANOMALY_LOST_BEFORE] = &of_flow->lost_before[side],
            [WEIR_ANOMALY_REORDERED] = &of_flow->reordered[side],
            [WEIR_ANOMALY_SPURIOUS] = &of_flow->spurious[side],
            [WEIR_ANOMALY_NEEDLESS] = &of_flow->spurious[side],
            [WEIR_ANOMALY_KEEPALIVE] = &of_flow->keepalives,
        };
        *counters[what] += n;
        if (what == WEIR_ANOMALY_LOST_BEYOND || what == WEIR_ANOMALY_LOST_BEFORE)
            of_flow->lost_bytes[side] += bytes;
        if (what == WEIR_ANOMALY_NEEDLESS) take_back(of_flow, side, bytes, n);
    }
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_ANOMALY,
                                         .ts_us = packet->ts_us,
                                         .now_us = packet->now_us,
                                         .anomaly = {what, side, bytes, n}});
}

/* Where there is no room, the hole next below grows over what lies between them. That was seen, and
 * the receiver says so (sack.c); of one that does not, all behind a hole is in doubt anyway. */
static void hole_add(struct weir_flow *flow, enum weir_side side, struct hole found) {
    struct detail *detail = flow_detail_make(flow);
    if (!detail) return;
    struct hole *at = NULL, *below = NULL;
    for (unsigned i = 0; i < DETAIL_HOLES; i++) {
        struct hole *hole = &detail->holes[side][i];
        bool acked = flow_is(flow, FLOW_ACK << other(side)) &&
                     (int32_t)(hole->end - flow->ack[other(side)]) <= 0;
        if (hole->open && acked) hole->open = false;
        if (!hole->open)
            at = hole;
        else if ((int32_t)(found.start - hole->end) >= 0 &&
                 (!below || (int32_t)(hole->end - below->end) > 0))
            below = hole;
    }
    if (at) {
        *at = found;
        return;
    }
    flow->table->stats.detail_refused++;
    if (below) below->end = found.end;
}

/* Everything between nxt and this packet is missing. */
static void hole_shown(struct weir_flow *flow, const struct weir_packet *packet,
                       enum weir_side side) {
    hole_add(flow, side,
             (struct hole){.start = flow->nxt[side],
                           .end = packet->tcp.seq,
                           .us = (uint32_t)packet->ts_us,
                           .tsval = packet->tcp.has_timestamps ? packet->tcp.tsval : 0,
                           .ip_id = packet->ip_id,
                           .open = true});
}

/* How many bytes of [start, end) lie in the hole; these are cut out of it. A middle piece leaves
 * two. */
static uint32_t hole_fill(struct weir_flow *flow, enum weir_side side, struct hole *hole,
                          uint32_t start, uint32_t end) {
    uint32_t from = (int32_t)(start - hole->start) > 0 ? start : hole->start;
    uint32_t to = (int32_t)(end - hole->end) < 0 ? end : hole->end;
    if ((int32_t)(to - from) <= 0) return 0;
    struct hole rest = *hole;
    rest.start = to;
    rest.open = to != hole->end;
    if (from != hole->start) {
        hole->end = from;
        if (rest.open) hole_add(flow, side, rest);
    } else {
        *hole = rest;
    }
    return to - from;
}

/* Returns how many bytes below `end` were missing; *ret_oldest is the oldest hole that they fill.
 */
static uint32_t holes_fill(struct weir_flow *flow, const struct weir_packet *packet,
                           enum weir_side side, uint32_t end, struct hole *ret_oldest) {
    struct detail *detail = flow_detail(flow);
    uint32_t filled = 0;
    for (unsigned i = 0; detail && i < DETAIL_HOLES; i++) {
        struct hole hole = detail->holes[side][i];
        uint32_t bytes =
            hole.open ? hole_fill(flow, side, &detail->holes[side][i], packet->tcp.seq, end) : 0;
        if (bytes && (!filled || (int32_t)(hole.us - ret_oldest->us) < 0)) *ret_oldest = hole;
        filled += bytes;
    }
    if (detail && !detail_is_needed(flow)) flow_detail_free(flow);
    return filled;
}

/* Did this packet leave its sender after the one that showed the hole? */
static bool sent_again(const struct weir_flow *flow, const struct weir_packet *packet,
                       const struct hole *hole) {
    uint32_t rtt_us = flow_opening_rtt_us(flow), age_us = low_span(hole->us, packet->ts_us);
    bool old = age_us > (rtt_us < REORDER_MIN_US ? REORDER_MIN_US : rtt_us);
    if (age_us < (rtt_us ? rtt_us / 2 : REORDER_MIN_US)) return false;
    int32_t ticks = (int32_t)(packet->tcp.tsval - hole->tsval);
    if (packet->tcp.has_timestamps && packet->tcp.tsval && hole->tsval && ticks) return ticks > 0;
    int16_t step = (int16_t)(packet->ip_id - hole->ip_id);
    bool counted = packet->ip_id && hole->ip_id && step > 0 && step <= ID_STEP_MAX;
    return old || counted;
}

/* Bytes below nxt: what they are, and how many of them are new to us. */
static uint32_t old_bytes(struct weir_flow *flow, const struct weir_packet *packet,
                          enum weir_side side, uint32_t n_old) {
    struct hole hole = {0};
    uint32_t excused = sack_excused(flow, side, packet->tcp.seq, packet->tcp.seq + n_old);
    bool blind = sack_is_blind(flow, side, packet->tcp.seq);
    /* else what is excused may hold holes */
    bool has_it = excused == n_old && sack_spoken(flow, side);
    uint32_t filled = !has_it ? holes_fill(flow, packet, side, packet->tcp.seq + n_old, &hole) : 0;
    if (!filled) {
        bool needless = excused == n_old || blind ||
                        sack_is_doubtful(flow, side, packet->tcp.seq, packet->tcp.seq + n_old);
        report(flow, packet, side, needless ? WEIR_ANOMALY_SPURIOUS : WEIR_ANOMALY_LOST_BEYOND,
               needless ? n_old : n_old - excused);
        if (!needless)
            sack_repeated(flow, side, packet->tcp.seq, packet->tcp.seq + n_old, packet->ts_us);
        return 0;
    }
    if (!sack_spoken(flow, side) && packet->tcp.seq + n_old != flow->nxt[side])
        /* until the acknowledgement moves, nobody knows of it */
        sack_doubt(flow, side, packet->tcp.seq + n_old, flow->nxt[side]);
    report(flow, packet, side,
           sent_again(flow, packet, &hole) ? WEIR_ANOMALY_LOST_BEFORE : WEIR_ANOMALY_REORDERED,
           filled);
    return filled;
}

uint32_t anomaly_segment(struct weir_flow *flow, const struct weir_packet *packet,
                         enum weir_side side, bool *ret_disturbed) {
    uint32_t len = packet->payload_len, seq = packet->tcp.seq;
    uint32_t fin = packet->tcp_flags & WEIR_TCP_FIN ? 1 : 0;
    uint32_t end = seq + len + fin;
    int32_t ahead = (int32_t)(seq - flow->nxt[side]);
    if (!flow_is(flow, FLOW_NXT << side)) {
        flow->flags |= FLOW_NXT << side;
        flow->nxt[side] = end;
        return len;
    }
    if (ahead == 0) {
        if (flow->detail) sack_sent(flow, side, seq, end);
        flow->nxt[side] = end;
        return len;
    }
    if (ahead > OUT_OF_WINDOW || ahead < -OUT_OF_WINDOW) return 0;
    if (len <= 1 && ahead == -1 && !fin) {
        report(flow, packet, side, WEIR_ANOMALY_KEEPALIVE, len);
        return 0;
    }
    if (ahead > 0) {
        *ret_disturbed = true;
        hole_shown(flow, packet, side);
        flow->nxt[side] = end;
        return len;
    }
    if (len + fin) *ret_disturbed = true;
    if (len == 0) return 0;
    if (flow_is(flow, FLOW_ACK << other(side)) &&
        (int32_t)(seq + len - flow->ack[other(side)]) <= 0) {
        report(flow, packet, side, WEIR_ANOMALY_SPURIOUS, len);
        return 0;
    }
    uint32_t n_old = (uint32_t)-ahead < len ? (uint32_t)-ahead : len;
    uint32_t fresh = old_bytes(flow, packet, side, n_old);
    if ((int32_t)(end - flow->nxt[side]) > 0) flow->nxt[side] = end;
    return fresh + (len - n_old);
}

void anomaly_acknowledged(struct weir_flow *flow, const struct weir_packet *packet,
                          enum weir_side receiver) {
    uint32_t bytes = sack_needless(flow, packet, receiver);
    if (bytes) report(flow, packet, other(receiver), WEIR_ANOMALY_NEEDLESS, bytes);
}
