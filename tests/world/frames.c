/* Renders packets as frames into a pcap file: Ethernet (with a VLAN tag in some worlds), IPv4 or
 * IPv6, TCP, UDP, ICMP.
 *
 * Payload is true where weir reads it (hellos, record headers, Initials, lookups) and noise
 * elsewhere. Behind the first packets of a flow only the headers are kept, as captures of headers
 * do: the length on the wire stays. Checksums are true where the packet is whole. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "world.h"

enum { FRAME_MAX = 70000 };

int frames_begin(struct world *world, const char *path) {
    world->capture = fopen(path, "wb");
    if (!world->capture) return -errno;
    setvbuf(world->capture, NULL, _IOFBF, 1 << 20);
    static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1 /* Ethernet */};
    fwrite(head, sizeof head, 1, world->capture);
    return 0;
}

int frames_end(struct world *world) {
    int failed = ferror(world->capture);
    return fclose(world->capture) || failed ? -(errno ? errno : EIO) : 0;
}

static void put16(uint8_t *at, unsigned value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static uint32_t sum16(const uint8_t *bytes, size_t length, uint32_t sum) {
    for (size_t i = 0; i + 1 < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    if (length & 1) sum += (uint32_t)bytes[length - 1] << 8;
    return sum;
}

static uint16_t folded(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static size_t put_link(const struct world *world, const struct flow *flow, int from, uint8_t *at) {
    const uint8_t *near = world->site->vantage == 'l' ? flow->client->mac : world->gateway_mac;
    const uint8_t *far = world->site->vantage == 'l' ? world->gateway_mac : world->beyond_mac;
    memcpy(at, from == CLIENT ? far : near, 6);
    memcpy(at + 6, from == CLIENT ? near : far, 6);
    size_t length = 12;
    if (world->vlan) {
        put32(at + length, 0x81000000u | 20);
        length += 4;
    }
    put16(at + length, flow->ip[0].six ? 0x86dd : 0x0800);
    return length + 2;
}

/* Header of `length` bytes of transport; where its pseudo-header sums to is told in `ret_sum`. */
static size_t put_ip(const struct packet *packet, unsigned protocol, size_t length, uint8_t *at,
                     uint32_t *ret_sum) {
    struct flow *flow = packet->flow;
    int from = packet->from;
    unsigned ttl = from == CLIENT ? 64 : flow->place ? flow->place->ttl : 64;
    const struct ip *src = &flow->ip[from], *dst = &flow->ip[!from];
    if (src->six) {
        put32(at, 0x60000000);
        put16(at + 4, (unsigned)length);
        at[6] = (uint8_t)protocol;
        at[7] = (uint8_t)ttl;
        memcpy(at + 8, src->bytes, 16);
        memcpy(at + 24, dst->bytes, 16);
        *ret_sum = sum16(at + 8, 32, (uint32_t)length + protocol);
        return 40;
    }
    memset(at, 0, 20);
    at[0] = 0x45;
    put16(at + 2, (unsigned)(20 + length));
    put16(at + 4, ++flow->ip_id[from]);
    at[6] = 0x40;
    at[8] = (uint8_t)ttl;
    at[9] = (uint8_t)protocol;
    memcpy(at + 12, src->bytes, 4);
    memcpy(at + 16, dst->bytes, 4);
    put16(at + 10, folded(sum16(at, 20, 0)));
    *ret_sum = sum16(at + 12, 8, (uint32_t)length + protocol);
    return 20;
}

static size_t tcp_header(const struct packet *packet) {
    bool stamps = packet->flow->client->timestamps;
    if (packet->flags & SYN) return stamps ? 40 : 32;
    if (packet->flags & RST) return 20;
    return 20 + (stamps ? 12u : 0u) + (packet->n_sacks ? 4u + 8u * packet->n_sacks : 0u);
}

static void put_tcp_options(const struct packet *packet, uint8_t *at) {
    bool stamps = packet->flow->client->timestamps;
    if (packet->flags & SYN) {
        memcpy(at, "\2\4\5\xb4", 4);
        if (packet->flow->ip[0].six) put16(at + 2, 1440);
        if (!stamps) {
            memcpy(at + 4, "\1\3\3\7\1\1\4\2", 8);
            return;
        }
        memcpy(at + 4, "\4\2\x08\x0a", 4);
        put32(at + 8, packet->tsval);
        put32(at + 12, packet->tsecr);
        memcpy(at + 16, "\1\3\3\7", 4);
        return;
    }
    if (packet->flags & RST) return;
    if (stamps) {
        memcpy(at, "\1\1\x08\x0a", 4);
        put32(at + 4, packet->tsval);
        put32(at + 8, packet->tsecr);
        at += 12;
    }
    if (packet->n_sacks) {
        memcpy(at, "\1\1\5", 3);
        at[3] = (uint8_t)(2 + 8 * packet->n_sacks);
        uint32_t base = packet->conn->end[!packet->from].isn + 1;
        for (unsigned i = 0; i < packet->n_sacks; i++) {
            put32(at + 4 + 8 * i, base + (uint32_t)packet->sacks[i].from);
            put32(at + 8 + 8 * i, base + (uint32_t)packet->sacks[i].to);
        }
    }
}

unsigned frames_size(const struct packet *packet) {
    unsigned ip = packet->flow->ip[0].six ? 40 : 20;
    unsigned transport = packet->kind == P_TCP    ? (unsigned)tcp_header(packet)
                         : packet->kind == P_ICMP ? 8
                                                  : 8;
    return 14 + ip + transport + packet->length;
}

static void noise(uint8_t *out, size_t length, uint64_t key) {
    uint64_t state = key * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < length; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(state >> 56);
    }
}

/* What is kept of the payload; bytes behind a stream's own are noise. */
static size_t put_payload(const struct packet *packet, size_t kept, uint8_t *out) {
    if (packet->kind == P_RAW) {
        memcpy(out, packet->raw, kept);
        return kept;
    }
    if (packet->kind == P_QUIC_DATA) {
        noise(out, kept, packet->conn->salt + packet->offset * 7 + packet->from);
        extern void message_quic_short(uint8_t *, uint32_t, bool);
        if (kept >= 9) message_quic_short(out, packet->conn->salt, packet->from == SERVER);
        return kept;
    }
    return stream_bytes(packet->conn, packet->from, packet->offset, kept, out);
}

static size_t put_tcp(struct world *world, const struct packet *packet, size_t kept, uint8_t *at,
                      uint32_t sum) {
    const struct flow *flow = packet->flow;
    size_t header = tcp_header(packet);
    put16(at, flow->port[packet->from]);
    put16(at + 2, flow->port[!packet->from]);
    put32(at + 4, packet->seq);
    put32(at + 8, packet->ack);
    put16(at + 12, (unsigned)(header << 10 | packet->flags));
    put16(at + 14, packet->flags & SYN      ? 64240
                   : packet->flags & RST    ? 0
                   : packet->from == CLIENT ? 2900
                                            : 501);
    put32(at + 16, 0);
    put_tcp_options(packet, at + 20);
    if (kept) put_payload(packet, kept, at + header);
    put16(at + 16, folded(sum16(at, header + kept, sum)));
    return header + kept;
}

static size_t put_udp(const struct packet *packet, size_t kept, uint8_t *at, uint32_t sum) {
    const struct flow *flow = packet->flow;
    put16(at, flow->port[packet->from]);
    put16(at + 2, flow->port[!packet->from]);
    put16(at + 4, 8 + packet->length);
    put16(at + 6, 0);
    if (kept) put_payload(packet, kept, at + 8);
    uint16_t check = folded(sum16(at, 8 + kept, sum));
    put16(at + 6, check ? check : 0xffff);
    return 8 + kept;
}

static uint8_t *frame_room(void) {
    static uint8_t frame[FRAME_MAX];
    return frame;
}

static size_t put_icmp(const struct packet *packet, size_t kept, uint8_t *at, uint32_t sum) {
    bool six = packet->flow->ip[0].six;
    memset(at, 0, 8);
    at[0] = six ? 1 : 3;
    at[1] = six ? 0 : 1;
    memcpy(at + 8, packet->raw, kept);
    put16(at + 2, folded(sum16(at, 8 + kept, six ? sum : 0)));
    return 8 + kept;
}

void frames_packet(struct world *world, const struct packet *packet) {
    struct flow *flow = packet->flow;
    uint8_t *frame = frame_room();
    if (packet->length) flow->n_payload++;
    bool whole =
        flow->n_payload <= world->snap_first || packet->kind == P_RAW || packet->kind == P_ICMP;
    size_t kept = packet->length;
    size_t head = put_link(world, flow, packet->from, frame), length = head;
    size_t transport = frames_size(packet) - 14 - (flow->ip[0].six ? 40 : 20);
    unsigned protocol = packet->kind == P_TCP    ? 6
                        : packet->kind == P_ICMP ? flow->ip[0].six ? 58 : 1
                                                 : 17;
    uint32_t sum = 0;
    length += put_ip(packet, protocol, transport, frame + length, &sum);
    size_t all = length + transport;
    if (!whole && all > world->snap)
        kept = world->snap > all - kept ? world->snap - (all - kept) : 0;
    if (packet->kind == P_TCP)
        length += put_tcp(world, packet, kept, frame + length, sum);
    else if (packet->kind == P_ICMP)
        length += put_icmp(packet, kept, frame + length, sum);
    else
        length += put_udp(packet, kept, frame + length, sum);
    int64_t ts_us = world->epoch_us + world->now_us;
    uint32_t row[4] = {(uint32_t)(ts_us / SECOND), (uint32_t)(ts_us % SECOND), (uint32_t)length,
                       (uint32_t)all};
    fwrite(row, sizeof row, 1, world->capture);
    fwrite(frame, length, 1, world->capture);
    world->n_packets++;
    world->n_bytes += all;
}
