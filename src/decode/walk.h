/* The walk of one frame from its link header inwards, shared by the files of the packet path.
 *
 *      frame: | link | tags | IP | tunnel | ... | IP | TCP | payload | padding |
 *                                           ^at
 *             |<-- passed ---------------->|<-- captured -->|<-- uncaptured ->|
 *                                                            ^end
 *                                          |<-- wire ------------------------>|
 *
 * `wire` is what the frame, and after each IP header that header, says is there; `captured` is the
 * part of it at hand. Every step checks both: bytes that were not captured are "cut" (the packet
 * may be fine), bytes that are not there at all are a packet that lies. Passing a header moves only
 * `at`. */
#pragma once

#include <weir/decode.h>

/* Tags, labels and tunnels around one packet. Segment routing stacks some ten labels; more is a
 * loop. */
enum { WALK_DEPTH_MAX = 16 };

struct walk {
    const uint8_t *at, *end; /* the readable bytes */
    /* source address of the last Ethernet header, NULL: none around this packet */
    const uint8_t *mac;
    uint32_t uncaptured; /* bytes of the packet behind `end` */
    uint32_t domain;     /* see decode.h */
    uint8_t depth;       /* tags, labels and tunnels passed, bounded */
    uint8_t ip_version;  /* of the packet at `at`: 4, 6, or 0 when only its first nibble says */
    /* an outer IP packet is a first fragment: inner lengths may go beyond `wire` */
    bool outer_cut;
};

/* One IP header (with its extension headers); the walk stands behind it. */
struct ip_header {
    const uint8_t *src, *dst; /* 4 or 16 bytes by version */
    uint8_t version;
    uint8_t protocol; /* of what follows the last header understood */
    uint8_t ttl;
    bool first_fragment; /* of several */
    /* the length field was 0, as in super-packets of offloads: the wire's was used */
    bool length_unsaid;
    uint16_t id;
};

enum { LINKTYPE_ETHERNET = 1, ETHERNET_BYTES = 14, MAC_OFFSET = 6, MAC_BYTES = 6 };
enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_ERSPAN = 0x88be,
    ETHERTYPE_ERSPAN_3 = 0x22eb
};

enum ip_protocol {
    PROTOCOL_HOP_BY_HOP = 0,
    PROTOCOL_ICMP = 1,
    PROTOCOL_IPV4 = 4,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_IPV6 = 41,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_GRE = 47,
    PROTOCOL_AH = 51,
    PROTOCOL_ICMPV6 = 58,
    PROTOCOL_DESTINATION = 60,
    PROTOCOL_L2TP = 115,
    PROTOCOL_MPLS = 137,
};

static inline uint16_t be16(const uint8_t *b) { return (uint16_t)(b[0] << 8 | b[1]); }

static inline uint32_t be32(const uint8_t *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint32_t walk_captured(const struct walk *walk) {
    return (uint32_t)(walk->end - walk->at);
}

static inline uint32_t walk_wire(const struct walk *walk) {
    return walk_captured(walk) + walk->uncaptured;
}

/* The caller has checked that `length` bytes are captured. */
static inline void walk_skip(struct walk *walk, uint32_t length) { walk->at += length; }

/* The packet ends after `length` bytes: what follows is padding. */
static inline void walk_limit(struct walk *walk, uint32_t length) {
    uint32_t captured = walk_captured(walk);
    walk->uncaptured = length > captured ? length - captured : 0;
    if (length < captured) walk->end = walk->at + length;
}

/* One more tag, label or tunnel. */
static inline int walk_deeper(struct walk *walk) {
    return walk->depth++ < WALK_DEPTH_MAX ? WEIR_DECODE_OK : WEIR_DECODE_TUNNEL_DEPTH;
}

enum domain_kind { DOMAIN_VLAN = 1, DOMAIN_VNI = 2 };
void walk_domain(struct walk *walk, enum domain_kind kind, uint32_t id);

/* All return WEIR_DECODE_OK or the outcome that ends the walk. */

/* link.c: from the start of a frame, an Ethernet header, or behind an Ethernet type, to an IP
 * packet. */
int walk_link(struct walk *walk, uint16_t linktype);
int walk_ethernet(struct walk *walk);
int walk_ethertype(struct walk *walk, uint16_t ethertype);
int walk_ppp_framed(struct walk *walk); /* with the bytes ff 03 or without */
int walk_wifi(struct walk *walk);       /* IEEE 802.11 */
/* Types that make a reading of a frame whose beginning is a guess plausible. */
bool ethertype_carries_ip(uint16_t ethertype);

/* ip.c: passes one IP header and what extends it. */
int walk_ip(struct walk *walk, struct ip_header *ret_ip);
/* The same for the packet that an ICMP error quotes: only the start of it is there, so that its
 * length is not checked. */
int walk_ip_quoted(struct walk *walk, struct ip_header *ret_ip);

/* tunnel_udp.c and tunnel.c: the same for what is over UDP; a session of L2TPv3, false where it
 * cannot be read. */
int walk_udp_tunnel(struct walk *walk, struct ip_header *ip, bool *ret_inner);
bool walk_l2tp3(struct walk *walk);
/* tunnel.c: when `ip` carries a tunnel that can be read, passes it and the inner IP header, sets
 * *ret_inner, and `ip` is the inner header. Otherwise changes nothing: the packet at hand is the
 * one. */
int walk_tunnel(struct walk *walk, struct ip_header *ip, bool *ret_inner);

/* decode.c: the addresses of a header, IPv4 mapped. */
void ip_addresses(const struct ip_header *ip, struct weir_addr *ret_src, struct weir_addr *ret_dst);

/* transport.c: fills the ports, the lengths, the payload and the transport header of `packet`. */
int read_transport(const struct walk *walk, const struct ip_header *ip, struct weir_packet *packet);
