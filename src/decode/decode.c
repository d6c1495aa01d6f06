/* One frame -> one packet view: link header and tags, then IP headers and tunnels until the
 * innermost packet, then its transport header.
 *
 * The innermost packet wins, because it is the one between a client and a service. A UDP tunnel is
 * known only by its port number, so where its inside cannot be read the outer UDP packet stands.
 * The packet is written once, at the end, and only in the fields that are valid: clearing it would
 * cost as much as decoding. */
#include <string.h>

#include "walk.h"

/* Order counts (VLAN 1 in 2 is not VLAN 2 in 1) and 0 stays what it means: no id around the packet.
 */
void walk_domain(struct walk *walk, enum domain_kind kind, uint32_t id) {
    uint32_t hash = (walk->domain ^ ((uint32_t)kind << 24 | id)) * 0x9e3779b1u;
    hash ^= hash >> 15;
    hash *= 0x85ebca6bu;
    hash ^= hash >> 13;
    walk->domain = hash ? hash : 1;
}

static void addr_write(struct weir_addr *addr, const uint8_t *bytes, uint8_t version) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (version == 4) {
        memcpy(addr->bytes, mapped, sizeof mapped);
        memcpy(addr->bytes + sizeof mapped, bytes, 4);
    } else {
        memcpy(addr->bytes, bytes, 16);
    }
}

void ip_addresses(const struct ip_header *ip, struct weir_addr *ret_src,
                  struct weir_addr *ret_dst) {
    addr_write(ret_src, ip->src, ip->version);
    addr_write(ret_dst, ip->dst, ip->version);
}

/* Nearly all frames are Ethernet with IP right behind it: they are spared the calls and tables of
 * link.c. */
static inline int link_enter(struct walk *walk, uint16_t linktype) {
    if (linktype != LINKTYPE_ETHERNET || walk_captured(walk) < ETHERNET_BYTES)
        return walk_link(walk, linktype);
    uint16_t ethertype = be16(walk->at + 12);
    if (ethertype != ETHERTYPE_IPV4 && ethertype != ETHERTYPE_IPV6)
        return walk_link(walk, linktype);
    walk->mac = walk->at + MAC_OFFSET;
    walk_skip(walk, ETHERNET_BYTES);
    walk->ip_version = ethertype == ETHERTYPE_IPV4 ? 4 : 6;
    return WEIR_DECODE_OK;
}

int weir_decode(const struct weir_frame *frame, struct weir_packet *packet) {
    struct walk walk = {
        .at = frame->data,
        .end = frame->data ? frame->data + frame->caplen : NULL,
        .uncaptured = frame->wirelen > frame->caplen ? frame->wirelen - frame->caplen : 0,
    };
    int outcome = link_enter(&walk, frame->linktype);
    if (outcome) return outcome;

    struct ip_header ip;
    outcome = walk_ip(&walk, &ip);
    bool inner = true;
    while (!outcome && inner && ip.protocol != PROTOCOL_TCP)
        outcome = walk_tunnel(&walk, &ip, &inner);
    if (outcome) return outcome;

    packet->ts_us = frame->ts_us;
    packet->now_us = frame->now_us;
    packet->ttl = ip.ttl;
    packet->ip_id = ip.id;
    packet->fragment = ip.first_fragment;
    packet->domain = walk.domain;
    packet->mac = walk.mac;
    packet->ip_payload_len = walk_wire(&walk);
    ip_addresses(&ip, &packet->src, &packet->dst);
    return read_transport(&walk, &ip, packet);
}
