/* Tunnels: IP in IP, GRE, MPLS in IP, and over UDP VXLAN, Geneve and GTP-U.
 *
 * A tunnel with an IP protocol number of its own is what it says: when its inside cannot be read, that is
 * the outcome. A UDP tunnel is a guess from the destination port, which an ordinary flow may use as well:
 * it is entered only when every fixed bit, its length and a consistent inner IP header agree, else the
 * outer UDP packet is the packet.
 *
 * Which ids enter the domain: only those that both directions of a conversation carry alike. A VXLAN or
 * Geneve network id does (as VLAN ids in link.c). A GTP TEID and a GRE key are chosen by each receiver for
 * itself, and MPLS labels too: mixing them in would make two one-sided flows of each conversation. PPPoE
 * session ids are left out as well, since a new session may go on with the old address and flows.
 *
 * Blind spots: one-way VLANs and asymmetric VXLAN routing (each side sends in its own network's id) still
 * split a conversation; VXLAN and Geneve on ports other than their own; customers with overlapping addresses told apart
 * only by a GRE key, TEID or label meet in one domain. */
#include "walk.h"

enum {
    PORT_GTP_U = 2152,
    PORT_VXLAN = 4789,
    PORT_GENEVE = 6081,
    UDP_BYTES = 8,
    VXLAN_BYTES = 8,
    GENEVE_BYTES = 8,
    GTP_BYTES = 8,
    GTP_EXTENSIONS_MAX = 8,
};

/* RFC 2784 with the key and sequence number of RFC 2890. Version 1 is PPTP, whose PPP frames are encrypted
 * as a rule. */
static int enter_gre(struct walk *walk)
{
    enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000, VERSION = 0x0007 };
    if (walk_captured(walk) < 4)
        return walk_wire(walk) < 4 ? WEIR_DECODE_TUNNEL_MALFORMED : WEIR_DECODE_TRANSPORT_CUT;
    uint16_t flags = be16(walk->at), ethertype = be16(walk->at + 2);
    if ((flags & VERSION) == 1)
        return WEIR_DECODE_NOT_TRANSPORT;
    if (flags & (VERSION | ROUTING))
        return WEIR_DECODE_TUNNEL_MALFORMED;
    uint32_t length = 4 + (flags & CHECKSUM ? 4 : 0) + (flags & KEY ? 4 : 0) + (flags & SEQUENCE ? 4 : 0);
    if (length > walk_wire(walk))
        return WEIR_DECODE_TUNNEL_MALFORMED;
    if (length > walk_captured(walk))
        return WEIR_DECODE_TRANSPORT_CUT;
    walk_skip(walk, length);
    if (ethertype < 0x0600) /* 0 is a keep-alive; no lengths here, so LLC cannot follow */
        return WEIR_DECODE_NOT_TRANSPORT;
    return walk_ethertype(walk, ethertype);
}

/* RFC 7348: flag I set, the reserved ones clear but for the group policy draft's (G, D and A). */
static bool enter_vxlan(struct walk *walk)
{
    if (walk_captured(walk) < VXLAN_BYTES || (walk->at[0] & 0x7f) != 0x08 || (walk->at[1] & 0xb7) || walk->at[7])
        return false;
    uint32_t network = be32(walk->at + 4) >> 8;
    walk_skip(walk, VXLAN_BYTES);
    walk_domain(walk, DOMAIN_VNI, network);
    return walk_ethernet(walk) == WEIR_DECODE_OK;
}

/* RFC 8926: version 0, length of the options in words, flags O (control: no frame of a user) and C, protocol, network id. */
static bool enter_geneve(struct walk *walk)
{
    enum { TRANSPARENT_ETHERNET = 0x6558, CONTROL = 0x80, RESERVED = 0x3f };
    if (walk_captured(walk) < GENEVE_BYTES || walk->at[0] >> 6 || (walk->at[1] & (CONTROL | RESERVED)) || walk->at[7])
        return false;
    uint32_t network = be32(walk->at + 4) >> 8, length = GENEVE_BYTES + (walk->at[0] & 0x3fu) * 4;
    uint16_t protocol = be16(walk->at + 2);
    if (length > walk_captured(walk))
        return false;
    walk_skip(walk, length);
    walk_domain(walk, DOMAIN_VNI, network);
    return (protocol == TRANSPARENT_ETHERNET ? walk_ethernet(walk) : walk_ethertype(walk, protocol)) == WEIR_DECODE_OK;
}

/* 3GPP TS 29.281: version 1, protocol type GTP, a G-PDU; any of E, S, PN adds four bytes, whose last
 * starts a chain of extension headers counted in words. */
static bool enter_gtp(struct walk *walk)
{
    enum { G_PDU = 0xff, OPTIONAL_FIELDS = 0x07, EXTENSIONS = 0x04 };
    if (walk_captured(walk) < GTP_BYTES || (walk->at[0] & 0xf8) != 0x30 || walk->at[1] != G_PDU)
        return false;
    uint8_t flags = walk->at[0];
    uint32_t length = be16(walk->at + 2);
    walk_skip(walk, GTP_BYTES);
    if (length > walk_wire(walk) && !walk->outer_cut)
        return false;
    walk_limit(walk, length);
    if (!(flags & OPTIONAL_FIELDS))
        return true;
    if (walk_captured(walk) < 4)
        return false;
    uint8_t next = flags & EXTENSIONS ? walk->at[3] : 0;
    walk_skip(walk, 4);
    for (unsigned n = 0; next; n++) {
        uint32_t bytes = walk_captured(walk) ? walk->at[0] * 4u : 0;
        if (bytes == 0 || bytes > walk_captured(walk) || n == GTP_EXTENSIONS_MAX)
            return false;
        next = walk->at[bytes - 1];
        walk_skip(walk, bytes);
    }
    return true;
}

static bool is_tunnel_port(uint16_t port)
{
    return port == PORT_VXLAN || port == PORT_GENEVE || port == PORT_GTP_U;
}

/* A guess, made on copies; it stands once the inner IP header is read and consistent. */
static int walk_udp_tunnel(struct walk *walk, struct ip_header *ip, bool *ret_inner)
{
    struct walk guess = *walk;
    struct ip_header guess_ip;
    uint16_t port = be16(walk->at + 2);
    uint32_t udp_len = be16(walk->at + 4);
    bool plausible = udp_len ? udp_len >= UDP_BYTES && (udp_len <= walk_wire(walk) || walk->outer_cut) : ip->length_unsaid;
    if (!plausible) /* read_transport() refuses it */
        return WEIR_DECODE_OK;
    if (udp_len && udp_len < walk_wire(&guess))
        walk_limit(&guess, udp_len);
    walk_skip(&guess, UDP_BYTES);
    guess.ip_version = 0;
    if (!(port == PORT_VXLAN  ? enter_vxlan(&guess) :
          port == PORT_GENEVE ? enter_geneve(&guess) :
                                enter_gtp(&guess)))
        return WEIR_DECODE_OK;
    int outcome = walk_ip(&guess, &guess_ip);
    if (outcome && outcome != WEIR_DECODE_FRAGMENT)
        return WEIR_DECODE_OK;
    if (!outcome)
        outcome = walk_deeper(&guess);
    *walk = guess;
    *ip = guess_ip;
    *ret_inner = true;
    return outcome;
}

static int walk_inner_ip(struct walk *walk, struct ip_header *ip, int entered, bool *ret_inner)
{
    if (entered)
        return entered;
    *ret_inner = true;
    return walk_ip(walk, ip);
}

static int enter_ip(struct walk *walk, uint8_t version)
{
    walk->ip_version = version;
    return WEIR_DECODE_OK;
}

int walk_tunnel(struct walk *walk, struct ip_header *ip, bool *ret_inner)
{
    *ret_inner = false;
    switch (ip->protocol) {
    case PROTOCOL_UDP:
        if (walk_captured(walk) < UDP_BYTES || !is_tunnel_port(be16(walk->at + 2)))
            return WEIR_DECODE_OK;
        return walk_udp_tunnel(walk, ip, ret_inner);
    case PROTOCOL_IPV4:
    case PROTOCOL_IPV6:
    case PROTOCOL_GRE:
    case PROTOCOL_MPLS:
        break;
    default:
        return WEIR_DECODE_OK;
    }
    if (walk_deeper(walk))
        return WEIR_DECODE_TUNNEL_DEPTH;
    int entered = ip->protocol == PROTOCOL_GRE    ? enter_gre(walk)
                  : ip->protocol == PROTOCOL_MPLS ? walk_ethertype(walk, ETHERTYPE_MPLS)
                                                  : enter_ip(walk, ip->protocol == PROTOCOL_IPV4 ? 4 : 6);
    return walk_inner_ip(walk, ip, entered, ret_inner);
}
