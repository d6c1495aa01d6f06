/* What a receiver has although it does not acknowledge it, so that its repetition is no loss (RFC
 * 2018).
 *
 *      acknowledged |   hole   | has ....... |  ...  | has .. |
 *                  ack         SACK blocks
 *
 * Where bytes of a server are lost on their way to here, the client's acknowledgement stands still
 * at the hole, whatever came behind it. A server that sends all of that again (after a time-out, in
 * a probe) repeats bytes that passed here already, which looks like a loss between here and the
 * client. The client's SACK blocks say that it has them. So blocks are remembered until they are
 * acknowledged, and what they cover is excused.
 *
 * Also excused is data sent into a closed window: the receiver throws such a probe's byte away, and
 * it comes again with the rest. And of a receiver that never sends a SACK block, what lies behind a
 * hole of ours ("doubt"): nobody can say whether it was lost, until the hole is filled and the
 * acknowledgement moves. It then stops at the next byte that the receiver lacks, which has passed
 * here: lost beyond. Only where it jumps past all that was sent again meanwhile: some receivers
 * keep nothing that comes out of order, and have all of it sent again.
 *
 * A receiver that got a segment twice reports it with its next acknowledgement: the first block
 * lies below the acknowledgement (D-SACK, RFC 2883). So what was told as lost beyond is remembered
 * for 3 s and taken back by such a report, the newest first: each copy is reported once.
 *
 * The first block of each acknowledgement is enough: it holds the newest segment. Blind spots:
 * blocks in acknowledgements that were lost or cut; more ranges than are remembered (counted); a
 * D-SACK above the acknowledgement, which no second block is read for.
 */
#include "flow/flow.h"

enum { REPORT_MAX_US = 3000000 }; /* a round trip of the receiver's */

static int32_t from_to(uint32_t from, uint32_t to) { return (int32_t)(to - from); }

static bool is_acked(const struct weir_flow *flow, enum weir_side sender, uint32_t end) {
    return flow_is(flow, FLOW_ACK << other(sender)) && from_to(flow->ack[other(sender)], end) <= 0;
}

static bool doubts(const struct weir_flow *flow, enum weir_side sender) {
    const struct doubt *doubt = &flow_detail(flow)->doubts[sender];
    return doubt->state != DOUBT_NONE && !is_acked(flow, sender, doubt->end);
}

bool detail_is_needed(const struct weir_flow *flow) {
    const struct detail *detail = flow_detail(flow);
    if (!detail) return false;
    for (unsigned side = 0; side < 2; side++) {
        if (detail->closed[side] || doubts(flow, side)) return true;
        for (unsigned i = 0; i < DETAIL_REPEATS; i++)
            if (detail->repeats[side][i].used) return true;
        for (unsigned i = 0; i < DETAIL_HOLES; i++)
            if (detail->holes[side][i].open && !is_acked(flow, side, detail->holes[side][i].end))
                return true;
        for (unsigned i = 0; i < DETAIL_RANGES; i++)
            if (detail->excused[side][i].used &&
                !is_acked(flow, side, detail->excused[side][i].end))
                return true;
    }
    return false;
}

/* Joined with what it touches; where there is no room, the range that will be acknowledged first is
 * forgotten. */
void sack_excuse(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end) {
    struct detail *detail = flow_detail_make(flow);
    if (!detail) return;
    struct range *place = NULL, *first = &detail->excused[sender][0];
    for (unsigned i = 0; i < DETAIL_RANGES; i++) {
        struct range *range = &detail->excused[sender][i];
        range->used = range->used && !is_acked(flow, sender, range->end);
        if (range->used && from_to(start, range->end) >= 0 && from_to(range->start, end) >= 0) {
            start = from_to(range->start, start) > 0 ? range->start : start;
            end = from_to(end, range->end) > 0 ? range->end : end;
            range->used = false;
        }
        if (!range->used)
            place = range;
        else if (from_to(range->end, first->end) > 0)
            first = range;
    }
    if (!place) {
        flow->table->stats.detail_refused++;
        place = first;
    }
    *place = (struct range){start, end, true};
}

static void forget_repeats(struct detail *detail, enum weir_side sender, int64_t ts_us) {
    for (unsigned i = 0; i < DETAIL_REPEATS; i++) {
        struct repeat *repeat = &detail->repeats[sender][i];
        if (repeat->used && low_span(repeat->us, ts_us) > REPORT_MAX_US) repeat->used = false;
    }
}

/* Where does the first acknowledgement behind the hole land? Beyond all that was sent again, but
 * short of the end: the receiver keeps what comes out of order, and lacks what lies there. */
static void settle_doubt(const struct weir_flow *flow, struct detail *detail,
                         enum weir_side sender) {
    struct doubt *doubt = &detail->doubts[sender];
    uint32_t ack = flow->ack[other(sender)];
    if (!is_acked(flow, sender, doubt->start)) return;
    if (is_acked(flow, sender, doubt->end))
        doubt->state = DOUBT_NONE;
    else
        doubt->state = from_to(doubt->again_end, ack) > 0 ? DOUBT_KEEPS : DOUBT_BLIND;
}

void sack_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side receiver) {
    enum weir_side sender = other(receiver);
    bool closed = packet->tcp.window == 0;
    if (!packet->tcp.has_sack && !closed && !flow->detail) return;
    struct detail *detail = closed ? flow_detail_make(flow) : flow_detail(flow);
    if (detail) detail->closed[sender] = closed;
    if (detail) forget_repeats(detail, sender, packet->ts_us);
    if (detail && detail->doubts[sender].state == DOUBT_OPEN) settle_doubt(flow, detail, sender);
    uint32_t left = packet->tcp.sack_left, right = packet->tcp.sack_right;
    bool beyond =
        packet->tcp.has_sack && from_to(packet->tcp.ack, left) > 0 && from_to(left, right) > 0;
    if (beyond && flow_is(flow, FLOW_NXT << sender) && from_to(right, flow->nxt[sender]) >= 0) {
        sack_excuse(flow, sender, left, right);
        detail = flow_detail(flow);
        if (detail) detail->sacks[sender] = true;
    }
    if (detail && !detail_is_needed(flow)) flow_detail_free(flow);
}

void sack_sent(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end) {
    const struct detail *detail = flow_detail(flow);
    if (detail && detail->closed[sender] && start != end) sack_excuse(flow, sender, start, end);
}

uint32_t sack_excused(const struct weir_flow *flow, enum weir_side sender, uint32_t start,
                      uint32_t end) {
    const struct detail *detail = flow_detail(flow);
    uint32_t bytes = 0;
    for (unsigned i = 0; detail && i < DETAIL_RANGES; i++) {
        const struct range *range = &detail->excused[sender][i];
        uint32_t from = from_to(range->start, start) > 0 ? start : range->start,
                 to = from_to(range->end, end) > 0 ? range->end : end;
        if (range->used && from_to(from, to) > 0) bytes += to - from;
    }
    return bytes;
}

bool sack_spoken(const struct weir_flow *flow, enum weir_side sender) {
    const struct detail *detail = flow_detail(flow);
    return detail && detail->sacks[sender];
}

bool sack_is_blind(const struct weir_flow *flow, enum weir_side sender, uint32_t start) {
    const struct detail *detail = flow_detail(flow);
    if (!detail || detail->sacks[sender]) return false;
    for (unsigned i = 0; i < DETAIL_HOLES; i++) {
        const struct hole *hole = &detail->holes[sender][i];
        if (hole->open && !is_acked(flow, sender, hole->end) && from_to(hole->end, start) >= 0)
            return true;
    }
    return false;
}

void sack_doubt(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end) {
    struct detail *detail = flow_detail_make(flow);
    if (!detail) return;
    struct doubt *doubt = &detail->doubts[sender];
    if (doubt->state != DOUBT_NONE && !is_acked(flow, sender, doubt->end)) {
        doubt->end = end;
        return;
    }
    *doubt = (struct doubt){start, end, start, DOUBT_OPEN};
}

bool sack_is_doubtful(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end) {
    struct detail *detail = flow_detail(flow);
    if (!detail || detail->sacks[sender] || !doubts(flow, sender)) return false;
    struct doubt *doubt = &detail->doubts[sender];
    if (from_to(doubt->start, start) < 0 || from_to(start, doubt->end) <= 0) return false;
    if (from_to(doubt->again_end, end) > 0) doubt->again_end = end;
    return doubt->state != DOUBT_KEEPS || flow->ack[other(sender)] != start;
}

void sack_repeated(struct weir_flow *flow, enum weir_side sender, uint32_t start, uint32_t end,
                   int64_t ts_us) {
    struct detail *detail = flow_detail_make(flow);
    if (!detail) return;
    struct repeat *place = &detail->repeats[sender][0];
    for (unsigned i = 0; i < DETAIL_REPEATS && place->used; i++) {
        struct repeat *repeat = &detail->repeats[sender][i];
        if (!repeat->used || (int32_t)(repeat->us - place->us) < 0) place = repeat;
    }
    *place = (struct repeat){start, end, (uint32_t)ts_us, true};
}

/* The newest that the block touches: each copy is reported once. */
uint32_t sack_needless(struct weir_flow *flow, const struct weir_packet *packet,
                       enum weir_side receiver) {
    struct detail *detail = flow_detail(flow);
    uint32_t left = packet->tcp.sack_left, right = packet->tcp.sack_right;
    if (!detail || from_to(left, right) <= 0 || from_to(right, packet->tcp.ack) < 0) return 0;
    struct repeat *newest = NULL;
    for (unsigned i = 0; i < DETAIL_REPEATS; i++) {
        struct repeat *repeat = &detail->repeats[other(receiver)][i];
        bool touches = from_to(left, repeat->end) > 0 && from_to(repeat->start, right) > 0;
        if (repeat->used && touches && (!newest || (int32_t)(repeat->us - newest->us) > 0))
            newest = repeat;
    }
    if (!newest) return 0;
    uint32_t from = from_to(newest->start, left) > 0 ? left : newest->start;
    uint32_t to = from_to(newest->end, right) < 0 ? right : newest->end;
    if (from == newest->start)
        newest->start = to; /* the rest may have been lost all the same */
    else
        newest->end = from;
    newest->used = newest->start != newest->end;
    if (!detail_is_needed(flow)) flow_detail_free(flow);
    return to - from;
}
