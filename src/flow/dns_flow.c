/* DNS messages of one flow: found in datagrams, or in a TCP stream; counted for the flow's record.
 *
 * Over TCP each message has its length before it. Most are one segment; what a segment leaves incomplete is held
 * until the next in order, up to 4 KiB, and given up when bytes are missing. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "flow/flow.h"

enum { MESSAGES_MAX = 16, HEADER_BYTES = 12, STREAM_BYTES = 4096, HARD_MS = 5000 };

struct stream {
    uint32_t spare;    /* the slab's link while free */
    uint32_t next_seq;
    uint32_t held;
    uint8_t bytes[STREAM_BYTES];
};
static_assert(sizeof(struct stream) <= DNS_STREAM_BYTES, "a stream fits its slab");

static struct dns_flow *make(struct weir_flow *flow)
{
    if (!flow->dns) {
        flow->dns = slab_take(&flow->table->dns_flows);
        if (!flow->dns)
            flow->table->stats.detail_refused++;
    }
    return flow_dns(flow);
}

static void count_query(struct weir_flow *flow, struct dns_flow *dns, const struct weir_dns_message *message,
                        uint32_t name, uint32_t ms)
{
    unsigned room = DNS_OPEN_MAX;
    for (unsigned i = 0; i < DNS_OPEN_MAX; i++) {
        if (dns->open[i].open && dns->open[i].name == name) {
            dns->open[i].id = message->id;
            if (dns->open[i].sends < UINT8_MAX)
                dns->open[i].sends++;
            return;
        }
        if (!dns->open[i].open)
            room = i;
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

static void count_answer(struct dns_flow *dns, const struct weir_dns_message *message, uint32_t name,
                         enum weir_outcome outcome)
{
    bool asked = false;
    for (unsigned i = 0; i < DNS_OPEN_MAX; i++) {
        if (!dns->open[i].open || dns->open[i].name != name)
            continue;
        dns->open[i].open = false;
        asked = true;
    }
    if (!asked && dns->unlisted == 0)
        return; /* nobody asked, or a second answer */
    dns->unlisted -= !asked;
    dns->answers++;
    dns->last = (uint8_t)outcome;
    dns->servfail += message->rcode == WEIR_DNS_SERVFAIL;
    dns->refused += message->rcode == WEIR_DNS_REFUSED;
    dns->nxdomain += message->rcode == WEIR_DNS_NXDOMAIN;
}

static void message(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side, const uint8_t *bytes,
                    size_t length)
{
    struct weir_dns_message found;
    if (length < HEADER_BYTES || weir_dns_message(bytes, length, &found) != WEIR_WIRE_OK)
        return;
    if (found.response != (side == WEIR_SERVER))
        return;
    flow->named.app = WEIR_APP_DNS;
    enum weir_outcome outcome = dns_message(flow, packet, side, &found, (uint16_t)(bytes[6] << 8 | bytes[7]));
    struct dns_flow *dns = make(flow);
    if (!dns)
        return;
    uint32_t name = (uint32_t)XXH3_64bits_withSeed(found.qname.text, found.qname.length, found.qtype);
    if (found.response)
        count_answer(dns, &found, name, outcome);
    else
        count_query(flow, dns, &found, name, now_ms(packet->now_us));
}

/* Whole messages from the start of `bytes`; returns how many bytes they were. */
static size_t messages(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side,
                       const uint8_t *bytes, size_t n)
{
    size_t at = 0;
    for (unsigned count = 0; count < MESSAGES_MAX && n - at >= 2; count++) {
        size_t length = (size_t)bytes[at] << 8 | bytes[at + 1];
        if (length > n - at - 2)
            break;
        message(flow, packet, side, bytes + at + 2, length);
        at += 2 + length;
    }
    return at;
}

static struct stream *stream_of(struct weir_flow *flow, const struct dns_flow *dns, enum weir_side side)
{
    return dns->stream[side] ? slab_at(&flow->table->dns_streams, dns->stream[side]) : NULL;
}

static void stream_drop(struct weir_flow *flow, struct dns_flow *dns, enum weir_side side)
{
    slab_give(&flow->table->dns_streams, dns->stream[side]);
    dns->stream[side] = 0;
}

static void stream_keep(struct weir_flow *flow, struct dns_flow *dns, enum weir_side side, uint32_t next_seq,
                        const uint8_t *bytes, size_t n)
{
    if (n > STREAM_BYTES)
        return;
    dns->stream[side] = slab_take(&flow->table->dns_streams);
    struct stream *stream = stream_of(flow, dns, side);
    if (!stream) {
        flow->table->stats.detail_refused++;
        return;
    }
    stream->next_seq = next_seq;
    stream->held = (uint32_t)n;
    memcpy(stream->bytes, bytes, n);
}

static void tcp_payload(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side)
{
    struct dns_flow *dns = make(flow);
    const uint8_t *bytes = packet->payload;
    size_t n = packet->payload_captured;
    if (!dns || n == 0)
        return;
    uint32_t next_seq = packet->tcp.seq + packet->payload_len;
    struct stream *stream = stream_of(flow, dns, side);
    if (stream && (int32_t)(next_seq - stream->next_seq) <= 0)
        return; /* sent again */
    if (stream && (stream->next_seq != packet->tcp.seq || n > STREAM_BYTES - stream->held || n < packet->payload_len)) {
        stream_drop(flow, dns, side);
        return;
    }
    if (!stream) {
        size_t used = messages(flow, packet, side, bytes, n);
        if (n < packet->payload_len && used + 2 < n)
            message(flow, packet, side, bytes + used + 2,
                    n - used - 2); /* cut by the snap length: the question may be there */
        else if (used < n)
            stream_keep(flow, dns, side, next_seq, bytes + used, n - used);
        return;
    }
    memcpy(stream->bytes + stream->held, bytes, n);
    stream->held += (uint32_t)n;
    stream->next_seq = next_seq;
    size_t used = messages(flow, packet, side, stream->bytes, stream->held);
    stream->held -= (uint32_t)used;
    memmove(stream->bytes, stream->bytes + used, stream->held);
    if (stream->held == 0)
        stream_drop(flow, dns, side);
}

void dns_payload(struct weir_flow *flow, const struct weir_packet *packet, enum weir_side side)
{
    if (flow->transport == WEIR_TRANSPORT_TCP)
        tcp_payload(flow, packet, side);
    else
        message(flow, packet, side, packet->payload, packet->payload_captured);
}

/* What is still open when the flow ends was not answered, if it was old enough or asked again. */
void dns_flow_end(struct weir_flow *flow, int64_t now_us)
{
    struct dns_flow *dns = flow_dns(flow);
    for (unsigned i = 0; dns && i < DNS_OPEN_MAX; i++) {
        uint32_t age_ms = now_ms(now_us) - dns->open[i].first_ms;
        if (dns->open[i].open && (age_ms >= HARD_MS || dns->open[i].sends >= 2)) {
            dns->open[i].open = false;
            dns->timeout++;
        }
    }
}

void dns_flow_release(struct weir_flow *flow)
{
    struct dns_flow *dns = flow_dns(flow);
    if (!dns)
        return;
    stream_drop(flow, dns, WEIR_CLIENT);
    stream_drop(flow, dns, WEIR_SERVER);
    slab_give(&flow->table->dns_flows, flow->dns);
    flow->dns = 0;
}
