/* Tunnels with an IP protocol number of their own: IP in IP, GRE (and the mirror ports' ERSPAN in
 * it), MPLS, L2TPv3. Those over UDP are in tunnel_udp.c.
 *
 * Such a tunnel is what it says: when its inside cannot be read, that is the outcome.
 *
 * Which ids enter the domain: only those that both directions of a conversation carry alike. A
 * VXLAN or Geneve network id does (as VLAN ids in link.c). A GTP TEID and a GRE key are chosen by
 * each receiver for itself, and MPLS labels too: mixing them in would make two one-sided flows of
 * each conversation. PPPoE session ids are left out as well, since a new session may go on with the
 * old address and flows.
 *
 * Blind spots: customers with overlapping addresses told apart only by a GRE key, TEID or label
 * meet in one domain. Ids that differ by direction make two domains of a conversation, which flow
 * joins again (src/flow/domain.c).
 */
#include "walk.h"

/* What a mirror port sends (draft-foschiano-erspan). Type I has no header of its own, II has 8
 * bytes, III 12 and perhaps 8 more; the GRE header says which. Where the mirror cut the frame, its
 * inner lengths go beyond it. */
static int enter_erspan(struct walk *walk, bool with_sequence, bool third) {
    enum { TRUNCATED = 0x0400, SUBHEADER = 0x01, FRAME_TYPE_ETHERNET = 0, FRAME_TYPE_IP = 2 };
    if (!third && !with_sequence) return walk_ethernet(walk);
    uint32_t length = third ? 12 : 8;
    if (walk_wire(walk) < length) return WEIR_DECODE_TUNNEL_MALFORMED;
    if (walk_captured(walk) < length) return WEIR_DECODE_TRANSPORT_CUT;
    const uint8_t *at = walk->at;
    if (at[0] >> 4 != (third ? 2 : 1)) return WEIR_DECODE_TUNNEL_MALFORMED;
    walk->outer_cut |= (be16(at + 2) & TRUNCATED) != 0;
    uint8_t frame_type = third ? be16(at + 10) >> 10 & 0x1f : FRAME_TYPE_ETHERNET;
    length += third && at[11] & SUBHEADER ? 8 : 0;
    if (walk_captured(walk) < length)
        return walk_wire(walk) < length ? WEIR_DECODE_TUNNEL_MALFORMED : WEIR_DECODE_TRANSPORT_CUT;
    walk_skip(walk, length);
    if (frame_type == FRAME_TYPE_IP) {
        walk->ip_version = 0;
        return WEIR_DECODE_OK;
    }
    return frame_type == FRAME_TYPE_ETHERNET ? walk_ethernet(walk) : WEIR_DECODE_NOT_IP;
}

/* RFC 2784 with the key and sequence number of RFC 2890. Version 1 is PPTP, whose PPP frames are
 * encrypted as a rule. */
static int enter_gre(struct walk *walk) {
    enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000, VERSION = 0x0007 };
    if (walk_captured(walk) < 4)
        return walk_wire(walk) < 4 ? WEIR_DECODE_TUNNEL_MALFORMED : WEIR_DECODE_TRANSPORT_CUT;
    uint16_t flags = be16(walk->at), ethertype = be16(walk->at + 2);
    if ((flags & VERSION) == 1) return WEIR_DECODE_NOT_TRANSPORT;
    if (flags & (VERSION | ROUTING)) return WEIR_DECODE_TUNNEL_MALFORMED;
    uint32_t length =
        4 + (flags & CHECKSUM ? 4 : 0) + (flags & KEY ? 4 : 0) + (flags & SEQUENCE ? 4 : 0);
    if (length > walk_wire(walk)) return WEIR_DECODE_TUNNEL_MALFORMED;
    if (length > walk_captured(walk)) return WEIR_DECODE_TRANSPORT_CUT;
    walk_skip(walk, length);
    if (ethertype == ETHERTYPE_ERSPAN || ethertype == ETHERTYPE_ERSPAN_3)
        return enter_erspan(walk, flags & SEQUENCE, ethertype == ETHERTYPE_ERSPAN_3);
    if (ethertype < 0x0600) /* 0 is a keep-alive; no lengths here, so LLC cannot follow */
        return WEIR_DECODE_NOT_TRANSPORT;
    return walk_ethertype(walk, ethertype);
}

/* A session of L2TPv3 (RFC 3931): its id, a cookie of 0, 4 or 8 bytes, perhaps 4 bytes of
 * numbering, and a frame of whatever link was agreed on. Nothing in the packet says which: the
 * first reading that leads to IP is taken. False: none does. */
bool walk_l2tp3(struct walk *walk) {
    enum { SESSION_BYTES = 4, BETWEEN_MAX = 12, PPP_BYTES = 4 };
    if (walk_captured(walk) < SESSION_BYTES || be32(walk->at) == 0) /* 0: a control message */
        return false;
    const uint8_t *frame = walk->at + SESSION_BYTES;
    uint32_t left = walk_captured(walk) - SESSION_BYTES;
    for (uint32_t between = 0; between <= BETWEEN_MAX && left > between + ETHERNET_BYTES;
         between += 4) {
        const uint8_t *at = frame + between;
        if (at[0] == 0xff && at[1] == 3 && at[2] == 0 && (at[3] == 0x21 || at[3] == 0x57)) {
            walk_skip(walk, SESSION_BYTES + between + PPP_BYTES);
            walk->ip_version = at[3] == 0x21 ? 4 : 6;
            return true;
        }
        uint16_t ethertype = be16(at + 12);
        uint8_t version = at[ETHERNET_BYTES] >> 4;
        bool agrees = ethertype == ETHERTYPE_IPV4   ? version == 4
                      : ethertype == ETHERTYPE_IPV6 ? version == 6
                                                    : true;
        if (!ethertype_carries_ip(ethertype) || !agrees) continue;
        walk_skip(walk, SESSION_BYTES + between);
        return walk_ethernet(walk) == WEIR_DECODE_OK;
    }
    return false;
}

/* The protocol number says L2TP, but not what is in it: where that cannot be read the packet is
 * none that weir measures. */
static int walk_l2tp_over_ip(struct walk *walk, struct ip_header *ip, bool *ret_inner) {
    struct walk guess = *walk;
    struct ip_header guess_ip;
    guess.mac = NULL;
    if (!walk_l2tp3(&guess)) return WEIR_DECODE_OK;
    int outcome = walk_ip(&guess, &guess_ip);
    if (outcome && outcome != WEIR_DECODE_FRAGMENT) return WEIR_DECODE_OK;
    if (!outcome) outcome = walk_deeper(&guess);
    *walk = guess;
    *ip = guess_ip;
    *ret_inner = true;
    return outcome;
}

static int walk_inner_ip(struct walk *walk, struct ip_header *ip, int entered, bool *ret_inner) {
    if (entered) return entered;
    *ret_inner = true;
    return walk_ip(walk, ip);
}

static int enter_ip(struct walk *walk, uint8_t version) {
    walk->ip_version = version;
    return WEIR_DECODE_OK;
}

int walk_tunnel(struct walk *walk, struct ip_header *ip, bool *ret_inner) {
    *ret_inner = false;
    switch (ip->protocol) {
    case PROTOCOL_UDP: return walk_udp_tunnel(walk, ip, ret_inner);
    case PROTOCOL_L2TP: return walk_l2tp_over_ip(walk, ip, ret_inner);
    case PROTOCOL_IPV4:
    case PROTOCOL_IPV6:
    case PROTOCOL_GRE:
    case PROTOCOL_MPLS: break;
    default: return WEIR_DECODE_OK;
    }
    if (walk_deeper(walk)) return WEIR_DECODE_TUNNEL_DEPTH;
    walk->mac = NULL;
    int entered = ip->protocol == PROTOCOL_GRE ? enter_gre(walk)
                  : ip->protocol == PROTOCOL_MPLS
                      ? walk_ethertype(walk, ETHERTYPE_MPLS)
                      : enter_ip(walk, ip->protocol == PROTOCOL_IPV4 ? 4 : 6);
    return walk_inner_ip(walk, ip, entered, ret_inner);
}
