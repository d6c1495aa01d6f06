/* Tunnels over UDP: VXLAN (and its Linux port), VXLAN-GPE, Geneve, GTP-U, L2TP, CAPWAP, Teredo and
 * TZSP.
 *
 * Each is a guess from a port number, which an ordinary flow may use as well: it is entered only
 * when every fixed bit, its lengths and a consistent inner IP header agree, else the outer UDP
 * packet is the packet. Most tunnels have their port at the receiver, both ways; L2TP, CAPWAP and
 * Teredo have it at one end.
 *
 * Which ids enter the domain: see tunnel.c.
 *
 * Blind spots: other ports; control messages and encrypted data (CAPWAP over DTLS, L2TP in IPsec);
 * fragments that a tunnel makes itself; cookies of L2TPv3, whose length no packet says: the reading
 * that leads to IP is taken. */
#include "walk.h"

enum tunnel_port {
    PORT_L2TP = 1701,
    PORT_GTP_U = 2152,
    PORT_TEREDO = 3544,
    PORT_VXLAN = 4789,
    PORT_VXLAN_GPE = 4790,
    PORT_CAPWAP_DATA = 5247,
    PORT_GENEVE = 6081,
    /* before it was assigned one; many overlays of containers still use it */
    PORT_VXLAN_LINUX = 8472,
    PORT_TZSP = 37008,
};
enum {
    UDP_BYTES = 8,
    VXLAN_BYTES = 8,
    GENEVE_BYTES = 8,
    GTP_BYTES = 8,
    GTP_EXTENSIONS_MAX = 8,
    TZSP_FIELDS_MAX = 64
};

/* RFC 7348: flag I set, the reserved ones clear but for the group policy draft's (G, D and A). */
static bool enter_vxlan(struct walk *walk) {
    if (walk_captured(walk) < VXLAN_BYTES || (walk->at[0] & 0x7f) != 0x08 || (walk->at[1] & 0xb7) ||
        walk->at[7])
        return false;
    uint32_t network = be32(walk->at + 4) >> 8;
    walk_skip(walk, VXLAN_BYTES);
    walk_domain(walk, DOMAIN_VNI, network);
    return walk_ethernet(walk) == WEIR_DECODE_OK;
}

/* draft-ietf-nvo3-vxlan-gpe: version 0, flag I, perhaps P, which says that the next protocol is
 * named; not O (maintenance). */
static bool enter_vxlan_gpe(struct walk *walk) {
    enum {
        INSTANCE = 0x08,
        PROTOCOL = 0x04,
        NEXT_IPV4 = 1,
        NEXT_IPV6 = 2,
        NEXT_ETHERNET = 3,
        NEXT_MPLS = 5
    };
    if (walk_captured(walk) < VXLAN_BYTES || (walk->at[0] & ~PROTOCOL & 0xff) != INSTANCE ||
        walk->at[1] || walk->at[2] || walk->at[7])
        return false;
    uint8_t next = walk->at[0] & PROTOCOL ? walk->at[3] : NEXT_ETHERNET;
    uint32_t network = be32(walk->at + 4) >> 8;
    walk_skip(walk, VXLAN_BYTES);
    walk_domain(walk, DOMAIN_VNI, network);
    switch (next) {
    case NEXT_IPV4: return walk_ethertype(walk, ETHERTYPE_IPV4) == WEIR_DECODE_OK;
    case NEXT_IPV6: return walk_ethertype(walk, ETHERTYPE_IPV6) == WEIR_DECODE_OK;
    case NEXT_ETHERNET: return walk_ethernet(walk) == WEIR_DECODE_OK;
    case NEXT_MPLS: return walk_ethertype(walk, ETHERTYPE_MPLS) == WEIR_DECODE_OK;
    default: return false;
    }
}

/* RFC 8926: version 0, length of the options in words, flags O (control: no frame of a user) and C,
 * protocol, network id. */
static bool enter_geneve(struct walk *walk) {
    enum { TRANSPARENT_ETHERNET = 0x6558, CONTROL = 0x80, RESERVED = 0x3f };
    if (walk_captured(walk) < GENEVE_BYTES || walk->at[0] >> 6 ||
        (walk->at[1] & (CONTROL | RESERVED)) || walk->at[7])
        return false;
    uint32_t network = be32(walk->at + 4) >> 8, length = GENEVE_BYTES + (walk->at[0] & 0x3fu) * 4;
    uint16_t protocol = be16(walk->at + 2);
    if (length > walk_captured(walk)) return false;
    walk_skip(walk, length);
    walk_domain(walk, DOMAIN_VNI, network);
    return (protocol == TRANSPARENT_ETHERNET ? walk_ethernet(walk)
                                             : walk_ethertype(walk, protocol)) == WEIR_DECODE_OK;
}

/* 3GPP TS 29.281: version 1, protocol type GTP, a G-PDU; any of E, S, PN adds four bytes, whose
 * last starts a chain of extension headers counted in words. */
static bool enter_gtp(struct walk *walk) {
    enum { G_PDU = 0xff, OPTIONAL_FIELDS = 0x07, EXTENSIONS = 0x04 };
    if (walk_captured(walk) < GTP_BYTES || (walk->at[0] & 0xf8) != 0x30 || walk->at[1] != G_PDU)
        return false;
    uint8_t flags = walk->at[0];
    uint32_t length = be16(walk->at + 2);
    walk_skip(walk, GTP_BYTES);
    if (length > walk_wire(walk) && !walk->outer_cut) return false;
    walk_limit(walk, length);
    if (!(flags & OPTIONAL_FIELDS)) return true;
    if (walk_captured(walk) < 4) return false;
    uint8_t next = flags & EXTENSIONS ? walk->at[3] : 0;
    walk_skip(walk, 4);
    for (unsigned n = 0; next; n++) {
        uint32_t bytes = walk_captured(walk) ? walk->at[0] * 4u : 0;
        if (bytes == 0 || bytes > walk_captured(walk) || n == GTP_EXTENSIONS_MAX) return false;
        next = walk->at[bytes - 1];
        walk_skip(walk, bytes);
    }
    return true;
}

/* RFC 2661 (version 2): flags, then length, sequence numbers and an offset as they say; then PPP.
 * Ids are each receiver's own. A control message has flag T. Version 3 has a word of its own before
 * the session (RFC 3931, 4.1.2). */
static bool enter_l2tp(struct walk *walk) {
    enum {
        CONTROL = 0x8000,
        LENGTH = 0x4000,
        SEQUENCE = 0x0800,
        OFFSET = 0x0200,
        PRIORITY = 0x0100,
        RESERVED = 0x34f0
    };
    if (walk_captured(walk) < 8) return false;
    uint16_t flags = be16(walk->at), version = flags & 0x000f;
    if (version == 3 && flags == 3 && be16(walk->at + 2) == 0) {
        walk_skip(walk, 4);
        return walk_l2tp3(walk);
    }
    if (version != 2 || flags & (CONTROL | RESERVED)) return false;
    uint32_t at = 2, length = walk_wire(walk);
    if (flags & LENGTH) {
        length = be16(walk->at + at);
        at += 2;
    }
    at += 4 + (flags & SEQUENCE ? 4 : 0);
    if (flags & OFFSET) {
        if (at + 2 > walk_captured(walk)) return false;
        at += 2u + be16(walk->at + at);
    }
    if (at > walk_captured(walk) || at > length || (length > walk_wire(walk) && !walk->outer_cut))
        return false;
    walk_limit(walk, length);
    walk_skip(walk, at);
    return walk_ppp_framed(walk) == WEIR_DECODE_OK;
}

/* RFC 5415, 4.3: a preamble of 0, the header's length in words, flags; then an Ethernet frame or,
 * with T, one of the radio (RFC 5416). Keep-alives and fragments but the first hold no frame's
 * beginning. */
static bool enter_capwap(struct walk *walk) {
    enum { BINDING_WIFI = 1, FRAGMENT = 0x80, KEEP_ALIVE = 0x08, OFFSET = 0xfff8 };
    if (walk_captured(walk) < 8 || walk->at[0] != 0) return false;
    uint32_t length = (walk->at[1] >> 3) * 4u;
    bool native = walk->at[2] & 1, fragment = walk->at[3] & FRAGMENT;
    if (length < 8 || length > walk_captured(walk) || walk->at[3] & KEEP_ALIVE ||
        (fragment && be16(walk->at + 6) & OFFSET))
        return false;
    if (native && (walk->at[2] >> 1 & 0x1f) != BINDING_WIFI) return false;
    walk->outer_cut |= fragment;
    walk_skip(walk, length);
    return (native ? walk_wifi(walk) : walk_ethernet(walk)) == WEIR_DECODE_OK;
}

/* RFC 4380: perhaps an authentication and an origin indication, then IPv6 of which one end is a
 * Teredo address. */
static bool enter_teredo(struct walk *walk) {
    enum { ORIGIN = 0, AUTHENTICATION = 1, ORIGIN_BYTES = 8, IPV6_BYTES = 40, PREFIX = 0x20010000 };
    for (unsigned n = 0; n < 2 && walk_captured(walk) >= ORIGIN_BYTES && walk->at[0] == 0; n++) {
        uint32_t length =
            walk->at[1] == AUTHENTICATION ? 13u + walk->at[2] + walk->at[3] : ORIGIN_BYTES;
        if (walk->at[1] > AUTHENTICATION || length > walk_captured(walk)) return false;
        walk_skip(walk, length);
    }
    walk->ip_version = 6;
    return walk_captured(walk) >= IPV6_BYTES &&
           (be32(walk->at + 8) == PREFIX || be32(walk->at + 24) == PREFIX);
}

/* TaZmen Sniffer Protocol, as Wireshark and MikroTik have it: version 1, a packet received or to be
 * sent, the link, then tagged fields up to an end, and the frame. */
static bool enter_tzsp(struct walk *walk) {
    enum {
        VERSION = 1,
        TO_SEND = 1,
        LINK_ETHERNET = 1,
        LINK_WIFI = 18,
        FIELD_PADDING = 0,
        FIELD_END = 1
    };
    if (walk_captured(walk) < 5 || walk->at[0] != VERSION || walk->at[1] > TO_SEND) return false;
    uint16_t link = be16(walk->at + 2);
    walk_skip(walk, 4);
    for (unsigned n = 0; n < TZSP_FIELDS_MAX && walk_captured(walk) >= 2; n++) {
        uint8_t field = walk->at[0];
        uint32_t length = field <= FIELD_END ? 1 : 2u + walk->at[1];
        if (length > walk_captured(walk)) return false;
        walk_skip(walk, length);
        if (field == FIELD_END)
            return (link == LINK_ETHERNET ? walk_ethernet(walk)
                    : link == LINK_WIFI   ? walk_wifi(walk)
                                          : WEIR_DECODE_LINK_UNKNOWN) == WEIR_DECODE_OK;
    }
    return false;
}

typedef bool (*entrance)(struct walk *walk);

static entrance entrance_at(uint16_t port) {
    switch (port) {
    case PORT_L2TP: return enter_l2tp;
    case PORT_TEREDO: return enter_teredo;
    case PORT_CAPWAP_DATA: return enter_capwap;
    default: return NULL;
    }
}

static entrance entrance_of(uint16_t src_port, uint16_t dst_port) {
    switch (dst_port) {
    case PORT_GTP_U: return enter_gtp;
    case PORT_VXLAN:
    case PORT_VXLAN_LINUX: return enter_vxlan;
    case PORT_VXLAN_GPE: return enter_vxlan_gpe;
    case PORT_GENEVE: return enter_geneve;
    case PORT_TZSP: return enter_tzsp;
    default: {
        entrance at_receiver = entrance_at(dst_port);
        return at_receiver ? at_receiver : entrance_at(src_port);
    }
    }
}

/* A guess, made on copies; it stands once the inner IP header is read and consistent. */
int walk_udp_tunnel(struct walk *walk, struct ip_header *ip, bool *ret_inner) {
    if (walk_captured(walk) < UDP_BYTES) return WEIR_DECODE_OK;
    entrance enter = entrance_of(be16(walk->at), be16(walk->at + 2));
    if (!enter) return WEIR_DECODE_OK;
    struct walk guess = *walk;
    struct ip_header guess_ip;
    uint32_t udp_len = be16(walk->at + 4);
    bool plausible = udp_len
                         ? udp_len >= UDP_BYTES && (udp_len <= walk_wire(walk) || walk->outer_cut)
                         : ip->length_unsaid;
    if (!plausible) /* read_transport() refuses it */
        return WEIR_DECODE_OK;
    if (udp_len && udp_len < walk_wire(&guess)) walk_limit(&guess, udp_len);
    walk_skip(&guess, UDP_BYTES);
    guess.ip_version = 0;
    guess.mac = NULL;
    if (!enter(&guess)) return WEIR_DECODE_OK;
    int outcome = walk_ip(&guess, &guess_ip);
    if (outcome && outcome != WEIR_DECODE_FRAGMENT) return WEIR_DECODE_OK;
    if (!outcome) outcome = walk_deeper(&guess);
    *walk = guess;
    *ip = guess_ip;
    *ret_inner = true;
    return outcome;
}
