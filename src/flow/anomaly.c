/* Segments that are not plain new data (METHODS 1.3), by comparing each with the highest end seen.
 *
 *      seq .. seen before .. nxt        lost between us and the receiver ("beyond")
 *      [ hole ]  .. nxt                 fills a hole: lost between the sender and us ("before"), or merely
 *                                       overtaken when the hole is younger than a round trip
 *
 * The split into seen and never seen is Jaiswal's (2007), the age bound Wireshark's. All comparisons are int32
 * differences, which survive the wrap of sequence numbers. Blind spots: a hole beyond the four that are
 * remembered (counted), and bytes that the capture itself missed: a hole that the receiver acknowledges is forgotten.
 */
#include "flow/flow.h"

enum { REORDER_MIN_US = 3000, MSS_DEFAULT = 1460, MSS_LEAST = 100 };
#define OUT_OF_WINDOW (INT32_C(1) << 30)

static uint32_t segments(const struct weir_flow *flow, enum weir_side side, uint32_t bytes)
{
    uint32_t mss = flow->mss[other(side)] ? flow->mss[other(side)] : MSS_DEFAULT;
    if (flow->mss[side] && flow->mss[side] < mss)
        mss = flow->mss[side];
    if (mss < MSS_LEAST)
        mss = MSS_LEAST;
    if (flow_is(flow, FLOW_TIMESTAMPS))
        mss -= 12;
    return bytes ? (bytes + mss - 1) / mss : 1;
}

static void report(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                   enum weir_anomaly what, uint32_t bytes)
{
    uint32_t n = segments(flow, side, bytes);
    struct report *of_flow = flow_report(flow);
    if (of_flow) {
        uint32_t *const counters[WEIR_ANOMALY_N] = {
            [WEIR_ANOMALY_LOST_BEYOND] = &of_flow->lost_beyond[side],
            [WEIR_ANOMALY_LOST_BEFORE] = &of_flow->lost_before[side],
            [WEIR_ANOMALY_REORDERED] = &of_flow->reordered[side],
            [WEIR_ANOMALY_SPURIOUS] = &of_flow->spurious[side],
            [WEIR_ANOMALY_KEEPALIVE] = &of_flow->keepalives,
        };
        *counters[what] += n;
        if (what == WEIR_ANOMALY_LOST_BEYOND || what == WEIR_ANOMALY_LOST_BEFORE)
            of_flow->lost_bytes[side] += bytes;
    }
    flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_ANOMALY, .ts_us = packet->ts_us, .now_us = packet->now_us,
        .anomaly = {what, side, bytes, n}});
}

static void hole_add(struct weir_flow *flow, enum weir_side side, uint32_t start, uint32_t end, int64_t ts_us)
{
    struct detail *detail = flow_detail_make(flow);
    if (!detail)
        return;
    struct hole *at = NULL, *oldest = &detail->holes[side][0];
    for (unsigned i = 0; i < DETAIL_HOLES; i++) {
        struct hole *hole = &detail->holes[side][i];
        bool acked = flow_is(flow, FLOW_ACK << other(side)) && (int32_t)(hole->end - flow->ack[other(side)]) <= 0;
        if (hole->open && acked)
            hole->open = false;
        if (!hole->open)
            at = hole;
        else if ((int32_t)(hole->us - oldest->us) < 0)
            oldest = hole;
    }
    if (!at) {
        flow->table->stats.detail_refused++;
        at = oldest;
    }
    *at = (struct hole){start, end, (uint32_t)ts_us, true};
}

/* How many bytes of [start, end) lie in the hole; these are cut out of it. A middle piece leaves two. */
static uint32_t hole_fill(struct weir_flow *flow, enum weir_side side, struct hole *hole, uint32_t start, uint32_t end)
{
    uint32_t from = (int32_t)(start - hole->start) > 0 ? start : hole->start;
    uint32_t to = (int32_t)(end - hole->end) < 0 ? end : hole->end;
    if ((int32_t)(to - from) <= 0)
        return 0;
    struct hole rest = {to, hole->end, hole->us, to != hole->end};
    if (from != hole->start) {
        hole->end = from;
        if (rest.open)
            hole_add(flow, side, rest.start, rest.end, rest.us);
    } else {
        *hole = rest;
    }
    return to - from;
}

static uint32_t holes_fill(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side, uint32_t end,
                           uint32_t *ret_age_us)
{
    struct detail *detail = flow_detail(flow);
    uint32_t filled = 0;
    bool any = false;
    for (unsigned i = 0; detail && i < DETAIL_HOLES; i++) {
        struct hole *hole = &detail->holes[side][i];
        if (!hole->open)
            continue;
        uint32_t age = low_span(hole->us, packet->ts_us);
        uint32_t bytes = hole_fill(flow, side, hole, packet->tcp.seq, end);
        if (bytes && age > *ret_age_us)
            *ret_age_us = age;
        filled += bytes;
    }
    for (unsigned i = 0; detail && i < 2 * DETAIL_HOLES; i++)
        any |= detail->holes[i / DETAIL_HOLES][i % DETAIL_HOLES].open;
    if (detail && !any)
        flow_detail_free(flow);
    return filled;
}

/* Bytes below nxt: what they are, and how many of them are new to us. */
static uint32_t old_bytes(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side, uint32_t n_old)
{
    uint32_t end = packet->tcp.seq + n_old, age_us = 0;
    uint32_t filled = holes_fill(flow, packet, side, end, &age_us);
    if (!filled) {
        report(flow, packet, side, WEIR_ANOMALY_LOST_BEYOND, n_old);
        return 0;
    }
    uint32_t bound = flow_opening_rtt_us(flow);
    if (bound < REORDER_MIN_US)
        bound = REORDER_MIN_US;
    report(flow, packet, side, age_us > bound ? WEIR_ANOMALY_LOST_BEFORE : WEIR_ANOMALY_REORDERED, filled);
    return filled;
}

uint32_t anomaly_segment(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                         bool *ret_disturbed)
{
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
        flow->nxt[side] = end;
        return len;
    }
    if (ahead > OUT_OF_WINDOW || ahead < -OUT_OF_WINDOW)
        return 0;
    if (len <= 1 && ahead == -1 && !fin) {
        report(flow, packet, side, WEIR_ANOMALY_KEEPALIVE, len);
        return 0;
    }
    if (len + fin == 0)
        return 0;
    *ret_disturbed = true;
    if (ahead > 0) {
        hole_add(flow, side, flow->nxt[side], seq, packet->ts_us);
        flow->nxt[side] = end;
        return len;
    }
    if (len == 0)
        return 0;
    if (flow_is(flow, FLOW_ACK << other(side)) && (int32_t)(seq + len - flow->ack[other(side)]) <= 0) {
        report(flow, packet, side, WEIR_ANOMALY_SPURIOUS, len);
        return 0;
    }
    uint32_t n_old = (uint32_t)-ahead < len ? (uint32_t)-ahead : len;
    uint32_t fresh = old_bytes(flow, packet, side, n_old);
    if ((int32_t)(end - flow->nxt[side]) > 0)
        flow->nxt[side] = end;
    return fresh + (len - n_old);
}
