/* DNS transactions, keyed (client, resolver, name, type): some stub resolvers change port and id
 * when they ask again, so neither is part of the key.
 *
 * Open transactions stand in a list by the time of their first question, so that a tick looks only
 * at those older than three seconds. NXDOMAIN is a failure only for a name that this resolver had
 * resolved for this client within seven days; the pair is part of that memory's key because it is
 * what stays with one worker. Both memories are bounded: a question without room is counted and not
 * tracked, a name may be forgotten early.
 */
#include <errno.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "flow/flow.h"

enum {
    HEADS = 4096,
    RETRIED_MS = 3000,
    HARD_MS = 5000,
    NAME_WAYS = 4,
    OPEN_MAX = 16384,
    NAME_AGE_S = 7 * 24 * 3600,
};

struct transaction {
    uint32_t next; /* of the same head */
    uint32_t older, newer;
    uint32_t first_ms;
    uint64_t key;
    int64_t first_us;
    struct weir_addr client, resolver;
    uint16_t qtype;
    uint8_t queries;
    char name[WEIR_HOST_MAX];
};
static_assert(offsetof(struct transaction, next) == 0, "the slab's free list may overwrite it");

struct known {
    uint64_t key;
    uint32_t seen_s;
    bool used;
};
struct known_set {
    struct known ways[NAME_WAYS];
};

struct dns {
    struct slab open;
    uint32_t heads[HEADS];
    uint32_t oldest, newest;
    struct known_set *known;
    size_t known_mask;
};

int dns_new(struct weir_flow_table *table) {
    struct dns *dns = calloc(1, sizeof *dns);
    if (!dns) return -ENOMEM;
    table->dns = dns;
    size_t bytes = table->memory.max / 64, sets = 1;
    while (sets * 2 * sizeof(struct known_set) <= bytes && sets < 16384) sets *= 2;
    dns->known_mask = sets - 1;
    dns->known = memory_reserve(sets * sizeof *dns->known);
    size_t n_open = table->memory.max / 16 / sizeof(struct transaction);
    if (!dns->known) return -ENOMEM;
    return slab_init(&dns->open, &table->memory, sizeof(struct transaction),
                     n_open < OPEN_MAX ? n_open + 1 : OPEN_MAX);
}

void dns_free(struct weir_flow_table *table) {
    if (!table->dns) return;
    slab_deinit(&table->dns->open);
    memory_release(table->dns->known, (table->dns->known_mask + 1) * sizeof *table->dns->known);
    free(table->dns);
}

static struct transaction *at(const struct dns *dns, uint32_t handle) {
    return slab_at(&dns->open, handle);
}

/* ---- names that once resolved ---- */

static uint64_t key_of(const struct weir_flow *flow, const struct weir_host *name, uint32_t qtype) {
    struct {
        struct weir_addr addr[2];
        uint32_t domain, qtype;
        uint64_t name;
    } key = {
        {flow->addr[0], flow->addr[1]}, flow->domain, qtype, XXH3_64bits(name->text, name->length)};
    return XXH3_64bits(&key, sizeof key);
}

enum { ANY_TYPE = 0x10000 };

static bool name_known(const struct dns *dns, uint64_t key, uint32_t now_s) {
    const struct known_set *set = &dns->known[key & dns->known_mask];
    for (unsigned i = 0; i < NAME_WAYS; i++)
        if (set->ways[i].used && set->ways[i].key == key)
            return now_s - set->ways[i].seen_s <= NAME_AGE_S;
    return false;
}

static void name_remember(struct dns *dns, uint64_t key, uint32_t now_s) {
    struct known_set *set = &dns->known[key & dns->known_mask];
    struct known *into = &set->ways[0];
    for (unsigned i = 0; i < NAME_WAYS; i++) {
        struct known *way = &set->ways[i];
        if (way->used && way->key == key) {
            into = way;
            break;
        }
        if (into->used && (!way->used || (int32_t)(way->seen_s - into->seen_s) < 0)) into = way;
    }
    *into = (struct known){key, now_s, true};
}

/* ---- open transactions ---- */

static uint32_t find(const struct dns *dns, uint64_t key) {
    uint32_t handle = dns->heads[key % HEADS];
    while (handle && at(dns, handle)->key != key) handle = at(dns, handle)->next;
    return handle;
}

static void ask(struct weir_flow *flow, const struct weir_packet *packet,
                const struct weir_dns_message *message, uint64_t key) {
    struct dns *dns = flow->table->dns;
    uint32_t handle = find(dns, key);
    if (handle) {
        if (at(dns, handle)->queries < UINT8_MAX) at(dns, handle)->queries++;
        return;
    }
    handle = slab_take(&dns->open);
    if (!handle) {
        flow->table->stats.dns_refused++;
        return;
    }
    struct transaction *open = at(dns, handle);
    *open = (struct transaction){
        .next = dns->heads[key % HEADS],
        .older = dns->newest,
        .first_ms = now_ms(packet->now_us),
        .key = key,
        .first_us = packet->ts_us,
        .client = flow->addr[WEIR_CLIENT],
        .resolver = flow->addr[WEIR_SERVER],
        .qtype = message->qtype,
        .queries = 1,
    };
    memcpy(open->name, message->qname.text, message->qname.length);
    dns->heads[key % HEADS] = handle;
    *(dns->newest ? &at(dns, dns->newest)->newer : &dns->oldest) = handle;
    dns->newest = handle;
}

static void drop(struct dns *dns, uint32_t handle) {
    struct transaction *open = at(dns, handle);
    uint32_t *link = &dns->heads[open->key % HEADS];
    while (*link != handle) link = &at(dns, *link)->next;
    *link = open->next;
    *(open->older ? &at(dns, open->older)->newer : &dns->oldest) = open->newer;
    *(open->newer ? &at(dns, open->newer)->older : &dns->newest) = open->older;
    slab_give(&dns->open, handle);
}

/* An address that nothing of a service can have: of this network, or none at all. */
static bool addr_is_inside(const struct weir_flow_table *table, const struct weir_addr *addr) {
    static const struct weir_addr none;
    if (weir_addr_is_v4(addr) ? addr->bytes[12] == 0 : weir_addr_compare(addr, &none) == 0)
        return true;
    for (size_t i = 0; i < table->config.n_local; i++)
        if (weir_cidr_contains(&table->config.local[i], addr)) return true;
    return weir_addr_is_local(addr);
}

static bool is_inside(const struct weir_flow_table *table, const struct weir_dns_message *answer) {
    if (!answer || answer->rcode != WEIR_DNS_NOERROR || answer->n_addrs == 0) return false;
    for (unsigned i = 0; i < answer->n_addrs; i++)
        if (!addr_is_inside(table, &answer->addrs[i].addr)) return false;
    return true;
}

static bool is_denied(const struct weir_dns_message *answer) {
    return answer && (answer->rcode == WEIR_DNS_NXDOMAIN || answer->rcode == WEIR_DNS_REFUSED);
}

/* `answer`: NULL when none came. */
static void over(struct weir_flow_table *table, uint32_t handle, enum weir_outcome outcome,
                 const struct weir_dns_message *answer, int64_t latency_us, int64_t ts_us,
                 int64_t now_us) {
    struct transaction *open = at(table->dns, handle);
    struct weir_event event = {.kind = WEIR_EVENT_DNS,
                               .ts_us = ts_us,
                               .now_us = now_us,
                               .dns = {.client = &open->client,
                                       .resolver = &open->resolver,
                                       .qname = open->name,
                                       .qtype = open->qtype,
                                       .outcome = outcome,
                                       .first_us = open->first_us,
                                       .latency_us = latency_us,
                                       .queries = open->queries,
                                       .denied = is_denied(answer),
                                       .inside = is_inside(table, answer)}};
    if (table->config.observer) table->config.observer(table->config.context, NULL, &event);
    drop(table->dns, handle);
}

static enum weir_outcome outcome_of(const struct weir_dns_message *message, uint16_t n_answers,
                                    bool known) {
    bool wants_addrs = message->qtype == WEIR_DNS_A || message->qtype == WEIR_DNS_AAAA;
    switch (message->rcode) {
    case WEIR_DNS_SERVFAIL: return WEIR_OUTCOME_DNS_SERVFAIL;
    case WEIR_DNS_REFUSED: return WEIR_OUTCOME_DNS_REFUSED;
    case WEIR_DNS_NXDOMAIN: return known ? WEIR_OUTCOME_DNS_NXDOMAIN : WEIR_OUTCOME_NEUTRAL;
    case WEIR_DNS_NOERROR:
        if (message->truncated || n_answers == 0 ||
            (wants_addrs && message->n_addrs == 0 && !message->cut))
            return WEIR_OUTCOME_NEUTRAL;
        return WEIR_OUTCOME_USEFUL;
    default: return WEIR_OUTCOME_NEUTRAL;
    }
}

enum weir_outcome dns_message(struct weir_flow *flow, const struct weir_packet *packet,
                              enum weir_side side, const struct weir_dns_message *message,
                              uint16_t n_answers) {
    struct dns *dns = flow->table->dns;
    if (message->response != (side == WEIR_SERVER) || message->qname.length == 0)
        return WEIR_OUTCOME_NONE;
    uint64_t key = key_of(flow, &message->qname, message->qtype);
    if (!message->response) {
        ask(flow, packet, message, key);
        return WEIR_OUTCOME_NONE;
    }
    uint64_t name = key_of(flow, &message->qname, ANY_TYPE);
    uint32_t now_s = now_ms(packet->now_us) / 1000;
    enum weir_outcome outcome = outcome_of(message, n_answers, name_known(dns, name, now_s));
    uint32_t handle = find(dns, key);
    if (!handle) return outcome;
    if (outcome == WEIR_OUTCOME_USEFUL) name_remember(dns, name, now_s);
    int64_t latency_us = span_us(flow->table, at(dns, handle)->first_us, packet->ts_us);
    over(flow->table, handle, outcome, message, latency_us, packet->ts_us, packet->now_us);
    return outcome;
}

void dns_tick(struct weir_flow_table *table, int64_t now_us, bool last) {
    struct dns *dns = table->dns;
    uint32_t next;
    for (uint32_t handle = dns->oldest; handle; handle = next) {
        const struct transaction *open = at(dns, handle);
        uint32_t age_ms = now_ms(now_us) - open->first_ms;
        next = open->newer;
        if (age_ms < RETRIED_MS && !last) return;
        if (age_ms >= HARD_MS || (age_ms >= RETRIED_MS && open->queries >= 2))
            over(table, handle, WEIR_OUTCOME_DNS_TIMEOUT, NULL, -1, now_us, now_us);
        else if (last)
            drop(dns, handle);
    }
}
