/* What travels from capture to decode (frame, batch) and from decode onwards (packet).
 *
 * Times are microseconds since the epoch, as stamped by the capture (`ts_us`): they may step back.
 * Differences of stamps are clamped at 0 where they are taken. The engine's own clock, which never
 * steps back and drives every timer, is `weir_batch.now_us` (see capture.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* One captured frame. `data` belongs to the batch. */
struct weir_frame {
    int64_t ts_us;       /* stamp of the capture */
    int64_t now_us;      /* the engine's clock at this frame: monotone, see capture.h */
    const uint8_t *data; /* `caplen` bytes */
    uint32_t caplen;     /* bytes at hand */
    uint32_t wirelen;    /* bytes on the wire; >= caplen (capture repairs what lies) */
    uint16_t linktype;   /* LINKTYPE_ value (not DLT_), as registered by tcpdump.org */
    uint16_t interface;  /* which interface of the capture, from 0 */
    /* every worker gets this one, and the frame itself reaches one of them (see capture.h) */
    bool copy;
};

/* An address: IPv4 as IPv4-mapped IPv6 (::ffff:a.b.c.d). Network byte order. */
struct weir_addr {
    uint8_t bytes[16];
};

static inline bool weir_addr_is_v4(const struct weir_addr *addr) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(addr->bytes, mapped, sizeof mapped) == 0;
}

static inline int weir_addr_compare(const struct weir_addr *a, const struct weir_addr *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* The prefix that trials are counted by: /24 of IPv4, /48 of IPv6 (the rest zeroed). */
struct weir_addr weir_addr_prefix(const struct weir_addr *addr);

/* Text of an address, IPv4 dotted, IPv6 as RFC 5952. `text` holds WEIR_ADDR_TEXT_MAX bytes; returns
 * it. */
#define WEIR_ADDR_TEXT_MAX 46
char *weir_addr_text(const struct weir_addr *addr, char *text);

/* Parses "192.0.2.1" or "2001:db8::1"; 0 or -EINVAL. */
int weir_addr_parse(const char *text, struct weir_addr *ret_addr);

/* A block of addresses, "192.0.2.0/24"; `bits` counts in the 128-bit form (IPv4 /24 is 120). */
struct weir_cidr {
    struct weir_addr addr;
    uint8_t bits;
};
int weir_cidr_parse(const char *text, struct weir_cidr *ret_cidr);
bool weir_cidr_contains(const struct weir_cidr *cidr, const struct weir_addr *addr);

/* Private, unique-local, link-local, loopback or shared (RFC 6598): a client where no handshake
 * says. */
bool weir_addr_is_local(const struct weir_addr *addr);
/* Multicast or broadcast: never a server of anything. */
bool weir_addr_is_group(const struct weir_addr *addr);

enum weir_transport {
    WEIR_TRANSPORT_NONE = 0,
    WEIR_TRANSPORT_TCP = 6,
    WEIR_TRANSPORT_UDP = 17,
    /* ICMP and ICMPv6 errors that quote a packet; others end as DECODE_NOT_TRANSPORT */
    WEIR_TRANSPORT_ICMP = 1,
};

enum weir_tcp_flag {
    WEIR_TCP_FIN = 0x01,
    WEIR_TCP_SYN = 0x02,
    WEIR_TCP_RST = 0x04,
    WEIR_TCP_PSH = 0x08,
    WEIR_TCP_ACK = 0x10,
};

/* The decoded view of one packet: the innermost IP packet after all tunnels. Lengths are the
 * wire's, from the IP header; only `payload_captured` bytes of the payload can be read. */
struct weir_packet {
    int64_t ts_us;
    int64_t now_us;
    struct weir_addr src, dst;
    uint16_t src_port, dst_port; /* host byte order */
    uint8_t transport;           /* enum weir_transport */
    uint8_t ttl;                 /* or hop limit */
    uint8_t tcp_flags;           /* enum weir_tcp_flag bits */
    uint8_t fragment;            /* 1: first fragment of several (measured as far as it goes) */
    uint32_t
        domain;                /* hash of VLAN ids and tunnel ids around the packet; 0 without any:
                                * the same addresses in two VLANs are two flows, unless they prove to be one */
    uint16_t ip_id;            /* IPv4; 0 for IPv6 */
    uint16_t checksum;         /* of the transport header, as sent */
    uint32_t ip_payload_len;   /* bytes behind the IP header (transport header and payload) */
    uint32_t payload_len;      /* bytes behind the transport header */
    uint32_t payload_captured; /* of these, how many are at `payload`; <= payload_len */
    const uint8_t *payload;
    /* who sent it on this network, 6 bytes; NULL: no such header, or a tunnel around */
    const uint8_t *mac;

    union {
        struct { /* TCP */
            uint32_t seq, ack;
            uint32_t tsval, tsecr;          /* valid when has_timestamps */
            uint32_t sack_left, sack_right; /* the first SACK block (RFC 2018; D-SACK RFC 2883) */
            uint16_t window;                /* as sent, unscaled */
            uint16_t mss;                   /* 0: option absent */
            uint8_t window_scale;           /* shift; valid when has_window_scale */
            bool has_timestamps, has_window_scale, has_sack, sack_permitted;
            bool options_cut; /* the options ran out of captured bytes or were malformed */
        } tcp;
        /* an ICMP error, and the packet that it quotes (which travelled src -> dst here) */
        struct {
            uint8_t type, code;       /* ICMP or ICMPv6, told apart by the quoted address family */
            uint8_t quoted_transport; /* enum weir_transport */
            uint16_t quoted_src_port, quoted_dst_port;
            uint32_t quoted_seq; /* TCP only */
            struct weir_addr quoted_src, quoted_dst;
        } icmp;
    };
};
