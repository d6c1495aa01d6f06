/* Whole flows are chosen, never parts: a flow that ends in the middle would look like a fault of
 * its own.
 *
 *      speaks    of the incident's service, alive since the onset    60 % of the room
 *      spoke     of it, before that                                  what is left of these
 *      near      of other services, since then, where it fails       10 %, and what is left
 *      lookups   they name flows that fail, and clear the resolver   10 %
 *      controls  of other services                                   15 %, three flows a service
 *      others    all else used meanwhile                             what is left, three of a kind
 *
 * Then, in this order, whatever there is room for. Within each the services take turns, and the
 * newest flow of each comes first: a control proves most when it is of yet another service. What
 * other services do where this one fails tells a shared CDN from a service, whichever it is.
 *
 * An incident of the way out is nobody's, and all services speak for it, most of them well: many
 * lose packets before somebody starves. So the flows of clients that it names come first there, up
 * to half of the room; the other half shows whom else it meets. Of an incident of a service this
 * would hide who is well.
 *
 * Where not all finds room, transfers become coarser (thin.c) before flows are left out. What went
 * before the fault, and who was well meanwhile, is what a verdict rests on. Where the service's own
 * flows are still more than their share, all flows end earlier, together. What comes behind the
 * verdict tells how long it lasted, and no more. But a reader's clock goes by packets alone, and
 * joined ones stand late: BEHIND_US of them must be there, or the reader never gets to the second
 * at which the verdict was said.
 *
 * A connection that fails never says its name: an address that served the service of the incident
 * speaks for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proof/select.h"
#include "proof/thin.h"

#define BEHIND_US INT64_C(3000000)

enum kind { KIND_SPEAKS, KIND_SPOKE, KIND_NEAR, KIND_LOOKUP, KIND_CONTROL, KIND_OTHER, KIND_N };

struct flow {
    size_t first, n; /* in the list sorted by flow */
    int64_t end_us;
    size_t bytes;
    enum kind kind;
    weir_service_id service;
    unsigned turn; /* how many of its kind and service are newer */
    bool hit;      /* of a client that the incident names */
    bool chosen;
};

static uint16_t client_port(const struct weir_proof_entry *entry) {
    return entry->from_client ? entry->src_port : entry->dst_port;
}

/* All of a client's lookups have one hash: their ports tell them apart. */
static int by_flow(const void *a, const void *b) {
    const struct weir_proof_entry *x = *(struct weir_proof_entry *const *)a,
                                  *y = *(struct weir_proof_entry *const *)b;
    if (x->flow != y->flow) return x->flow < y->flow ? -1 : 1;
    if (client_port(x) != client_port(y)) return client_port(x) < client_port(y) ? -1 : 1;
    if (x->ts_us != y->ts_us) return x->ts_us < y->ts_us ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int by_time(const void *a, const void *b) {
    const struct weir_proof_entry *x = *(struct weir_proof_entry *const *)a,
                                  *y = *(struct weir_proof_entry *const *)b;
    if (x->ts_us != y->ts_us) return x->ts_us < y->ts_us ? -1 : 1;
    if (x->flow != y->flow) /* whichever worker had them */
        return x->flow < y->flow ? -1 : 1;
    return x < y ? -1 : x > y; /* as they came */
}

static int by_merit(const void *a, const void *b) {
    const struct flow *x = *(struct flow *const *)a, *y = *(struct flow *const *)b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->hit != y->hit) return x->hit ? -1 : 1;
    if (x->turn != y->turn) return x->turn < y->turn ? -1 : 1;
    if (x->end_us != y->end_us) return x->end_us > y->end_us ? -1 : 1;
    return x < y ? -1 : x > y;
}

static const struct weir_addr *server_of(const struct weir_proof_entry *entry) {
    return entry->from_client ? &entry->dst : &entry->src;
}

/* Of a flow the service that it had last: names come with the first payload. */
static weir_service_id service_of(struct weir_proof_entry *const *entries,
                                  const struct flow *flow) {
    weir_service_id service = WEIR_SERVICE_NONE;
    for (size_t i = flow->first; i < flow->first + flow->n; i++)
        if (entries[i]->service != WEIR_SERVICE_NONE) service = entries[i]->service;
    return service;
}

static bool
is_game(const struct weir_proof_entry *entry) /* or a call, or anything else that is no service's */
{
    return entry->transport == WEIR_TRANSPORT_UDP && !weir_proof_is_lookup(entry) &&
           entry->dst_port != 443 && entry->src_port != 443;
}

/* In the file: a block's own 32 bytes, headers from Ethernet on, and what is kept of the payload.
 */
static size_t size_of(const struct weir_proof_entry *entry) {
    bool tcp = entry->transport == WEIR_TRANSPORT_TCP;
    size_t options = (entry->mss ? 4 : 0) + (entry->options & WEIR_PROOF_TIMESTAMPS ? 12 : 0) +
                     (entry->options & WEIR_PROOF_SACK ? 12 : 0) +
                     (entry->options & WEIR_PROOF_SCALE ? 4 : 0) +
                     (entry->options & WEIR_PROOF_SACK_OK ? 4 : 0);
    size_t headers = (weir_addr_is_v4(&entry->dst) ? 20 : 40) + (tcp ? 20 + options : 8);
    return (32 + 14 + headers + entry->kept + 3) & ~(size_t)3;
}

static bool is_near(const struct weir_proof_entry *entry, const struct weir_proof_case *about) {
    struct weir_addr prefix = weir_addr_prefix(server_of(entry));
    for (unsigned i = 0; i < about->n_prefixes; i++)
        if (weir_addr_compare(&prefix, &about->prefixes[i]) == 0) return true;
    return false;
}

static bool is_hit(const struct weir_proof_entry *entry, const struct weir_proof_case *about) {
    const struct weir_addr *client = entry->from_client ? &entry->src : &entry->dst;
    for (unsigned i = 0; i < about->n_clients; i++)
        if (weir_addr_compare(client, &about->clients[i]) == 0) return true;
    return false;
}

static void judge(struct weir_proof_entry **entries, struct flow *flow,
                  const struct weir_proof_case *about) {
    weir_service_id service = service_of(entries, flow);
    flow->service = service;
    flow->end_us = entries[flow->first + flow->n - 1]->ts_us;
    for (size_t i = flow->first; i < flow->first + flow->n; i++) entries[i]->service = service;
    bool ours = about->service == WEIR_SERVICE_NONE ? service > WEIR_SERVICE_OTHER
                                                    : service == about->service;
    if (weir_proof_is_lookup(entries[flow->first]))
        flow->kind = KIND_LOOKUP;
    else if (ours)
        flow->kind = flow->end_us >= about->onset_us ? KIND_SPEAKS : KIND_SPOKE;
    else if (service > WEIR_SERVICE_OTHER)
        flow->kind = flow->end_us >= about->onset_us && is_near(entries[flow->first], about)
                         ? KIND_NEAR
                         : KIND_CONTROL;
    else
        flow->kind = is_game(entries[flow->first]) ? KIND_N : KIND_OTHER;
    flow->hit = about->service == WEIR_SERVICE_NONE && flow->kind == KIND_SPEAKS &&
                is_hit(entries[flow->first], about);
}

/* ---- addresses that serve the service ---- */

struct addresses {
    size_t room; /* a power of two */
    struct {
        struct weir_addr addr;
        weir_service_id service;
        bool used;
    } * slots;
};

static size_t place_of(const struct addresses *addresses, const struct weir_addr *addr) {
    uint64_t a, b;
    memcpy(&a, addr->bytes, 8);
    memcpy(&b, addr->bytes + 8, 8);
    size_t at =
        (size_t)(((a ^ b * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9)) >> 32) &
        (addresses->room - 1);
    while (addresses->slots[at].used && weir_addr_compare(&addresses->slots[at].addr, addr) != 0)
        at = (at + 1) & (addresses->room - 1);
    return at;
}

static int learn(struct addresses *addresses, struct weir_proof_entry *const *entries, size_t n) {
    addresses->room = 64;
    while (addresses->room < 2 * n) addresses->room *= 2;
    addresses->slots = calloc(addresses->room, sizeof *addresses->slots);
    for (size_t i = 0; addresses->slots && i < n; i++) {
        if (entries[i]->service <= WEIR_SERVICE_OTHER || weir_proof_is_lookup(entries[i]) ||
            entries[i]->transport == WEIR_TRANSPORT_ICMP)
            continue;
        size_t at = place_of(addresses, server_of(entries[i]));
        addresses->slots[at].addr = *server_of(entries[i]);
        addresses->slots[at].service = entries[i]->service;
        addresses->slots[at].used = true;
    }
    return addresses->slots ? 0 : -ENOMEM;
}

static void name_by_address(const struct addresses *addresses, struct weir_proof_entry **entries,
                            size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t at = entries[i]->service == WEIR_SERVICE_NONE && !weir_proof_is_lookup(entries[i])
                        ? place_of(addresses, server_of(entries[i]))
                        : SIZE_MAX;
        if (at != SIZE_MAX && addresses->slots[at].used)
            entries[i]->service = addresses->slots[at].service;
    }
}

/* ---- choosing ---- */

static size_t find_flows(struct weir_proof_entry **entries, size_t n,
                         const struct weir_proof_case *about, struct flow *flows) {
    size_t n_flows = 0;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && entries[next]->flow == entries[i]->flow &&
                           client_port(entries[next]) == client_port(entries[i]);)
            next++;
        flows[n_flows] = (struct flow){.first = i, .n = next - i};
        judge(entries, &flows[n_flows++], about);
    }
    return n_flows;
}

/* Of the room in hundredths, for all kinds up to this one. */
typedef unsigned char shares[KIND_N];

static const unsigned char *shares_of(const struct weir_proof_case *about) {
    static const shares of_service = {[KIND_SPEAKS] = 60, [KIND_SPOKE] = 60,   [KIND_NEAR] = 70,
                                      [KIND_LOOKUP] = 80, [KIND_CONTROL] = 95, [KIND_OTHER] = 100},
                        of_nobody = {[KIND_SPEAKS] = 85, [KIND_SPOKE] = 85,   [KIND_NEAR] = 85,
                                     [KIND_LOOKUP] = 95, [KIND_CONTROL] = 95, [KIND_OTHER] = 100};
    return about->service == WEIR_SERVICE_NONE ? of_nobody : of_service;
}

static size_t bytes_until(enum kind last, struct weir_proof_entry *const *entries,
                          struct flow *flows, size_t n) {
    size_t bytes = 0;
    for (struct flow *flow = flows; flow < flows + n; flow++) {
        flow->bytes = 0;
        for (size_t i = flow->first; i < flow->first + flow->n; i++)
            flow->bytes += size_of(entries[i]);
        bytes += flow->kind <= last ? flow->bytes : 0;
    }
    return bytes;
}

static void end_at(int64_t until_us, struct weir_proof_entry *const *entries, struct flow *flows,
                   size_t n) {
    for (struct flow *flow = flows; flow < flows + n; flow++) {
        while (flow->n && entries[flow->first + flow->n - 1]->ts_us > until_us) flow->n--;
        if (!flow->n) flow->kind = KIND_N;
    }
}

/* As coarse as it must be for all to find room, and no coarser; then as short. */
static void thin(struct weir_proof_entry **entries, struct flow *flows, size_t n,
                 const struct weir_proof_case *about) {
    const int64_t step_us = INT64_C(2000000);
    size_t wanted = SIZE_MAX;
    for (unsigned grain = 0; grain < WEIR_PROOF_GRAINS && wanted > about->bytes_max; grain++) {
        for (struct flow *flow = flows; flow < flows + n; flow++)
            flow->n = weir_proof_thin(entries + flow->first, flow->n, grain);
        wanted = bytes_until(KIND_OTHER, entries, flows, n);
    }
    if (wanted <= about->bytes_max) return;
    size_t most = about->bytes_max / 100 * shares_of(about)[KIND_SPOKE];
    for (int64_t until_us = about->until_us - step_us;
         until_us >= about->told_us + BEHIND_US &&
         bytes_until(KIND_SPOKE, entries, flows, n) > most;
         until_us -= step_us)
        end_at(until_us, entries, flows, n);
    bytes_until(KIND_N, entries, flows, n);
}

/* The services take turns, the newest flow of each first. */
static void put_in_order(struct flow *flows, struct flow **order, size_t n) {
    unsigned turns[KIND_N + 1][UINT8_MAX + 1] = {0};
    for (size_t i = 0; i < n; i++) order[i] = &flows[i];
    qsort(order, n, sizeof(struct flow *), by_merit);
    for (size_t i = 0; i < n; i++) order[i]->turn = turns[order[i]->kind][order[i]->service]++;
    qsort(order, n, sizeof(struct flow *), by_merit);
}

/* First each kind within its share, and of each control service a few flows; then, in their order,
 * whatever there is room for. */
static void choose(struct flow **order, size_t n, const struct weir_proof_case *about) {
    enum { CONTROLS_FIRST = 3, HIT_SHARE = 50 };
    const unsigned char *share = shares_of(about);
    size_t used = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n && order[i]->kind < KIND_N; i++) {
            struct flow *flow = order[i];
            bool further = flow->kind > KIND_LOOKUP && flow->turn >= CONTROLS_FIRST;
            if (flow->chosen || (pass == 0 && further) ||
                used + flow->bytes > about->bytes_max / 100 *
                                         (pass        ? 100
                                          : flow->hit ? HIT_SHARE
                                                      : share[flow->kind]))
                continue;
            used += flow->bytes;
            flow->chosen = true;
        }
}

static size_t keep_chosen(struct weir_proof_entry **entries, const struct flow *flows,
                          size_t n_flows) {
    size_t kept = 0;
    for (size_t f = 0; f < n_flows; f++)
        for (size_t i = flows[f].first; flows[f].chosen && i < flows[f].first + flows[f].n; i++)
            entries[kept++] = entries[i];
    qsort(entries, kept, sizeof *entries, by_time);
    return kept;
}

long weir_proof_select(struct weir_proof_entry **entries, size_t n,
                       const struct weir_proof_case *about) {
    struct addresses addresses = {0};
    struct flow *flows = calloc(n + 1, sizeof *flows), **order = calloc(n + 1, sizeof *order);
    long kept = flows && order && learn(&addresses, entries, n) == 0 ? 0 : -ENOMEM;
    if (kept == 0 && n) {
        name_by_address(&addresses, entries, n);
        qsort(entries, n, sizeof *entries, by_flow);
        size_t n_flows = find_flows(entries, n, about, flows);
        thin(entries, flows, n_flows, about);
        put_in_order(flows, order, n_flows);
        choose(order, n_flows, about);
        kept = (long)keep_chosen(entries, flows, n_flows);
    }
    free(addresses.slots);
    free(order);
    free(flows);
    return kept;
}
