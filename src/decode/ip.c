/* IP headers: version 4 with options, version 6 with extension headers, and which bytes are theirs.
 *
 * The header's length counts, not the frame's: what is behind it is Ethernet padding, what is
 * missing was not captured. A length of 0 is a super-packet that an offload made (IPv4 TSO, IPv6
 * jumbogram): then the frame's length counts. A length beyond the wire is a lie, with one
 * exception: inside a tunnel whose outer packet is the first of several fragments, the rest simply
 * travels in another frame. */
#include "walk.h"

enum {
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    IPV6_EXTENSIONS_MAX = 10, /* RFC 8200 knows six, destination options twice */
};

/* A packet on the wire, or the start of one inside an ICMP error: hosts are known to quote the
 * length field in their own byte order or without the header, so that there it is not read at all.
 */
enum length_rule { LENGTH_CHECKED, LENGTH_QUOTED };

static int length_apply(struct walk *walk, uint32_t length, enum length_rule rule) {
    if (rule == LENGTH_QUOTED) return WEIR_DECODE_OK;
    if (length > walk_wire(walk) && !walk->outer_cut) return WEIR_DECODE_IP_TOTAL_LEN;
    walk_limit(walk, length);
    return WEIR_DECODE_OK;
}

/* Authentication header (RFC 4302): the next protocol, a length in words less two. */
static int pass_authentication(struct walk *walk, struct ip_header *ip, int malformed) {
    if (walk_wire(walk) < 12) return malformed;
    if (walk_captured(walk) < 12) return WEIR_DECODE_IP_CUT;
    uint32_t length = (walk->at[1] + 2u) * 4;
    if (length < 12 || length > walk_wire(walk)) return malformed;
    if (length > walk_captured(walk)) return WEIR_DECODE_IP_CUT;
    ip->protocol = walk->at[0];
    walk_skip(walk, length);
    return WEIR_DECODE_OK;
}

static int walk_ip4(struct walk *walk, struct ip_header *ip, enum length_rule rule) {
    if (walk_captured(walk) < IPV4_BYTES) return WEIR_DECODE_IP_CUT;
    const uint8_t *header = walk->at;
    uint32_t header_len = (header[0] & 0x0fu) * 4;
    uint32_t total_len = be16(header + 2);
    if (header_len < IPV4_BYTES || header_len > walk_wire(walk)) return WEIR_DECODE_IP_HEADER_LEN;
    ip->length_unsaid = total_len == 0;
    if (ip->length_unsaid) total_len = walk_wire(walk);
    if (total_len < header_len && rule == LENGTH_CHECKED) return WEIR_DECODE_IP_TOTAL_LEN;
    int outcome = length_apply(walk, total_len, rule);
    if (outcome) return outcome;
    if (walk_captured(walk) < header_len) return WEIR_DECODE_IP_CUT;

    uint16_t fragment = be16(header + 6);
    ip->version = 4;
    ip->src = header + 12;
    ip->dst = header + 16;
    ip->ttl = header[8];
    ip->protocol = header[9];
    ip->id = be16(header + 4);
    ip->first_fragment = fragment & 0x2000;
    walk_skip(walk, header_len);
    if (fragment & 0x1fff) return WEIR_DECODE_FRAGMENT;
    return ip->protocol == PROTOCOL_AH ? pass_authentication(walk, ip, WEIR_DECODE_IP_HEADER_LEN)
                                       : WEIR_DECODE_OK;
}

/* Next protocol, reserved, offset of 13 bits with the more-fragments flag, identification. Offset 0
 * and no more to come is an atomic fragment (RFC 6946): a whole packet. */
static int pass_fragment(struct walk *walk, struct ip_header *ip) {
    uint16_t fragment = be16(walk->at + 2);
    ip->protocol = walk->at[0];
    ip->first_fragment = fragment & 1;
    walk_skip(walk, 8);
    return fragment & 0xfff8 ? WEIR_DECODE_FRAGMENT : WEIR_DECODE_OK;
}

static int pass_extension(struct walk *walk, struct ip_header *ip) {
    if (ip->protocol == PROTOCOL_AH)
        return pass_authentication(walk, ip, WEIR_DECODE_IP6_EXTENSION);
    if (walk_wire(walk) < 8) return WEIR_DECODE_IP6_EXTENSION;
    if (walk_captured(walk) < 8) return WEIR_DECODE_IP_CUT;
    if (ip->protocol == PROTOCOL_FRAGMENT) return pass_fragment(walk, ip);
    uint32_t length = (walk->at[1] + 1u) * 8;
    if (length > walk_wire(walk)) return WEIR_DECODE_IP6_EXTENSION;
    if (length > walk_captured(walk)) return WEIR_DECODE_IP_CUT;
    ip->protocol = walk->at[0];
    walk_skip(walk, length);
    return WEIR_DECODE_OK;
}

static bool is_extension(uint8_t protocol) {
    return protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_ROUTING ||
           protocol == PROTOCOL_FRAGMENT || protocol == PROTOCOL_DESTINATION ||
           protocol == PROTOCOL_AH;
}

static int walk_ip6(struct walk *walk, struct ip_header *ip, enum length_rule rule) {
    if (walk_captured(walk) < IPV6_BYTES) return WEIR_DECODE_IP_CUT;
    const uint8_t *header = walk->at;
    uint32_t payload_len = be16(header + 4);
    ip->version = 6;
    ip->src = header + 8;
    ip->dst = header + 24;
    ip->ttl = header[7];
    ip->protocol = header[6];
    ip->id = 0;
    ip->first_fragment = false;
    ip->length_unsaid = payload_len == 0;
    walk_skip(walk, IPV6_BYTES);
    if (ip->length_unsaid) payload_len = walk_wire(walk);
    int outcome = length_apply(walk, payload_len, rule);
    for (unsigned n = 0; !outcome && is_extension(ip->protocol); n++)
        outcome = n < IPV6_EXTENSIONS_MAX ? pass_extension(walk, ip) : WEIR_DECODE_IP6_EXTENSION;
    return outcome;
}

static int walk_ip_by(struct walk *walk, struct ip_header *ip, enum length_rule rule) {
    if (walk_captured(walk) < 1) return WEIR_DECODE_IP_CUT;
    uint8_t version = walk->at[0] >> 4;
    if (walk->ip_version && walk->ip_version != version) return WEIR_DECODE_IP_VERSION;
    if (version == 4) return walk_ip4(walk, ip, rule);
    if (version == 6) return walk_ip6(walk, ip, rule);
    return WEIR_DECODE_IP_VERSION;
}

int walk_ip(struct walk *walk, struct ip_header *ip) {
    int outcome = walk_ip_by(walk, ip, LENGTH_CHECKED);
    walk->outer_cut |= !outcome && ip->first_fragment;
    return outcome;
}

int walk_ip_quoted(struct walk *walk, struct ip_header *ip) {
    return walk_ip_by(walk, ip, LENGTH_QUOTED);
}
