/* Transport headers: TCP with its options, UDP, and the ICMP errors that quote a packet of a flow.
 *
 * The fixed header must have been captured, options may be cut: then those at hand are read and
 * `options_cut` says that others may be missing. The payload's length is what the IP header (UDP:
 * the shorter of both) says; `payload_captured` bytes of it can be read. */
#include <string.h>

#include "walk.h"

enum {
    TCP_BYTES = 20,
    UDP_BYTES = 8,
    ICMP_BYTES = 8,
    WINDOW_SCALE_MAX = 14, /* RFC 7323, 2.3: larger means 14 */
};

/* The payload begins `header_len` bytes into the transport part, which is `length` bytes long. */
static void payload_write(struct weir_packet *packet, const struct walk *walk, uint32_t header_len,
                          uint32_t length) {
    uint32_t captured = walk_captured(walk) < length ? walk_captured(walk) : length;
    packet->payload_len = length - header_len;
    packet->payload_captured = captured > header_len ? captured - header_len : 0;
    packet->payload = walk->at + (captured < header_len ? captured : header_len);
}

static bool tcp_option_read(const uint8_t *option, uint8_t length, struct weir_packet *packet) {
    enum { MSS = 2, WINDOW_SCALE = 3, SACK_PERMITTED = 4, SACK = 5, TIMESTAMPS = 8 };
    switch (option[0]) {
    case MSS:
        if (length != 4) return false;
        packet->tcp.mss = be16(option + 2);
        return true;
    case WINDOW_SCALE:
        if (length != 3) return false;
        packet->tcp.window_scale = option[2] > WINDOW_SCALE_MAX ? WINDOW_SCALE_MAX : option[2];
        packet->tcp.has_window_scale = true;
        return true;
    case SACK_PERMITTED: packet->tcp.sack_permitted = length == 2; return length == 2;
    case SACK:
        if (length < 10 || (length - 2) % 8) return false;
        packet->tcp.sack_left = be32(option + 2);
        packet->tcp.sack_right = be32(option + 6);
        packet->tcp.has_sack = true;
        return true;
    case TIMESTAMPS:
        if (length != 10) return false;
        packet->tcp.tsval = be32(option + 2);
        packet->tcp.tsecr = be32(option + 6);
        packet->tcp.has_timestamps = true;
        return true;
    default: return true;
    }
}

/* Returns whether the options were malformed; `length` bytes are at hand. */
static bool tcp_options_read(const uint8_t *option, uint32_t length, struct weir_packet *packet) {
    enum { END = 0, NOP = 1 };
    while (length) {
        if (option[0] == END) return false;
        if (option[0] == NOP) {
            option++;
            length--;
            continue;
        }
        if (length < 2 || option[1] < 2 || option[1] > length ||
            !tcp_option_read(option, option[1], packet))
            return true;
        uint8_t bytes = option[1];
        option += bytes;
        length -= bytes;
    }
    return false;
}

static void tcp_all_options_read(const uint8_t *tcp, uint32_t captured, uint32_t header_len,
                                 struct weir_packet *packet) {
    enum { ONLY_TIMESTAMPS = 0x0101080a, TIMESTAMPED_BYTES = 32 };
    packet->tcp.mss = 0;
    packet->tcp.window_scale = 0;
    packet->tcp.has_timestamps = false;
    packet->tcp.has_window_scale = false;
    packet->tcp.has_sack = false;
    packet->tcp.sack_permitted = false;
    packet->tcp.options_cut = captured < header_len;
    if (header_len == TIMESTAMPED_BYTES && captured >= header_len &&
        be32(tcp + TCP_BYTES) == ONLY_TIMESTAMPS) {
        packet->tcp.tsval = be32(tcp + TCP_BYTES + 4);
        packet->tcp.tsecr = be32(tcp + TCP_BYTES + 8);
        packet->tcp.has_timestamps = true;
        return;
    }
    uint32_t at_hand = captured < header_len ? captured : header_len;
    packet->tcp.options_cut |= tcp_options_read(tcp + TCP_BYTES, at_hand - TCP_BYTES, packet);
}

static int read_tcp(const struct walk *walk, struct weir_packet *packet) {
    const uint8_t *tcp = walk->at;
    if (walk_wire(walk) < TCP_BYTES) return WEIR_DECODE_TCP_HEADER_LEN;
    if (walk_captured(walk) < TCP_BYTES) return WEIR_DECODE_TRANSPORT_CUT;
    uint32_t header_len = (tcp[12] >> 4) * 4u;
    if (header_len < TCP_BYTES || header_len > walk_wire(walk)) return WEIR_DECODE_TCP_HEADER_LEN;
    packet->transport = WEIR_TRANSPORT_TCP;
    packet->src_port = be16(tcp);
    packet->dst_port = be16(tcp + 2);
    packet->tcp_flags =
        tcp[13] & (WEIR_TCP_FIN | WEIR_TCP_SYN | WEIR_TCP_RST | WEIR_TCP_PSH | WEIR_TCP_ACK);
    packet->checksum = be16(tcp + 16);
    packet->tcp.seq = be32(tcp + 4);
    packet->tcp.ack = be32(tcp + 8);
    packet->tcp.window = be16(tcp + 14);
    tcp_all_options_read(tcp, walk_captured(walk), header_len, packet);
    payload_write(packet, walk, header_len, walk_wire(walk));
    return WEIR_DECODE_OK;
}

/* A length of 0 is a jumbogram's (RFC 2675), hence believed only where the IP length was unsaid
 * too. Of the first of several fragments the length says more than is here. */
static int read_udp(const struct walk *walk, const struct ip_header *ip,
                    struct weir_packet *packet) {
    const uint8_t *udp = walk->at;
    if (walk_wire(walk) < UDP_BYTES) return WEIR_DECODE_UDP_LEN;
    if (walk_captured(walk) < UDP_BYTES) return WEIR_DECODE_TRANSPORT_CUT;
    uint32_t length = be16(udp + 4);
    if (length == 0 && ip->length_unsaid) length = walk_wire(walk);
    if (length < UDP_BYTES || (length > walk_wire(walk) && !ip->first_fragment))
        return WEIR_DECODE_UDP_LEN;
    packet->transport = WEIR_TRANSPORT_UDP;
    packet->tcp_flags = 0;
    packet->src_port = be16(udp);
    packet->dst_port = be16(udp + 2);
    packet->checksum = be16(udp + 6);
    payload_write(packet, walk, UDP_BYTES, length < walk_wire(walk) ? length : walk_wire(walk));
    return WEIR_DECODE_OK;
}

/* Destination unreachable, and ICMPv6 packet too big: the errors that end or change a flow. */
static bool icmp_is_error(const struct ip_header *ip, uint8_t type) {
    enum { UNREACHABLE = 3, UNREACHABLE_6 = 1, TOO_BIG_6 = 2 };
    if (ip->version == 4) return ip->protocol == PROTOCOL_ICMP && type == UNREACHABLE;
    return ip->protocol == PROTOCOL_ICMPV6 && (type == UNREACHABLE_6 || type == TOO_BIG_6);
}

/* An error quotes at least the IP header and 8 bytes behind it (RFC 792), which hold the ports and
 * the sequence number. A quoted protocol that weir does not measure is quoted as NONE. */
static int icmp_quote_read(const struct walk *walk, uint8_t version, struct weir_packet *packet) {
    struct walk quote = *walk;
    struct ip_header ip;
    walk_skip(&quote, ICMP_BYTES);
    quote.ip_version = version;
    if (walk_ip_quoted(&quote, &ip)) return WEIR_DECODE_ICMP_QUOTE;
    ip_addresses(&ip, &packet->icmp.quoted_src, &packet->icmp.quoted_dst);
    packet->icmp.quoted_transport = WEIR_TRANSPORT_NONE;
    packet->icmp.quoted_src_port = 0;
    packet->icmp.quoted_dst_port = 0;
    packet->icmp.quoted_seq = 0;
    if (ip.protocol != PROTOCOL_TCP && ip.protocol != PROTOCOL_UDP) return WEIR_DECODE_OK;
    if (walk_captured(&quote) < 8) return WEIR_DECODE_ICMP_QUOTE;
    packet->icmp.quoted_transport = ip.protocol;
    packet->icmp.quoted_src_port = be16(quote.at);
    packet->icmp.quoted_dst_port = be16(quote.at + 2);
    if (ip.protocol == PROTOCOL_TCP) packet->icmp.quoted_seq = be32(quote.at + 4);
    return WEIR_DECODE_OK;
}

static int read_icmp(const struct walk *walk, const struct ip_header *ip,
                     struct weir_packet *packet) {
    const uint8_t *icmp = walk->at;
    if (walk_captured(walk) < 1)
        return walk_wire(walk) < 1 ? WEIR_DECODE_NOT_TRANSPORT : WEIR_DECODE_TRANSPORT_CUT;
    if (!icmp_is_error(ip, icmp[0])) return WEIR_DECODE_NOT_TRANSPORT;
    if (walk_wire(walk) < ICMP_BYTES) return WEIR_DECODE_ICMP_QUOTE;
    if (walk_captured(walk) < ICMP_BYTES) return WEIR_DECODE_TRANSPORT_CUT;
    packet->transport = WEIR_TRANSPORT_ICMP;
    packet->tcp_flags = 0;
    packet->src_port = 0;
    packet->dst_port = 0;
    packet->checksum = be16(icmp + 2);
    packet->icmp.type = icmp[0];
    packet->icmp.code = icmp[1];
    payload_write(packet, walk, ICMP_BYTES, walk_wire(walk));
    return icmp_quote_read(walk, ip->version, packet);
}

int read_transport(const struct walk *walk, const struct ip_header *ip,
                   struct weir_packet *packet) {
    switch (ip->protocol) {
    case PROTOCOL_TCP: return read_tcp(walk, packet);
    case PROTOCOL_UDP: return read_udp(walk, ip, packet);
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMPV6: return read_icmp(walk, ip, packet);
    default: return WEIR_DECODE_NOT_TRANSPORT;
    }
}
