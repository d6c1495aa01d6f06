/* classify: which service does a flow belong to.
 *
 * A flow that fails never says its name, so a flow is named twice: provisionally at its first
 * packet, from what the client was told by DNS or from what the server's address served before, and
 * for good by its payload (TLS ClientHello, QUIC Initial, HTTP Host, else nDPI). What payload says
 * wins; where it says nothing, the first name stays.
 *
 *     first packet --> weir_classify_begin   DNS memory, address memory, prefixes of signatures
 *     payload      --> weir_classify_packet  while !named.done
 *     DNS answer   --> weir_classify_dns     in every worker, in packet order
 *     each tick    --> weir_classify_tick    of flows that fell silent before their name was clear
 *     end of flow  --> weir_classify_end
 *     each window  --> weir_classify_take_facts --> coordinator merges all workers' -->
 * weir_classify_learn
 *
 * One classifier belongs to one worker; nothing is shared. What a flow is called depends on its own
 * packets, on the DNS answers and on the facts handed back by the coordinator, never on the other
 * flows of the worker. So the answers do not depend on the number of workers, as long as no bound
 * is hit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/flow.h>
#include <weir/packet.h>
#include <weir/service.h>
#include <weir/wire.h>

struct weir_classifier; /* opaque */

struct weir_classify_config { /* 0 anywhere: the default */
    size_t names_max;     /* (client, server address) pairs remembered from DNS; default 65536 */
    size_t addresses_max; /* server addresses remembered from named flows; default 65536 */
    size_t hosts_bytes;   /* for the text of host names that a signature matched; default 8 MiB */
    size_t naming_max;    /* flows that may hold state while they are named; default 16384 */
    uint64_t hash_secret; /* where entries lie in the memories: 0 in replays, random on live
                           * gateways; the same for all workers */
};

/* Takes its own reference to `set`. `config` may be NULL. 0, -ENOMEM, or -EIO when nDPI cannot
 * start. */
int weir_classifier_new(struct weir_classifier **ret_classifier, struct weir_service_set *set,
                        const struct weir_classify_config *config);
/* All flows must have been ended before (weir_classify_end); pointers in their `named.host` die
 * here. NULL is fine. */
void weir_classifier_free(struct weir_classifier *classifier);

/* At the flow's first packet (WEIR_EVENT_NEW): the provisional name. `first_packet` may be NULL. */
void weir_classify_begin(struct weir_classifier *classifier, struct weir_flow *flow,
                         const struct weir_packet *first_packet, int64_t now_us);

/* For packets with payload while !weir_flow_named(flow)->done, after weir_flow_track(); `side` sent
 * it. */
void weir_classify_packet(struct weir_classifier *classifier, struct weir_flow *flow,
                          const struct weir_packet *packet, enum weir_side side);

/* After weir_flow_tick() of the same second: flows without payload for 30 s are named by what there
 * is, and hold no state any more. */
void weir_classify_tick(struct weir_classifier *classifier, int64_t now_us);

/* An answer that `client` got. Answers without an address, queries and errors are passed over. */
void weir_classify_dns(struct weir_classifier *classifier, const struct weir_dns_message *answer,
                       const struct weir_addr *client, int64_t now_us);

/* At the flow's end (WEIR_EVENT_END), once, before the flow is reported: nDPI may still say what it
 * makes of the few packets there were. Frees what was kept for it. */
void weir_classify_end(struct weir_classifier *classifier, struct weir_flow *flow);

/* "TLS.NetFlix", "QUIC.YouTube", "DNS": nDPI's view of a named flow; empty when it had none. `text`
 * holds WEIR_NDPI_TEXT_MAX bytes (weir_flow_record.ndpi_text); returns it. */
#define WEIR_NDPI_TEXT_MAX 32
char *weir_classify_ndpi_text(const struct weir_classifier *classifier,
                              const struct weir_named *named, char *text);

/* The hash in weir_named.host_hash, never 0 for a name; `host` as weir_host_set() leaves it. */
uint64_t weir_host_hash(const char *host, size_t length);

/* ---- what server addresses serve ---- */

/* "A flow to `addr` said by itself that it was `service`." OTHER counts too: it makes an address
 * shared. */
struct weir_address_fact {
    struct weir_addr addr;
    weir_service_id service;
    uint8_t role; /* enum weir_role */
};

/* The facts since the last call, each once; valid until the next call on this classifier. */
size_t weir_classify_take_facts(struct weir_classifier *classifier,
                                const struct weir_address_fact **ret_facts);
/* Sorts by address, service and role and drops doubles; the new number. The coordinator's merge of
 * all workers. */
size_t weir_address_facts_unify(struct weir_address_fact *facts, size_t n_facts);
/* What the coordinator merged, given to every worker at the same place of its packet order. */
void weir_classify_learn(struct weir_classifier *classifier, const struct weir_address_fact *facts,
                         size_t n_facts, int64_t now_us);

/* The memory itself, for whoever else needs to know (the coordinator; the state file). A fact is
 * kept for 24 h. An address is ambiguous while the newest facts of two services about it lie less
 * than an hour apart. */
struct weir_address_memory; /* opaque */
#define WEIR_ADDRESS_KEPT_US   (INT64_C(24) * 3600 * 1000000)
#define WEIR_ADDRESS_SHARED_US (INT64_C(3600) * 1000000)

int weir_address_memory_new(struct weir_address_memory **ret_memory, size_t addresses_max,
                            uint64_t hash_secret);
void weir_address_memory_free(struct weir_address_memory *memory);
void weir_address_memory_learn(struct weir_address_memory *memory,
                               const struct weir_address_fact *fact, int64_t now_us);
enum weir_address_answer { WEIR_ADDRESS_KNOWN, WEIR_ADDRESS_UNKNOWN, WEIR_ADDRESS_AMBIGUOUS };
enum weir_address_answer weir_address_memory_lookup(const struct weir_address_memory *memory,
                                                    const struct weir_addr *addr, int64_t now_us,
                                                    struct weir_match *ret_match);
uint64_t weir_address_memory_evictions(const struct weir_address_memory *memory);
/* Every fact that is still held, with when it was learned: enough to learn it again after a
 * restart. */
typedef void (*weir_address_visitor)(void *context, const struct weir_address_fact *fact,
                                     int64_t learned_us);
void weir_address_memory_each(const struct weir_address_memory *memory,
                              weir_address_visitor visitor, void *context);

/* ---- the name memory, for the state file ---- */

struct weir_learned_name {
    struct weir_addr client, server;
    const char *host; /* NULL: no signature matched, the text was not kept */
    uint64_t host_hash;
    int64_t expires_us; /* to the second, not before it does */
};
typedef void (*weir_name_visitor)(void *context, const struct weir_learned_name *name);
void weir_classify_names_each(const struct weir_classifier *classifier, weir_name_visitor visitor,
                              void *context);
/* Teaches a name again, unless it has expired at `now_us`. */
void weir_classify_names_restore(struct weir_classifier *classifier,
                                 const struct weir_learned_name *name, int64_t now_us);

/* ---- what classify says of itself ---- */

/* A host of a media CDN that no signature knows. Kept by space-saving: `flows` is at most
 * `flows_over` too high. */
#define WEIR_DRIFT_MAX 32
struct weir_drift_host {
    struct weir_host host;
    /* bytes: payload from the server, of its flows that ended */
    uint64_t hash, flows, flows_over, bytes;
};

struct weir_naming_stats {            /* since the start */
    uint64_t hellos;                  /* whole ClientHellos, TLS and QUIC */
    uint64_t hellos_ech;              /* of these with 0xfe0d (real or GREASE) */
    uint64_t names_over_sni;          /* hellos whose DNS name was taken instead of the outer SNI */
    uint64_t dpi_flows;               /* flows that nDPI was asked about */
    uint64_t dpi_packets;             /* calls */
    uint64_t dpi_giveups;             /* flows that it did not recognise by their payload */
    uint64_t naming_now, naming_peak; /* flows holding state */
    uint64_t naming_refused;          /* flows left with their provisional name: no room */
    uint64_t names_evicted;           /* from the DNS memory before their time */
    uint64_t addresses_evicted;
    uint64_t facts_refused; /* not handed on: too many in one window */
    uint64_t hosts_refused; /* names whose text was not kept: no room */
    uint64_t https_flows;   /* to port 443 */
    uint64_t https_blind;   /* of these, to addresses that no DNS answer told the client */
    uint64_t doh_flows;     /* to known DNS over HTTPS servers */
    uint64_t dot_flows;     /* to port 853 */
    uint64_t tunnel_flows;  /* VPNs, by port or by nDPI */
    uint32_t n_drift;
    struct weir_drift_host drift[WEIR_DRIFT_MAX]; /* most flows first */
};
void weir_classify_stats(const struct weir_classifier *classifier,
                         struct weir_naming_stats *ret_stats);
/* Adds `from` to `into`. DNS answers reach every worker, so the name memory's and address memory's
 * own counters are taken as the larger, not added. */
void weir_naming_stats_merge(struct weir_naming_stats *into, const struct weir_naming_stats *from);
