/* The last packets of one worker, as headers: what an evidence file is made of. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/packet.h>
#include <weir/service.h>

/* One packet, or several that were joined. Followed by `kept` bytes of its payload; of an ICMP
 * error by the packet's `icmp` member. */
struct weir_proof_entry {
    int64_t ts_us;
    struct weir_addr src, dst;
    uint32_t flow;        /* low half of the flow's hash: both directions alike */
    uint32_t payload_len; /* on the wire */
    uint32_t seq, ack, tsval, tsecr, sack_left, sack_right;
    uint16_t src_port, dst_port;
    uint16_t window, mss, ip_id;
    uint16_t kept, size; /* size: of the entry with its bytes, a multiple of 8 */
    uint8_t transport, ttl, tcp_flags, window_scale;
    uint8_t options; /* enum weir_proof_option bits */
    uint8_t service; /* weir_service_id of its flow when it came */
    bool from_client;
    bool bulk; /* may be joined with the next of its flow */
    /* for thin.c: the next acknowledgement comes soon; bytes that came before; what it has is sent
     * again later */
    bool may_go : 1, again : 1, needed : 1;
    /* from_client: what it was sent from on this network; all zero: not known */
    uint8_t mac[6];
};

static inline bool weir_proof_is_lookup(const struct weir_proof_entry *entry) {
    return entry->src_port == 53 || entry->dst_port == 53;
}
enum weir_proof_option {
    WEIR_PROOF_TIMESTAMPS = 1,
    WEIR_PROOF_SCALE = 2,
    WEIR_PROOF_SACK = 4,
    WEIR_PROOF_SACK_OK = 8
};
enum { WEIR_PROOF_KEPT_MAX = 2048 };

struct weir_proof_ring; /* opaque; one thread writes, any reads */

/* `bytes`: of memory, 1 MiB at the least; it is taken as it is used. NULL: no memory. */
struct weir_proof_ring *weir_proof_ring_new(size_t bytes);
void weir_proof_ring_free(struct weir_proof_ring *ring);

/* Keeps a packet. `naming`: its flow was not named before it came, so that its payload may tell
 * the name. */
void weir_proof_keep(struct weir_proof_ring *ring, const struct weir_packet *packet, uint64_t hash,
                     weir_service_id service, bool from_client, bool naming);

/* Visits what is there of [from_us, until_us], in the order in which it came; entries live during
 * the visit. The writer may go on meanwhile: what it overwrote is left out. 0 or -ENOMEM. */
typedef int (*weir_proof_visit)(void *context, const struct weir_proof_entry *entry);
int weir_proof_ring_read(const struct weir_proof_ring *ring, int64_t from_us, int64_t until_us,
                         weir_proof_visit visit, void *context);
