/* One conversation in several tags. The endpoints of a flow do not name it alone: customers of one
 * provider have the same private addresses, told apart by VLAN or tunnel ids
 * (`weir_packet.domain`). But a mirror port may tag each direction, or the copy behind a router,
 * differently. So tags are no part of a flow's hash, and where endpoints agree and tags do not, the
 * packet itself must say that it goes on with what was seen:
 *
 * - TCP: both of its numbers continue the flow's. Its sequence number continues what this side
 *   sent or the other acknowledged, its acknowledgement what the other side sent. Another
 *   customer's, with initial numbers of his own, would do so once in 60,000 times, and only with
 *   the same endpoints at the same time. A SYN never does: a copied one is known as a duplicate,
 *   any other opens a connection of its own.
 * - UDP: it is of the side that has not been heard in the flow's own tags. Its first packet
 *   decides, and that side's tags are kept.
 * - ICMP: the packet that it quotes is such a one.
 *
 * Blind spot: two customers whose UDP conversations have the same endpoints at the same time, each
 * heard in one direction only, are taken for one.
 */
#include "flow/flow.h"

enum { FAST_OPEN_MAX = UINT16_MAX, NEAR = 1 << 24 };

static bool near(uint32_t a, uint32_t b) {
    int32_t ahead = (int32_t)(a - b);
    return ahead < NEAR && ahead > -NEAR;
}

/* 1: what this side sent, or the other acknowledged of it, is near `seq`; 0: not; -1: nothing is
 * known of it. */
static int continues(const struct weir_flow *flow, enum weir_side side, uint32_t seq) {
    if (flow_is(flow, FLOW_NXT << side)) return near(seq, flow->nxt[side]);
    if (flow_is(flow, FLOW_ACK << other(side))) return near(seq, flow->ack[other(side)]);
    return -1;
}

static bool answers_syn(const struct weir_flow *flow, const struct weir_packet *packet,
                        enum weir_side side) {
    return side == WEIR_SERVER && packet->tcp_flags & WEIR_TCP_ACK &&
           flow_is(flow, FLOW_NXT << WEIR_CLIENT) &&
           packet->tcp.ack - flow->nxt[WEIR_CLIENT] <= FAST_OPEN_MAX;
}

static bool tcp_follows(const struct weir_flow *flow, const struct weir_packet *packet,
                        enum weir_side side) {
    if (packet->tcp_flags & WEIR_TCP_SYN) return answers_syn(flow, packet, side);
    bool acks = packet->tcp_flags & WEIR_TCP_ACK;
    int sent = continues(flow, side, packet->tcp.seq),
        acked = acks ? continues(flow, other(side), packet->tcp.ack) : -1;
    if (packet->tcp_flags & WEIR_TCP_RST && acks && packet->tcp.seq == 0)
        sent = -1; /* it refuses, and has no number of its own */
    return sent != 0 && acked != 0 && sent + acked > -2;
}

static bool udp_follows(const struct weir_flow *flow, const struct weir_packet *packet,
                        enum weir_side side) {
    if (flow_is(flow, FLOW_TSVAL << side)) return flow->tsval[side] == packet->domain;
    return flow->packets[side] == 0;
}

static bool quoted_follows(const struct weir_flow *flow, const struct weir_packet *packet,
                           enum weir_side quoted) {
    if (flow->transport == WEIR_TRANSPORT_UDP) return flow->packets[quoted] != 0;
    return continues(flow, quoted, packet->icmp.quoted_seq) == 1;
}

bool domain_follows(const struct weir_flow *flow, const struct weir_packet *packet,
                    enum weir_side side) {
    switch (packet->transport) {
    case WEIR_TRANSPORT_TCP: return tcp_follows(flow, packet, side);
    case WEIR_TRANSPORT_UDP: return udp_follows(flow, packet, side);
    default: return quoted_follows(flow, packet, side);
    }
}

void domain_joined(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side) {
    if (packet->transport != WEIR_TRANSPORT_UDP || flow->packets[side]) return;
    flow->tsval[side] = packet->domain;
    flow->flags |= FLOW_TSVAL << side;
}
