/* Packets captured twice: a mirror port that copies both ways, a bridge or a router seen on two of
 * its ports.
 *
 * Two packets of the same endpoints are one when sequence number, acknowledgement, window, flags,
 * time stamp, length, checksum and (of UDP) the ends of the payload are equal, and a sender cannot
 * have sent both:
 *
 *      within a millisecond     a switch copied it: nobody sends again so soon
 *      within ECHO_WINDOW_US    a router queued it: a copy that was routed has a lower TTL, by one
 * hop or more. The sender's own TTL says that it sent again, and perhaps kept the IPv4
 * identification (RFC 1122, 3.2.1.5, allows that, and some SYNs show it).
 *
 * The window is shorter than the least time after which TCP sends again without being asked to (200
 * ms). Stamps of two interfaces may disagree, so that the copy comes first: the identification
 * tells, where there is one, that packets of different TTL are one. A router that clamps the MSS
 * rewrites the checksum of a SYN, which is left out there. Tags and tunnel ids are no part of the
 * comparison: a routed copy has other ones.
 *
 * One cache of the last packets serves the whole table, seven in a set of one cache line, which
 * take turns: at most 28,672 packets, which is the whole window at 400,000 packets a second and
 * less of it above. One that is pushed out within a millisecond is counted. Blind spots: late
 * copies over a bridge, whose TTL is the same; copies behind address translation, and copies cut
 * differently by segmentation offload.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/wide.h"
#include "flow/flow.h"

enum { ECHO_WAYS = 7, ECHO_NEAR_US = 1000, ECHO_WINDOW_US = 64000, ECHO_UNIT_US = 4 };

struct echo_set {
    uint32_t signature[ECHO_WAYS]; /* 0: free */
    uint32_t next;                 /* the way that was written longest ago */
    uint32_t stamp[ECHO_WAYS];     /* 24 bits of ECHO_UNIT_US, then the TTL */
    uint32_t round;                /* of the stamps, which begin anew every 67 s */
};
static_assert(sizeof(struct echo_set) == 64, "a set is one cache line");

static uint64_t two(uint32_t high, uint32_t low) { return (uint64_t)high << 32 | low; }

static uint64_t signature(uint64_t hash, const struct weir_packet *packet) {
    uint32_t checksum = packet->tcp_flags & WEIR_TCP_SYN ? 0 : packet->checksum;
    uint64_t ip = two(packet->payload_len, (uint32_t)packet->ip_id << 16 | checksum);
    uint64_t numbers = packet->src_port, rest = 0;
    if (packet->transport == WEIR_TRANSPORT_TCP) {
        numbers = two(packet->tcp.seq, packet->tcp.ack);
        rest = two((uint32_t)packet->tcp.window << 16 | packet->src_port,
                   packet->tcp.has_timestamps ? packet->tcp.tsval : 0);
        rest ^= (uint64_t)packet->tcp_flags << 56;
    } else if (packet->payload_captured) {
        uint32_t n = packet->payload_captured;
        rest = n <= 64 ? XXH3_64bits(packet->payload, n)
                       : XXH3_64bits(packet->payload, 32) ^
                             XXH3_64bits(packet->payload + n - 32, 32) * 3;
    }
    uint64_t of = weir_multiply_fold(numbers ^ UINT64_C(0xa0761d6478bd642f),
                                     ip ^ UINT64_C(0xe7037ed1a0b428db));
    return weir_multiply_fold(of ^ hash, rest ^ UINT64_C(0x8ebc6af09c88c6e3));
}

static uint32_t since_us(uint32_t stamp, uint32_t now) {
    return ((now - stamp) & 0xffffff) * ECHO_UNIT_US;
}

/* Either way, for packets may come a little out of order; a stamp above `now` may be the end of the
 * last round, one below is of this round. */
static uint32_t age_us(uint32_t stamp, uint32_t now) {
    uint32_t ahead_us = stamp > now ? (stamp - now) * ECHO_UNIT_US : UINT32_MAX,
             us = since_us(stamp, now);
    return us < ahead_us ? us : ahead_us;
}

/* Nearly every packet is a new one: one look at all signatures settles that. */
static unsigned alike(const struct echo_set *set, uint32_t signature) {
    unsigned ways = 0;
    for (unsigned i = 0; i < ECHO_WAYS; i++)
        ways |= (unsigned)(set->signature[i] == signature) << i;
    return ways;
}

/* A stamp of an earlier round would look young again when the clock comes by it: of the last
 * round's, those of the window stay, and nothing else. */
static void begin_round(struct echo_set *set, uint32_t round, uint32_t now) {
    bool next_round = round == set->round + 1;
    for (unsigned i = 0; i < ECHO_WAYS; i++) {
        uint32_t stamp = set->stamp[i] >> 8;
        if (!next_round || stamp <= now || since_us(stamp, now) > ECHO_WINDOW_US)
            set->signature[i] = 0;
    }
    set->round = round;
}

/* The set of a packet, by what is cheap to mix and seldom the same of two in a row: it is worked
 * out twice, to be prefetched. */
static struct echo_set *set_of(const struct weir_flow_table *table, uint64_t hash,
                               const struct weir_packet *packet) {
    bool tcp = packet->transport == WEIR_TRANSPORT_TCP;
    uint32_t number =
        tcp ? packet->tcp.seq + packet->tcp.ack : packet->payload_len << 16 ^ packet->checksum;
    uint64_t mixed = (hash ^ two(number, packet->ip_id)) * UINT64_C(0xa0761d6478bd642f);
    return &table->echoes[(mixed >> 48) & table->echo_mask];
}

void echo_prefetch(const struct weir_flow_table *table, uint64_t hash,
                   const struct weir_packet *packet) {
    __builtin_prefetch(set_of(table, hash, packet), 1);
}

/* Of two packets alike in all that `signature` holds. */
static bool is_copy(uint32_t stamp, uint32_t now, const struct weir_packet *packet) {
    uint32_t us = age_us(stamp >> 8, now);
    uint8_t ttl = (uint8_t)stamp;
    if (us < ECHO_NEAR_US) return true;
    return us <= ECHO_WINDOW_US && (packet->ttl < ttl || (packet->ip_id && packet->ttl != ttl));
}

bool echo_seen(struct weir_flow_table *table, uint64_t hash, const struct weir_packet *packet) {
    uint64_t of = signature(hash, packet);
    struct echo_set *set = set_of(table, hash, packet);
    uint64_t units = (uint64_t)packet->ts_us / ECHO_UNIT_US;
    uint32_t now = (uint32_t)units & 0xffffff, round = (uint32_t)(units >> 24);
    if (set->round != round) begin_round(set, round, now);
    for (unsigned ways = alike(set, (uint32_t)of | 1); ways; ways &= ways - 1)
        if (is_copy(set->stamp[__builtin_ctz(ways)], now, packet)) return true;
    uint32_t way = set->next;
    if (set->signature[way] && age_us(set->stamp[way] >> 8, now) <= ECHO_NEAR_US)
        table->stats.detail_refused++;
    set->signature[way] = (uint32_t)of | 1;
    set->stamp[way] = now << 8 | packet->ttl;
    set->next = way + 1 < ECHO_WAYS ? way + 1 : 0;
    return false;
}
