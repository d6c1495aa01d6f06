/* DNS messages of one flow: found in datagrams, or in a TCP stream; counted for the flow's record.
 *
 * Over TCP most messages are one segment, in order; only what is not takes a stream (dns_stream.c)
 * until it is whole. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "flow/dns_stream.h"
#include "flow/flow.h"

enum { HEADER_BYTES = 12, HARD_MS = 5000 };
static_assert(sizeof(struct dns_stream) <= DNS_STREAM_BYTES, "a stream fits its slab");

static struct dns_flow *make(struct weir_flow *flow) {
    if (!flow->dns) {
        flow->dns = slab_take(&flow->table->dns_flows);
        if (!flow->dns) flow->table->stats.detail_refused++;
    }
    return flow_dns(flow);
}

static void count_query(struct weir_flow *flow, struct dns_flow *dns,
                        const struct weir_dns_message *message, uint32_t name, uint32_t ms) {
    unsigned room = DNS_OPEN_MAX;
    for (unsigned i = 0; i < DNS_OPEN_MAX; i++) {
        if (dns->open[i].open && dns->open[i].name == name) {
            dns->open[i].id = message->id;
            if (dns->open[i].sends < UINT8_MAX) dns->open[i].sends++;
            return;
        }
        if (!dns->open[i].open) room = i;
    }
    dns->queries++;
    if (room == DNS_OPEN_MAX) {
        dns->unlisted++;
        flow->table->stats.detail_refused++;
        return;
    }
    dns->open[room].name = name;
    dns->open[room].first_ms = ms;
    dns->open[room].id = message->id;
    dns->open[room].sends = 1;
    dns->open[room].open = true;
}

static void count_answer(struct dns_flow *dns, const struct weir_dns_message *message,
                         uint32_t name, enum weir_outcome outcome) {
    bool asked = false;
    for (unsigned i = 0; i < DNS_OPEN_MAX; i++) {
        if (!dns->open[i].open || dns->open[i].name != name) continue;
        dns->open[i].open = false;
        asked = true;
    }
    if (!asked && dns->unlisted == 0) return; /* nobody asked, or a second answer */
    dns->unlisted -= !asked;
    dns->answers++;
    dns->last = (uint8_t)outcome;
    dns->servfail += message->rcode == WEIR_DNS_SERVFAIL;
    dns->refused += message->rcode == WEIR_DNS_REFUSED;
    dns->nxdomain += message->rcode == WEIR_DNS_NXDOMAIN;
}

static void message(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                    const uint8_t *bytes, size_t length) {
    struct weir_dns_message found;
    if (length < HEADER_BYTES || weir_dns_message(bytes, length, &found) != WEIR_WIRE_OK) return;
    if (found.response != (side == WEIR_SERVER)) return;
    flow->named.app = WEIR_APP_DNS;
    enum weir_outcome outcome =
        dns_message(flow, packet, side, &found, (uint16_t)(bytes[6] << 8 | bytes[7]));
    struct dns_flow *dns = make(flow);
    if (!dns) return;
    uint32_t name =
        (uint32_t)XXH3_64bits_withSeed(found.qname.text, found.qname.length, found.qtype);
    if (found.response)
        count_answer(dns, &found, name, outcome);
    else
        count_query(flow, dns, &found, name, now_ms(packet->now_us));
}

static struct dns_stream *stream_of(struct weir_flow *flow, const struct dns_flow *dns,
                                    enum weir_side side) {
    return dns->stream[side] ? slab_at(&flow->table->dns_streams, dns->stream[side]) : NULL;
}

static void stream_drop(struct weir_flow *flow, struct dns_flow *dns, enum weir_side side) {
    slab_give(&flow->table->dns_streams, dns->stream[side]);
    dns->stream[side] = 0;
}

/* A segment that is whole messages and stands where one is expected, or is the first. */
static bool whole_segment(struct weir_flow *flow, struct dns_flow *dns,
                          const struct weir_packet *packet, enum weir_side side) {
    const uint8_t *bytes = packet->payload;
    size_t n = packet->payload_captured;
    if (dns->begun[side] && dns->next[side] != packet->tcp.seq) return false;
    if (n != packet->payload_len || !dns_stream_is_whole(bytes, n, side == WEIR_SERVER))
        return false;
    for (size_t at = 0, length; at < n; at += 2 + length) {
        length = (size_t)bytes[at] << 8 | bytes[at + 1];
        message(flow, packet, side, bytes + at + 2, length);
    }
    dns->begun[side] = true;
    dns->next[side] = packet->tcp.seq + packet->payload_len;
    return true;
}

static struct dns_stream *stream_need(struct weir_flow *flow, struct dns_flow *dns,
                                      const struct weir_packet *packet, enum weir_side side) {
    if (dns->stream[side]) return stream_of(flow, dns, side);
    dns->stream[side] = slab_take(&flow->table->dns_streams);
    struct dns_stream *stream = stream_of(flow, dns, side);
    if (stream)
        dns_stream_begin(stream, dns->begun[side] ? dns->next[side] : packet->tcp.seq,
                         dns->begun[side], side == WEIR_SERVER);
    else
        flow->table->stats.detail_refused++;
    return stream;
}

static void tcp_payload(struct weir_flow *flow, const struct weir_packet *packet,
                        enum weir_side side) {
    struct dns_flow *dns = make(flow);
    size_t n = packet->payload_captured, length;
    if (!dns || n == 0 || (!dns->stream[side] && whole_segment(flow, dns, packet, side))) return;
    struct dns_stream *stream = stream_need(flow, dns, packet, side);
    if (!stream) return;
    dns_stream_put(stream, packet->tcp.seq, packet->payload, n);
    const uint8_t *bytes;
    while ((bytes = dns_stream_next(stream, &length))) message(flow, packet, side, bytes, length);
    if (n < packet->payload_len &&
        (bytes = dns_stream_rest(stream, packet->tcp.seq + packet->payload_len, &length)))
        /* cut by the snap length: the question may be there */
        message(flow, packet, side, bytes, length);
    if (!dns_stream_is_empty(stream)) return;
    dns->begun[side] = stream->sure;
    dns->next[side] = stream->base;
    stream_drop(flow, dns, side);
}

void dns_payload(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side) {
    if (flow->transport == WEIR_TRANSPORT_TCP)
        tcp_payload(flow, packet, side);
    else
        message(flow, packet, side, packet->payload, packet->payload_captured);
}

/* What is still open when the flow ends was not answered, if it was old enough or asked again. */
void dns_flow_end(struct weir_flow *flow, int64_t now_us) {
    struct dns_flow *dns = flow_dns(flow);
    for (unsigned i = 0; dns && i < DNS_OPEN_MAX; i++) {
        uint32_t age_ms = now_ms(now_us) - dns->open[i].first_ms;
        if (dns->open[i].open && (age_ms >= HARD_MS || dns->open[i].sends >= 2)) {
            dns->open[i].open = false;
            dns->timeout++;
        }
    }
}

void dns_flow_release(struct weir_flow *flow) {
    struct dns_flow *dns = flow_dns(flow);
    if (!dns) return;
    stream_drop(flow, dns, WEIR_CLIENT);
    stream_drop(flow, dns, WEIR_SERVER);
    slab_give(&flow->table->dns_flows, flow->dns);
    flow->dns = 0;
}
