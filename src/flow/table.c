/* The table of flows: a keyed hash of the two endpoints leads to a bucket of one cache line.
 *
 *      bucket  | 12 tags of 8 bits | passed | 12 handles |
 *
 * A tag tells nearly always whether the handle is worth following. A flow whose bucket is full goes
 * to the next one with room; each bucket it passes counts it in `passed`, so that a search ends at
 * the first bucket that nobody passed and removing leaves no tombstones.
 *
 * The buckets double, in place, when they hold BUCKET_LOAD flows each on average: sized at once for
 * the most flows that the bound allows, every live flow of a usual day would touch a bucket of its
 * own, 64 bytes of memory and a cache miss. All flows are then placed anew, read in the order in
 * which they lie: 35 to 50 ns each, 6 ms for the 114,688 at which mix grows last.
 *
 * When there is no room, the flow that has been waiting longest for any answer makes way: a flood
 * of SYNs displaces itself, not the flows that work.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/wide.h"
#include "flow/table.h"

enum {
    BUCKET_WAYS = 12,
    BUCKET_LOAD = 7,
    BUCKETS_FIRST = 1024,
    FLOWS_MIN = 64,
    PORT_DNS = 53,
    TELLING_BYTES = 4096,
    ECHO_SETS_MAX = 4096,
    HUGE_FROM_BYTES = 4 << 20
};

struct bucket {
    uint8_t tags[BUCKET_WAYS]; /* 0: empty */
    uint32_t passed;
    uint32_t handles[BUCKET_WAYS];
};
static_assert(sizeof(struct bucket) == 64, "a bucket is one cache line");

struct endpoints {
    const struct weir_addr *src, *dst;
    uint16_t src_port, dst_port;
    uint8_t transport;
};

static struct endpoints endpoints_of(const struct weir_packet *packet) {
    if (packet->transport == WEIR_TRANSPORT_ICMP)
        return (struct endpoints){&packet->icmp.quoted_src, &packet->icmp.quoted_dst,
                                  packet->icmp.quoted_src_port, packet->icmp.quoted_dst_port,
                                  packet->icmp.quoted_transport};
    return (struct endpoints){&packet->src, &packet->dst, packet->src_port, packet->dst_port,
                              packet->transport};
}

static uint64_t hash_endpoint(uint64_t secret, const struct weir_addr *addr, uint16_t port) {
    uint64_t low, high;
    memcpy(&high, addr->bytes, sizeof high);
    memcpy(&low, addr->bytes + sizeof high, sizeof low);
    uint64_t of_addr = weir_multiply_fold(low ^ secret ^ UINT64_C(0xa0761d6478bd642f),
                                          high ^ UINT64_C(0xe7037ed1a0b428db));
    return weir_multiply_fold(of_addr ^ port ^ UINT64_C(0x8ebc6af09c88c6e3),
                              secret ^ UINT64_C(0x589965cc75374cc3));
}

/* Of both endpoints, whichever sent: each is hashed alone and their sum again. */
static uint64_t hash_endpoints(uint64_t secret, const struct endpoints *of) {
    bool dns = of->src_port == PORT_DNS || of->dst_port == PORT_DNS;
    uint64_t sum = hash_endpoint(secret, of->src, dns ? 0 : of->src_port) +
                   hash_endpoint(secret, of->dst, dns ? 0 : of->dst_port);
    uint64_t rest = dns ? 0 : of->transport;
    return weir_multiply_fold(sum ^ rest * UINT64_C(0x9e3779b97f4a7c15),
                              secret ^ UINT64_C(0x1d8e4e27c47d124f)) ^
           sum;
}

/* Where in the table: all of a client's DNS flows share the hash that chooses the worker, so ports
 * are added here. */
static uint64_t place(uint64_t hash, const struct endpoints *of) {
    if (of->src_port != PORT_DNS && of->dst_port != PORT_DNS) return hash;
    uint64_t ports = (uint64_t)of->src_port + of->dst_port + ((uint64_t)of->transport << 32);
    return (hash ^ ports * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
}

uint64_t weir_flow_hash(const struct weir_flow_table *table, const struct weir_packet *packet) {
    struct endpoints of = endpoints_of(packet);
    return hash_endpoints(table->config.hash_secret, &of);
}

static uint8_t tag_of(uint64_t where) { return (uint8_t)(where >> 56) | 1; }
static size_t home_of(const struct weir_flow_table *table, uint64_t where) {
    return where & table->bucket_mask;
}

static bool same(const struct weir_flow *flow, const struct endpoints *of,
                 enum weir_side *ret_side) {
    if (flow->transport != of->transport) return false;
    if (flow->port[0] == of->src_port && flow->port[1] == of->dst_port &&
        !weir_addr_compare(&flow->addr[0], of->src) &&
        !weir_addr_compare(&flow->addr[1], of->dst)) {
        *ret_side = WEIR_CLIENT;
        return true;
    }
    if (flow->port[1] == of->src_port && flow->port[0] == of->dst_port &&
        !weir_addr_compare(&flow->addr[1], of->src) &&
        !weir_addr_compare(&flow->addr[0], of->dst)) {
        *ret_side = WEIR_SERVER;
        return true;
    }
    return false;
}

/* What one look into the table finds. */
struct found {
    /* the packet's: the same endpoints, and the same tags or surely the same conversation */
    struct weir_flow *flow;
    /* else one of the same endpoints in other tags: another's, or the packet is a copy of its */
    struct weir_flow *other;
    enum weir_side side, other_side; /* the sender */
};

static struct found find(const struct weir_flow_table *table, uint64_t where,
                         const struct endpoints *of, const struct weir_packet *packet) {
    struct found found = {.flow = NULL};
    uint8_t tag = tag_of(where);
    for (size_t at = home_of(table, where), n = 0; n <= table->bucket_mask;
         at = (at + 1) & table->bucket_mask, n++) {
        const struct bucket *bucket = &table->buckets[at];
        for (unsigned i = 0; i < BUCKET_WAYS; i++) {
            enum weir_side side;
            if (bucket->tags[i] != tag) continue;
            struct weir_flow *flow = slab_at(&table->flows, bucket->handles[i]);
            if (!same(flow, of, &side)) continue;
            if (flow->domain == packet->domain) return (struct found){.flow = flow, .side = side};
            found.other = flow;
            found.other_side = side;
            if (!found.flow && domain_follows(flow, packet, side)) {
                found.flow = flow;
                found.side = side;
            }
        }
        if (!bucket->passed) break;
    }
    return found;
}

static void insert(struct weir_flow_table *table, uint64_t where, uint32_t handle) {
    for (size_t at = home_of(table, where);; at = (at + 1) & table->bucket_mask) {
        struct bucket *bucket = &table->buckets[at];
        for (unsigned i = 0; i < BUCKET_WAYS; i++) {
            if (bucket->tags[i]) continue;
            bucket->tags[i] = tag_of(where);
            bucket->handles[i] = handle;
            return;
        }
        bucket->passed++;
    }
}

static struct endpoints endpoints_of_flow(const struct weir_flow *flow) {
    return (struct endpoints){&flow->addr[0], &flow->addr[1], flow->port[0], flow->port[1],
                              flow->transport};
}

static uint64_t place_of(const struct weir_flow *flow) {
    struct endpoints of = endpoints_of_flow(flow);
    return place(hash_endpoints(flow->table->config.hash_secret, &of), &of);
}

unsigned weir_flow_shard(const struct weir_flow *flow) {
    struct endpoints of = endpoints_of_flow(flow);
    return weir_shard_of(hash_endpoints(flow->table->config.hash_secret, &of));
}

/* Huge pages are for tables that are read at random and fill them: a quiet gateway's first flow
 * would otherwise take 2 MiB, and its bucket 2 more. */
static void wish_huge(struct weir_flow_table *table) {
    size_t n_buckets = table->bucket_mask + 1;
    if (n_buckets * sizeof *table->buckets >= HUGE_FROM_BYTES)
        memory_wish_huge(table->buckets, table->n_buckets_max * sizeof *table->buckets);
    if (n_buckets * BUCKET_LOAD * sizeof(struct weir_flow) >= HUGE_FROM_BYTES)
        memory_wish_huge(table->flows.base, table->flows.reserved);
}

static void grow(struct weir_flow_table *table) {
    size_t n_buckets = table->bucket_mask + 1;
    memset(table->buckets, 0, n_buckets * sizeof *table->buckets);
    table->bucket_mask = n_buckets * 2 - 1;
    wish_huge(table);
    for (uint32_t handle = 1; handle <= table->flows.n_touched; handle++) {
        const struct weir_flow *flow = slab_at(&table->flows, handle);
        if (flow->transport) /* else it has been given back */
            insert(table, place_of(flow), handle);
    }
}

static void unhash(struct weir_flow *flow) {
    struct weir_flow_table *table = flow->table;
    uint64_t where = place_of(flow);
    uint32_t handle = handle_of(flow);
    for (size_t at = home_of(table, where), n = 0; n <= table->bucket_mask;
         at = (at + 1) & table->bucket_mask, n++) {
        struct bucket *bucket = &table->buckets[at];
        for (unsigned i = 0; i < BUCKET_WAYS; i++) {
            if (bucket->tags[i] && bucket->handles[i] == handle) {
                bucket->tags[i] = 0;
                return;
            }
        }
        bucket->passed--;
    }
    assert(!"a flow is in its table");
}

/* ---- the flows that wait for an answer, oldest first ---- */

static void waiting_add(struct weir_flow *flow, int64_t now_us) {
    struct weir_flow_table *table = flow->table;
    uint32_t handle = handle_of(flow);
    flow->flags |= FLOW_WAITING;
    flow->waiting.prev = table->waiting_tail;
    flow->waiting.next = 0;
    flow->waiting.born_ms = now_ms(now_us);
    flow->waiting.icmp_ms = 0;
    if (table->waiting_tail)
        ((struct weir_flow *)slab_at(&table->flows, table->waiting_tail))->waiting.next = handle;
    else
        table->waiting_head = handle;
    table->waiting_tail = handle;
}

void flow_answered(struct weir_flow *flow) {
    if (!flow_is(flow, FLOW_WAITING)) return;
    struct weir_flow_table *table = flow->table;
    uint32_t prev = flow->waiting.prev, next = flow->waiting.next;
    *(prev ? &((struct weir_flow *)slab_at(&table->flows, prev))->waiting.next
           : &table->waiting_head) = next;
    *(next ? &((struct weir_flow *)slab_at(&table->flows, next))->waiting.prev
           : &table->waiting_tail) = prev;
    flow->flags &= ~(uint32_t)FLOW_WAITING;
    memset(&flow->pending, 0, sizeof flow->pending);
}

void table_remove(struct weir_flow *flow) {
    struct weir_flow_table *table = flow->table;
    flow_answered(flow);
    timer_stop(flow);
    if (!table->emptying) unhash(flow);
    flow->transport = WEIR_TRANSPORT_NONE;
    table->stats.flows_now--;
    slab_give(&table->flows, handle_of(flow));
}

static bool shed(struct weir_flow_table *table, const struct weir_packet *packet) {
    if (!table->waiting_head) return false;
    struct weir_flow *flow = slab_at(&table->flows, table->waiting_head);
    table->stats.flows_shed++;
    flow_end(flow, WEIR_END_OPEN, packet->ts_us, packet->now_us);
    return true;
}

/* ---- who is the client ---- */

static bool in_local(const struct weir_flow_table *table, const struct weir_addr *addr) {
    for (size_t i = 0; i < table->config.n_local; i++)
        if (weir_cidr_contains(&table->config.local[i], addr)) return true;
    return false;
}

static enum weir_side sender_by_addr(const struct weir_flow_table *table,
                                     const struct weir_packet *packet) {
    bool src = in_local(table, &packet->src), dst = in_local(table, &packet->dst);
    if (src == dst) {
        src = weir_addr_is_local(&packet->src);
        dst = weir_addr_is_local(&packet->dst);
    }
    if (weir_addr_is_group(&packet->dst) || weir_addr_is_group(&packet->src))
        return weir_addr_is_group(&packet->dst) ? WEIR_CLIENT : WEIR_SERVER;
    if (src != dst) return src ? WEIR_CLIENT : WEIR_SERVER;
    if (packet->src_port != packet->dst_port)
        return packet->src_port > packet->dst_port ? WEIR_CLIENT : WEIR_SERVER;
    return weir_addr_compare(&packet->src, &packet->dst) <= 0 ? WEIR_CLIENT : WEIR_SERVER;
}

static enum weir_side sender_of(const struct weir_flow_table *table,
                                const struct weir_packet *packet) {
    if (packet->transport == WEIR_TRANSPORT_TCP && (packet->tcp_flags & WEIR_TCP_SYN))
        return packet->tcp_flags & WEIR_TCP_ACK ? WEIR_SERVER : WEIR_CLIENT;
    bool to_dns = packet->dst_port == PORT_DNS, from_dns = packet->src_port == PORT_DNS;
    if (to_dns && from_dns && packet->transport == WEIR_TRANSPORT_UDP &&
        packet->payload_captured > 2)
        return packet->payload[2] & 0x80 ? WEIR_SERVER : WEIR_CLIENT;
    if (to_dns != from_dns) return to_dns ? WEIR_CLIENT : WEIR_SERVER;
    if (packet->transport == WEIR_TRANSPORT_UDP && quic_opens(packet) == QUIC_OPENING)
        return packet->src_port == 443 && packet->dst_port != 443 ? WEIR_SERVER : WEIR_CLIENT;
    return sender_by_addr(table, packet);
}

/* ---- packets ---- */

static int64_t first_timer_us(const struct weir_flow *flow) {
    if (flow->transport == WEIR_TRANSPORT_TCP)
        return flow->state == STATE_OPEN ? INT64_C(300000000) : INT64_C(30000000);
    return flow_is(flow, FLOW_DNS) ? INT64_C(10000000) : INT64_C(60000000);
}

static struct weir_flow *make(struct weir_flow_table *table, uint64_t where,
                              const struct weir_packet *packet, enum weir_side *ret_side) {
    if (table->stats.flows_now >= (table->bucket_mask + 1) * BUCKET_LOAD &&
        table->bucket_mask + 1 < table->n_buckets_max)
        grow(table);
    uint32_t handle = slab_take(&table->flows);
    if (!handle && shed(table, packet)) handle = slab_take(&table->flows);
    if (!handle) return NULL;
    struct weir_flow *flow = slab_at(&table->flows, handle);
    enum weir_side side = sender_of(table, packet);
    flow->table = table;
    flow->addr[side] = packet->src;
    flow->addr[other(side)] = packet->dst;
    flow->port[side] = packet->src_port;
    flow->port[other(side)] = packet->dst_port;
    flow->domain = packet->domain;
    flow->transport = packet->transport;
    flow->first_ts_us = packet->ts_us;
    flow->opening_rtt_us[0] = flow->opening_rtt_us[1] = RTT_NONE;
    if (flow->port[WEIR_SERVER] == PORT_DNS) flow->flags |= FLOW_DNS;
    if (flow->transport == WEIR_TRANSPORT_TCP) {
        tcp_open(flow, packet);
    } else {
        flow->state = STATE_OPEN;
        flow->proto = PROTO_UDP;
    }
    insert(table, where, handle);
    if (flow->state == STATE_SYN_SENT || flow->transport == WEIR_TRANSPORT_UDP)
        waiting_add(flow, packet->now_us);
    timer_start(flow, packet->now_us, packet->now_us + first_timer_us(flow));
    table->stats.flows++;
    if (table->config.n_local)
        table->stats.flows_local += in_local(table, &flow->addr[WEIR_CLIENT]);
    if (++table->stats.flows_now > table->stats.flows_peak)
        table->stats.flows_peak = table->stats.flows_now;
    *ret_side = side;
    return flow;
}

/* Names and requests are told by all of DNS, by what clients say first, and in QUIC by what both
 * say first. */
static void note_cut(struct weir_flow *flow, const struct weir_packet *packet,
                     enum weir_side side) {
    bool dns = packet->src_port == PORT_DNS || packet->dst_port == PORT_DNS;
    bool telling = side == WEIR_CLIENT || packet->transport == WEIR_TRANSPORT_UDP;
    flow->table->stats.dns_cut += dns;
    if (dns || (telling && flow->payload[side] < TELLING_BYTES)) flow->flags |= FLOW_BLIND;
}

static void count_packet(struct weir_flow *flow, const struct weir_packet *packet,
                         enum weir_side side) {
    struct report *report = flow_report(flow);
    flow->packets[side]++;
    if (packet->payload_captured < packet->payload_len) note_cut(flow, packet, side);
    flow->payload[side] += packet->payload_len;
    if (packet->ts_us < flow->first_ts_us) flow->first_ts_us = packet->ts_us;
    flow->table->before_ms = flow->last_ms;
    flow->last_ms = now_ms(packet->now_us);
    if (!report) return;
    report->bytes[side] += packet->ip_payload_len;
    if (packet->ts_us > report->last_ts_us) report->last_ts_us = packet->ts_us;
}

static void udp_packet(struct weir_flow *flow, const struct weir_packet *packet,
                       enum weir_side side) {
    if (flow_is(flow, FLOW_WAITING) && flow->packets[0] && flow->packets[1]) flow_answered(flow);
    if (flow_is(flow, FLOW_DNS)) {
        dns_payload(flow, packet, side);
        return;
    }
    bool first = flow->packets[0] + flow->packets[1] == 1;
    if (flow->proto == PROTO_UDP &&
        (first ? quic_opens(packet) != QUIC_NOT : quic_begins_anew(flow, packet, side))) {
        flow->proto = PROTO_QUIC;
        flow->flags |= first ? 0 : (uint32_t)FLOW_MID;
    }
    if (flow->proto == PROTO_QUIC) quic_packet(flow, packet, side);
    if (packet->payload_len) flow->payload_us[side] = (uint32_t)packet->ts_us;
}

static bool icmp_unreachable(const struct weir_packet *packet) {
    uint8_t type = packet->icmp.type, code = packet->icmp.code;
    if (!weir_addr_is_v4(&packet->icmp.quoted_src)) return type == 1;
    static const uint32_t codes = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 9 | 1u << 10 | 1u << 13;
    return type == 3 && code < 32 && (codes >> code & 1);
}

/* An error about the packet that opens a flow is held for three seconds: an answer may still come.
 */
static enum weir_track icmp_packet(struct weir_flow_table *table, uint64_t hash,
                                   const struct weir_packet *packet, struct weir_flow **ret_flow,
                                   enum weir_side *ret_side) {
    struct endpoints of = endpoints_of(packet);
    struct found found = find(table, place(hash, &of), &of, packet);
    struct weir_flow *flow = found.flow;
    enum weir_side quoted = found.side;
    if (!flow) return WEIR_TRACK_NO_FLOW;
    *ret_flow = flow;
    *ret_side = other(quoted);
    if (!icmp_unreachable(packet) || quoted != WEIR_CLIENT || !flow_is(flow, FLOW_WAITING) ||
        flow_is(flow, FLOW_ICMP))
        return WEIR_TRACK_OK;
    if (flow->transport == WEIR_TRANSPORT_TCP &&
        (flow->state != STATE_SYN_SENT || packet->icmp.quoted_seq != flow->nxt[WEIR_CLIENT] - 1))
        return WEIR_TRACK_OK;
    flow->flags |= FLOW_ICMP;
    flow->waiting.icmp_ms = now_ms(packet->now_us);
    timer_by(flow, packet->now_us + 3000000);
    return WEIR_TRACK_OK;
}

/* The first of two copies may have had other tags. */
static void duplicate(struct weir_flow_table *table, const struct found *found,
                      const struct weir_packet *packet) {
    struct weir_flow *flow = found->flow ? found->flow : found->other;
    enum weir_side side = found->flow ? found->side : found->other_side;
    table->stats.duplicates++;
    if (!flow) return;
    if (flow_report(flow)) flow_report(flow)->duplicates++;
    flow_emit(flow, &(struct weir_event){
                        .kind = WEIR_EVENT_ANOMALY,
                        .ts_us = packet->ts_us,
                        .now_us = packet->now_us,
                        .anomaly = {WEIR_ANOMALY_DUPLICATE, side, packet->payload_len, 1}});
}

enum weir_track weir_flow_track(struct weir_flow_table *table, uint64_t hash,
                                const struct weir_packet *packet, struct weir_flow **ret_flow,
                                enum weir_side *ret_side) {
    if (packet->transport == WEIR_TRANSPORT_ICMP)
        return icmp_packet(table, hash, packet, ret_flow, ret_side);
    if (packet->transport != WEIR_TRANSPORT_TCP && packet->transport != WEIR_TRANSPORT_UDP)
        return WEIR_TRACK_NO_FLOW;
    struct endpoints of = endpoints_of(packet);
    uint64_t where = place(hash, &of);
    struct found found = find(table, where, &of, packet);
    struct weir_flow *flow = found.flow;
    enum weir_side side = found.side;
    if (echo_seen(table, hash, packet)) {
        duplicate(table, &found, packet);
        return WEIR_TRACK_DUPLICATE;
    }
    if (flow && flow->transport == WEIR_TRANSPORT_TCP && tcp_is_reuse(flow, packet, side)) {
        flow_last_words(flow, packet->ts_us, packet->now_us);
        flow_end(flow, flow_end_reason(flow, WEIR_END_IDLE), packet->ts_us, packet->now_us);
        flow = NULL;
    }
    if (!flow) {
        flow = make(table, where, packet, &side);
        if (!flow) {
            table->stats.flows_refused++;
            return WEIR_TRACK_REFUSED;
        }
        count_packet(flow, packet, side);
        flow_emit(flow, &(struct weir_event){.kind = WEIR_EVENT_NEW,
                                             .ts_us = packet->ts_us,
                                             .now_us = packet->now_us});
    } else {
        if (flow->domain != packet->domain) domain_joined(flow, packet, side);
        count_packet(flow, packet, side);
    }
    if (flow->transport == WEIR_TRANSPORT_TCP)
        tcp_packet(flow, packet, side);
    else
        udp_packet(flow, packet, side);
    *ret_flow = flow;
    *ret_side = side;
    return WEIR_TRACK_OK;
}

void table_emptied(struct weir_flow_table *table) {
    memset(table->buckets, 0, (table->bucket_mask + 1) * sizeof *table->buckets);
    table->emptying = false;
}

void weir_flow_prefetch_bucket(const struct weir_flow_table *table, uint64_t hash) {
    __builtin_prefetch(&table->buckets[home_of(table, hash)]);
}

void weir_flow_prefetch_flow(const struct weir_flow_table *table, uint64_t hash,
                             const struct weir_packet *packet) {
    echo_prefetch(table, hash, packet);
    const struct bucket *bucket = &table->buckets[home_of(table, hash)];
    uint8_t tag = tag_of(hash);
    for (unsigned i = 0; i < BUCKET_WAYS; i++) {
        if (bucket->tags[i] != tag) continue;
        flow_prefetch(slab_at(&table->flows, bucket->handles[i]));
        return;
    }
}

/* ---- making and freeing ---- */

static size_t power_of_two_below(size_t n) {
    size_t power = 1;
    while (power * 2 <= n) power *= 2;
    return power;
}

/* Of the bound: a fixed part for duplicates, DNS and buckets, 60 % of the rest for flows, 40 % for
 * what is cold. */
static int table_size(struct weir_flow_table *table) {
    size_t bytes = table->config.memory_bytes;
    size_t each = sizeof(struct weir_flow) + timer_link_bytes(1) + 16 +
                  (table->config.reports ? sizeof(struct report) : 0);
    size_t n_flows = bytes / 2 / each;
    if (n_flows < FLOWS_MIN) return -EINVAL;
    size_t n_buckets = power_of_two_below(n_flows / BUCKET_WAYS * 2 + 1);
    if (n_buckets * BUCKET_WAYS < n_flows + n_flows / 8) n_buckets *= 2;
    size_t n_echoes = power_of_two_below(bytes / 512 / sizeof(struct bucket) + 1);
    if (n_echoes > ECHO_SETS_MAX) n_echoes = ECHO_SETS_MAX;
    table->n_buckets_max = n_buckets;
    table->bucket_mask = (n_buckets < BUCKETS_FIRST ? n_buckets : BUCKETS_FIRST) - 1;
    table->echo_mask = n_echoes - 1;
    table->buckets = memory_reserve(n_buckets * sizeof *table->buckets);
    table->echoes = memory_reserve(n_echoes * sizeof(struct bucket));
    table->links = memory_reserve(timer_link_bytes(n_flows + 1));
    table->n_flows_max = n_flows;
    if (table->config.reports)
        table->reports = memory_reserve((n_flows + 1) * sizeof *table->reports);
    if (!table->buckets || !table->echoes || !table->links ||
        (table->config.reports && !table->reports))
        return -ENOMEM;
    table->flow_memory.max = n_flows * sizeof(struct weir_flow);
    table->memory.max = bytes * 2 / 5;
    return 0;
}

static int slabs_init(struct weir_flow_table *table) {
    const struct {
        struct slab *slab;
        size_t item_bytes;
    } slabs[] = {
        {&table->histograms, sizeof(struct spread_histogram)},
        {&table->stalls, sizeof(struct stalls)},
        {&table->shake, sizeof(struct shake)},
        {&table->detail, sizeof(struct detail)},
        {&table->dns_flows, sizeof(struct dns_flow)},
        {&table->dns_streams, DNS_STREAM_BYTES},
    };
    int error = slab_init(&table->flows, &table->flow_memory, sizeof(struct weir_flow),
                          table->flow_memory.max / sizeof(struct weir_flow));
    for (size_t i = 0; !error && i < sizeof slabs / sizeof *slabs; i++)
        error = slab_init(slabs[i].slab, &table->memory, slabs[i].item_bytes,
                          table->memory.max / slabs[i].item_bytes);
    return error;
}

int weir_flow_table_new(struct weir_flow_table **ret_table, const struct weir_flow_config *config) {
    struct weir_flow_table *table = calloc(1, sizeof *table);
    if (!table) return -ENOMEM;
    table->config = *config;
    int error = table_size(table);
    if (!error) error = slabs_init(table);
    if (!error) error = dns_new(table);
    if (error) {
        weir_flow_table_free(table);
        return error;
    }
    *ret_table = table;
    return 0;
}

void weir_flow_table_free(struct weir_flow_table *table) {
    if (!table) return;
    struct slab *slabs[] = {&table->histograms, &table->stalls,    &table->shake,
                            &table->detail,     &table->dns_flows, &table->dns_streams};
    memory_release(table->buckets, table->n_buckets_max * sizeof(struct bucket));
    memory_release(table->echoes, (table->echo_mask + 1) * sizeof(struct bucket));
    memory_release(table->links, timer_link_bytes(table->n_flows_max + 1));
    memory_release(table->reports, (table->n_flows_max + 1) * sizeof *table->reports);
    slab_deinit(&table->flows);
    for (size_t i = 0; i < sizeof slabs / sizeof *slabs; i++) slab_deinit(slabs[i]);
    dns_free(table);
    free(table);
}

void weir_flow_table_stats(const struct weir_flow_table *table, struct weir_flow_stats *ret_stats) {
    *ret_stats = table->stats;
    size_t beside = timer_link_bytes(1) + (table->reports ? sizeof *table->reports : 0);
    ret_stats->memory_bytes = sizeof *table + table->flow_memory.used +
                              table->flows.n_touched * beside + table->memory.used +
                              (table->bucket_mask + table->echo_mask + 2) * sizeof(struct bucket);
}
