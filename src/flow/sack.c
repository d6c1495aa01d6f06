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
 * it comes again with the rest. And of a receiver that never sends a SACK block, all that lies
 * behind a hole of ours: nobody can say whether it was lost.
 *
 * The first block of each acknowledgement is enough: it holds the newest segment. Blind spots:
 * blocks in acknowledgements that were lost or cut; more ranges than are remembered (counted); a
 * repetition that the receiver reports as such only afterwards.
 */
#include "flow/flow.h"

static int32_t from_to(uint32_t from, uint32_t to) { return (int32_t)(to - from); }

static bool is_acked(const struct weir_flow *flow, enum weir_side sender, uint32_t end) {
    return flow_is(flow, FLOW_ACK << other(sender)) && from_to(flow->ack[other(sender)], end) <= 0;
}

bool detail_is_needed(const struct weir_flow *flow) {
    const struct detail *detail = flow_detail(flow);
    if (!detail) return false;
    for (unsigned side = 0; side < 2; side++) {
        if (detail->closed[side]) return true;
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

void sack_seen(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side receiver) {
    enum weir_side sender = other(receiver);
    bool closed = packet->tcp.window == 0;
    if (!packet->tcp.has_sack && !closed && !flow->detail) return;
    struct detail *detail = closed ? flow_detail_make(flow) : flow_detail(flow);
    if (detail) detail->closed[sender] = closed;
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
