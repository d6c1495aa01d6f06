/* A ring of segments, each filled from its beginning; the oldest one is filled anew.
 *
 *      [ oldest ][ ... ][ ... ][ newest, being filled --> ]
 *
 * An entry is what decode understood of a packet (96 bytes) and the beginning of its payload: all
 * of it where a name, a lookup or a handshake may be in it, else so much as tells one kind of
 * record from another. Frames themselves would hold tags and tunnels, which nobody needs to
 * understand an outage. A client's hardware address is kept: it tells that an IPv4 and an IPv6
 * address are one device's.
 *
 * Of a bulk transfer not each packet is kept: one that goes on where the last one of its flow and
 * direction ended, as long as that one and within JOIN_US, makes that one longer, as offloads of
 * network cards do; so does an acknowledgement that follows another. Times are then wrong by
 * JOIN_US at the most, and a second of a gigabit takes some megabytes in place of ten.
 *
 * One thread writes and never waits. A reader copies a segment and looks afterwards whether the
 * writer has begun it anew meanwhile: then the copy is nothing.
 */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <weir/wire.h>

#include "proof/ring.h"

enum {
    SEGMENT_BYTES = 256 * 1024,
    SEGMENTS_MIN = 4,
    JOINS = 8192,
    JOIN_US = 2000,
    JOIN_BYTES_MAX = 60000,
    BULK_MIN = 1000,
    HANDSHAKE_BYTES = 256,
    HANDSHAKE_UNTIL = 8192,
    DATA_BYTES = 24,
    UDP_BYTES = 48
};
static_assert(sizeof(struct weir_proof_entry) <= 104,
              "an entry is about as long as the headers that it stands for");

struct segment {
    _Atomic uint32_t used;
    _Alignas(8) uint8_t bytes[SEGMENT_BYTES - 8];
};

/* The newest bulk entry of a flow's direction. */
struct join {
    uint64_t segment; /* its number */
    uint32_t flow, offset;
    uint32_t
        unit; /* bytes of each packet: of full segments, so that the last one's being full shows */
    bool from_client;
};

struct weir_proof_ring {
    size_t n_segments;
    _Atomic uint64_t begun; /* segments so far: number k lies at k % n_segments */
    struct segment *segments;
    struct join joins[JOINS];
};

struct weir_proof_ring *weir_proof_ring_new(size_t bytes) {
    struct weir_proof_ring *ring = calloc(1, sizeof *ring);
    if (!ring) return NULL;
    ring->n_segments = bytes / sizeof(struct segment);
    if (ring->n_segments < SEGMENTS_MIN) ring->n_segments = SEGMENTS_MIN;
    ring->segments =
        calloc(ring->n_segments, sizeof(struct segment)); /* zero pages: taken when written to */
    if (!ring->segments) {
        free(ring);
        return NULL;
    }
    ring->begun = 1;
    return ring;
}

void weir_proof_ring_free(struct weir_proof_ring *ring) {
    if (ring) free(ring->segments);
    free(ring);
}

/* ---- writing ---- */

static struct segment *segment_at(const struct weir_proof_ring *ring, uint64_t number) {
    return &ring->segments[number % ring->n_segments];
}

static uint32_t bytes_to_keep(const struct weir_packet *packet, bool naming) {
    uint32_t captured = packet->payload_captured, most = DATA_BYTES;
    bool quic_handshake = packet->transport == WEIR_TRANSPORT_UDP && captured &&
                          (packet->payload[0] & 0xc0) == 0xc0; /* long headers */
    if (naming || quic_handshake || packet->src_port == 53 || packet->dst_port == 53)
        most = WEIR_PROOF_KEPT_MAX;
    else if (packet->transport == WEIR_TRANSPORT_UDP)
        most = UDP_BYTES;
    else if (captured && packet->payload[0] >= WEIR_TLS_CCS && packet->payload[0] <= WEIR_TLS_DATA)
        most = HANDSHAKE_BYTES;
    return captured < most ? captured : most;
}

/* The last entry of this flow and direction, if this packet only makes it longer. */
static struct weir_proof_entry *to_join(struct weir_proof_ring *ring,
                                        const struct weir_packet *packet, const struct join *join,
                                        uint32_t flow, bool from_client) {
    uint64_t begun = atomic_load_explicit(&ring->begun, memory_order_relaxed);
    if (join->flow != flow || join->from_client != from_client ||
        join->unit != packet->payload_len || join->segment + ring->n_segments <= begun ||
        join->segment >= begun)
        return NULL;
    struct weir_proof_entry *entry =
        (struct weir_proof_entry *)(segment_at(ring, join->segment)->bytes + join->offset);
    bool in_time = packet->ts_us >= entry->ts_us && packet->ts_us - entry->ts_us <= JOIN_US;
    if (!in_time || entry->src_port != packet->src_port || entry->dst_port != packet->dst_port ||
        packet->tcp.has_sack)
        return NULL;
    bool data = packet->payload_len >= BULK_MIN && entry->payload_len >= BULK_MIN;
    if (data)
        return packet->tcp.seq == entry->seq + entry->payload_len &&
                       entry->payload_len + packet->payload_len <= JOIN_BYTES_MAX
                   ? entry
                   : NULL;
    return !packet->payload_len && !entry->payload_len && packet->tcp.seq == entry->seq &&
                   packet->tcp.window == entry->window
               ? entry
               : NULL;
}

static bool is_bulk(const struct weir_packet *packet, bool naming) {
    return packet->transport == WEIR_TRANSPORT_TCP && !naming &&
           (packet->tcp_flags & ~WEIR_TCP_PSH) == WEIR_TCP_ACK && !packet->tcp.has_sack &&
           packet->tcp.window && (packet->payload_len == 0 || packet->payload_len >= BULK_MIN);
}

static void *room_for(struct weir_proof_ring *ring, uint32_t size, uint64_t *ret_segment,
                      uint32_t *ret_offset) {
    uint64_t newest = atomic_load_explicit(&ring->begun, memory_order_relaxed) - 1;
    struct segment *segment = segment_at(ring, newest);
    uint32_t used = atomic_load_explicit(&segment->used, memory_order_relaxed);
    if (used + size > sizeof segment->bytes) {
        newest++;
        atomic_store_explicit(&ring->begun, newest + 1, memory_order_release);
        atomic_thread_fence(
            memory_order_seq_cst); /* readers see that it is begun before they see it change */
        segment = segment_at(ring, newest);
        atomic_store_explicit(&segment->used, 0, memory_order_release);
        used = 0;
    }
    *ret_segment = newest;
    *ret_offset = used;
    return segment->bytes + used;
}

static void fill_tcp(struct weir_proof_entry *entry, const struct weir_packet *packet) {
    entry->seq = packet->tcp.seq;
    entry->ack = packet->tcp.ack;
    entry->window = packet->tcp.window;
    entry->mss = packet->tcp.mss;
    entry->window_scale = packet->tcp.window_scale;
    entry->tcp_flags = packet->tcp_flags;
    if (packet->tcp.has_timestamps) {
        entry->tsval = packet->tcp.tsval;
        entry->tsecr = packet->tcp.tsecr;
        entry->options |= WEIR_PROOF_TIMESTAMPS;
    }
    if (packet->tcp.has_sack) {
        entry->sack_left = packet->tcp.sack_left;
        entry->sack_right = packet->tcp.sack_right;
        entry->options |= WEIR_PROOF_SACK;
    }
    entry->options |= (packet->tcp.has_window_scale ? WEIR_PROOF_SCALE : 0) |
                      (packet->tcp.sack_permitted ? WEIR_PROOF_SACK_OK : 0);
}

void weir_proof_keep(struct weir_proof_ring *ring, const struct weir_packet *packet, uint64_t hash,
                     weir_service_id service, bool from_client, bool naming) {
    bool icmp = packet->transport == WEIR_TRANSPORT_ICMP, bulk = is_bulk(packet, naming);
    struct join *join = &ring->joins[(hash ^ from_client) % JOINS];
    struct weir_proof_entry *joined =
        bulk ? to_join(ring, packet, join, (uint32_t)hash, from_client) : NULL;
    if (joined) {
        joined->payload_len += packet->payload_len;
        joined->ack = packet->tcp.ack;
        return;
    }
    uint64_t segment;
    uint32_t offset, kept = icmp ? sizeof packet->icmp : bytes_to_keep(packet, naming);
    uint32_t size = (uint32_t)(sizeof(struct weir_proof_entry) + kept + 7) & ~7u;
    struct weir_proof_entry *entry = room_for(ring, size, &segment, &offset);
    memset(entry, 0,
           /* then field by field: one assignment of all would be made beside it, and copied */
           sizeof *entry);
    entry->ts_us = packet->ts_us;
    entry->src = packet->src;
    entry->dst = packet->dst;
    entry->flow = (uint32_t)hash;
    entry->payload_len = packet->payload_len;
    entry->src_port = packet->src_port;
    entry->dst_port = packet->dst_port;
    entry->ip_id = packet->ip_id;
    entry->kept = (uint16_t)kept;
    entry->size = (uint16_t)size;
    entry->transport = packet->transport;
    entry->ttl = packet->ttl;
    entry->service = service;
    entry->from_client = from_client;
    entry->bulk = bulk;
    if (from_client && packet->mac) memcpy(entry->mac, packet->mac, sizeof entry->mac);
    if (packet->transport == WEIR_TRANSPORT_TCP) fill_tcp(entry, packet);
    if (kept) memcpy(entry + 1, icmp ? (const void *)&packet->icmp : packet->payload, kept);
    *join = (struct join){.segment = bulk ? segment : UINT64_MAX,
                          .flow = (uint32_t)hash,
                          .offset = offset,
                          .unit = packet->payload_len,
                          .from_client = from_client};
    atomic_store_explicit(&segment_at(ring, segment)->used, offset + size, memory_order_release);
}

/* ---- reading ---- */

static int visit_segment(const uint8_t *bytes, uint32_t used, int64_t from_us, int64_t until_us,
                         weir_proof_visit visit, void *context) {
    int error = 0;
    for (uint32_t at = 0; !error && at + sizeof(struct weir_proof_entry) <= used;) {
        const struct weir_proof_entry *entry = (const struct weir_proof_entry *)(bytes + at);
        if (entry->size < sizeof *entry || entry->size > used - at ||
            entry->kept > entry->size - sizeof *entry)
            break; /* half written over: cannot be, but would be seen */
        if (entry->ts_us >= from_us && entry->ts_us <= until_us) error = visit(context, entry);
        at += entry->size;
    }
    return error;
}

int weir_proof_ring_read(const struct weir_proof_ring *ring, int64_t from_us, int64_t until_us,
                         weir_proof_visit visit, void *context) {
    struct segment *copy = malloc(sizeof *copy);
    if (!copy) return -ENOMEM;
    uint64_t end = atomic_load_explicit(&ring->begun, memory_order_acquire),
             number = end > ring->n_segments ? end - ring->n_segments : 0;
    int error = 0;
    for (; !error && number < end; number++) {
        const struct segment *segment = segment_at(ring, number);
        uint32_t used = atomic_load_explicit(&segment->used, memory_order_acquire);
        memcpy(copy->bytes, segment->bytes, used);
        atomic_thread_fence(memory_order_seq_cst);
        if (number + ring->n_segments >= atomic_load_explicit(&ring->begun, memory_order_acquire))
            error = visit_segment(copy->bytes, used, from_us, until_us, visit, context);
    }
    free(copy);
    return error;
}
