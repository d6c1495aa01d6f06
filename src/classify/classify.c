/* The order in which a flow is asked for its name, and when to stop asking.
 *
 *      first payload of the client
 *        |-- a whole hello or request -----------------------> named, no state was ever made
 *        |-- the beginning of one ---> gather (hello.c) -----> named
 *        `-- neither ---> nDPI, DPI_PACKETS_MAX packets -----> named, or left with its provisional
 * name
 *
 * The first segment seen may be the second one sent, so while nDPI looks at what is no hello, the
 * first few segments are kept in case the real first one follows.
 *
 * A UDP flow that named itself stays open until its server has answered once: an Initial to an
 * address where nobody lives proves nothing about that address, so no fact is made of it before. Of
 * several Initials with ids of their own (a decoy for filters, another attempt, one behind version
 * negotiation) the server's answer chooses: each opening's name is kept until then. A Retry or
 * version negotiation is no answer.
 *
 * A flow may fall silent before its name is clear: a client that failed, a connection that is kept
 * and holds two packets. After QUIET_US without payload it is named by what there is, as at its
 * end, and its state is let go. Half of all live flows of a busy gateway were such, with 2 KB each.
 * Blind spot: what such a flow says of itself later is not read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify/assoc.h"
#include "classify/classifier.h"

enum {
    GATHER_PACKETS_MAX = 16,    /* datagrams of the client, to complete a hello */
    GATHER_SEGMENTS_MAX = 2048, /* or segments, which may hold one byte each */
    /* of the client, kept while the hello's first segment may still come */
    ORPHANS_MAX = 4,
};

#define NAME_GRACE_US (INT64_C(3600) * 1000000)
/* Longer than TCP and QUIC need to send a lost hello four times again (1, 3, 7, 15 s). */
#define QUIET_US  (INT64_C(30) * 1000000)
#define TTL_MAX_S (24 * 3600)

/* ---- the classifier ---- */

static size_t or_default(size_t value, size_t fallback) { return value ? value : fallback; }

int weir_classifier_new(struct weir_classifier **ret_classifier, struct weir_service_set *set,
                        const struct weir_classify_config *config) {
    static const struct weir_classify_config defaults;
    if (!config) config = &defaults;
    struct weir_classifier *classifier = calloc(1, sizeof *classifier);
    if (!classifier) return -ENOMEM;
    classifier->set = weir_service_set_ref(set);
    classifier->secret = config->hash_secret;
    classifier->naming_max = or_default(config->naming_max, 16384);
    hosts_init(&classifier->hosts, or_default(config->hosts_bytes, 8 * 1024 * 1024));
    int r =
        names_init(&classifier->names, or_default(config->names_max, 65536), config->hash_secret);
    if (r == 0)
        r = weir_address_memory_new(&classifier->addresses,
                                    or_default(config->addresses_max, 65536), config->hash_secret);
    if (r == 0) r = dpi_new(&classifier->dpi);
    if (r < 0) {
        weir_classifier_free(classifier);
        return r;
    }
    *ret_classifier = classifier;
    return 0;
}

void weir_classifier_free(struct weir_classifier *classifier) {
    if (!classifier) return;
    dpi_free(classifier->dpi);
    weir_address_memory_free(classifier->addresses);
    names_deinit(&classifier->names);
    hosts_deinit(&classifier->hosts);
    weir_service_set_unref(classifier->set);
    free(classifier);
}

/* ---- a flow's state ---- */

static bool is_listed(const struct weir_classifier *classifier, const struct naming *naming) {
    return naming->quieter || naming->louder || classifier->quiet_longest == naming;
}

static void unlist(struct weir_classifier *classifier, struct naming *naming) {
    if (!is_listed(classifier, naming)) return;
    *(naming->quieter ? &naming->quieter->louder : &classifier->quiet_longest) = naming->louder;
    *(naming->louder ? &naming->louder->quieter : &classifier->quiet_least) = naming->quieter;
    naming->quieter = naming->louder = NULL;
}

/* Its flow spoke just now. */
static void list_last(struct weir_classifier *classifier, struct naming *naming, int64_t now_us) {
    unlist(classifier, naming);
    naming->spoken_us = now_us;
    naming->quieter = classifier->quiet_least;
    *(naming->quieter ? &naming->quieter->louder : &classifier->quiet_longest) = naming;
    classifier->quiet_least = naming;
}

/* The flow's state, made if there is none; NULL when there is no room. */
static struct naming *need_naming(struct weir_classifier *classifier, struct weir_flow *flow) {
    struct weir_naming_stats *stats = &classifier->stats;
    struct naming **slot = (struct naming **)weir_flow_naming(flow);
    if (*slot) return *slot;
    if (stats->naming_now < classifier->naming_max) *slot = calloc(1, sizeof **slot);
    if (!*slot) {
        stats->naming_refused++;
        return NULL;
    }
    (*slot)->flow = flow;
    if (++stats->naming_now > stats->naming_peak) stats->naming_peak = stats->naming_now;
    return *slot;
}

static void free_naming(struct weir_classifier *classifier, struct weir_flow *flow) {
    struct naming **slot = (struct naming **)weir_flow_naming(flow);
    if (!*slot) return;
    unlist(classifier, *slot);
    hello_stream_deinit(&(*slot)->stream);
    dpi_flow_free((*slot)->dpi);
    free((*slot)->rivals);
    free(*slot);
    *slot = NULL;
    classifier->stats.naming_now--;
}

static bool has_own_name(const struct weir_named *named) {
    return named->by == WEIR_NAMED_SNI || named->by == WEIR_NAMED_HTTP;
}

static bool is_tunnel_port(const struct weir_flow *flow) {
    uint16_t port = weir_flow_port(flow, WEIR_SERVER);
    if (weir_flow_transport(flow) == WEIR_TRANSPORT_UDP)
        return port == 51820 || port == 1194 || port == 4500;
    return port == 1194;
}

/* The name is as good as it gets. */
static void settle(struct weir_classifier *classifier, struct weir_flow *flow, bool tunnel) {
    struct weir_named *named = weir_flow_named(flow);
    struct naming *naming = *weir_flow_naming(flow);
    bool answered = weir_flow_transport(flow) == WEIR_TRANSPORT_TCP || weir_flow_answered(flow);
    if (naming && naming->n_rivals && !answered) {
        hello_stream_deinit(&naming->stream);
        naming->settled = true;
        return;
    }
    free_naming(classifier, flow);
    classifier->stats.dot_flows += weir_flow_port(flow, WEIR_SERVER) == 853;
    classifier->stats.tunnel_flows += tunnel || is_tunnel_port(flow);
    named->done = answered || !(has_own_name(named) || named->app == WEIR_APP_QUIC);
    if (named->done && has_own_name(named)) assign_fact(classifier, flow);
}

/* ---- openings of QUIC ---- */

static bool cid_same(const struct weir_cid *a, const struct weir_cid *b) {
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* The server answered: of several openings that one's name counts. */
static void choose_rival(struct weir_classifier *classifier, struct weir_flow *flow,
                         struct naming *naming) {
    const struct weir_cid *dcid = weir_flow_first_dcid(flow);
    bool done = naming->settled;
    for (unsigned i = 0; dcid && i < naming->n_rivals; i++) {
        if (!cid_same(dcid, &naming->rivals[i].dcid)) continue;
        *weir_flow_named(flow) = naming->rivals[i].named;
        done = true;
    }
    naming->n_rivals = 0;
    if (done) settle(classifier, flow, false);
}

/* A client's Initial before the server's answer: its id. */
static bool reads_opening(const struct weir_flow *flow, const struct weir_packet *packet,
                          struct weir_cid *ret_dcid) {
    struct weir_quic_header header;
    if ((packet->payload[0] & 0xc0) != 0xc0 || !weir_flow_first_dcid(flow) ||
        weir_flow_answered(flow) ||
        weir_quic_header(packet->payload, packet->payload_captured, packet->payload_len, &header) ==
            WEIR_WIRE_NOT ||
        header.type != WEIR_QUIC_INITIAL)
        return false;
    *ret_dcid = header.dcid;
    return true;
}

static void begin_opening(struct naming *naming) {
    hello_stream_deinit(&naming->stream);
    naming->begun = naming->own_over = naming->settled = false;
    naming->n_client = 0;
}

/* Puts the name that the opening at hand gave aside and begins with another. False: it was put
 * aside before. */
static bool turn_to(struct weir_classifier *classifier, struct weir_flow *flow,
                    struct naming *naming, const struct weir_cid *dcid, int64_t now_us) {
    struct weir_named *named = weir_flow_named(flow);
    if (!naming->has_dcid && !has_own_name(named)) { /* what came before was none */
        naming->dcid = *dcid;
        begin_opening(naming);
    } else if (!naming->has_dcid) {
        naming->dcid = *weir_flow_first_dcid(flow);
    }
    naming->has_dcid = true;
    if (cid_same(&naming->dcid, dcid)) return !naming->settled;
    for (unsigned i = 0; i < naming->n_rivals; i++)
        if (cid_same(&naming->rivals[i].dcid, dcid)) return false;
    if (naming->n_rivals == RIVALS_MAX) return false;
    if (!naming->rivals) naming->rivals = calloc(RIVALS_MAX, sizeof *naming->rivals);
    if (!naming->rivals) return false;
    naming->rivals[naming->n_rivals].dcid = naming->dcid;
    naming->rivals[naming->n_rivals++].named = *named;
    naming->dcid = *dcid;
    begin_opening(naming);
    const struct weir_naming_stats stats = classifier->stats; /* the flow is counted already */
    *named = (struct weir_named){.app = WEIR_APP_QUIC};
    assign_memory(classifier, flow, now_us);
    classifier->stats = stats;
    return true;
}

/* ---- weir's own parsers ---- */

enum step {
    STEP_SETTLED, /* nothing more to do */
    STEP_WAIT,    /* more of the hello must come */
    STEP_DPI,     /* nDPI should see this packet */
};

static void see_app(struct weir_flow *flow, const struct hello *hello) {
    struct weir_named *named = weir_flow_named(flow);
    named->app = (uint8_t)hello->app;
    named->ech = hello->ech;
    named->ndpi = dpi_master(hello->app);
}

static enum step take_hello(struct weir_classifier *classifier, struct weir_flow *flow,
                            const struct hello *hello, int64_t now_us) {
    see_app(flow, hello);
    if (hello->app != WEIR_APP_HTTP) {
        classifier->stats.hellos++;
        classifier->stats.hellos_ech += hello->ech;
    }
    if (host_is_name(&hello->host)) {
        assign_host(classifier, flow, hello, true, now_us);
        settle(classifier, flow, false);
        return STEP_SETTLED;
    }
    struct naming *naming = *weir_flow_naming(flow);
    if (naming) {
        naming->own_over = true;
        hello_stream_deinit(&naming->stream);
    }
    return STEP_DPI;
}

/* The hello will not become whole: what was found of it counts. */
static enum step give_up_hello(struct weir_classifier *classifier, struct weir_flow *flow,
                               struct naming *naming) {
    naming->own_over = true;
    hello_stream_deinit(&naming->stream);
    if (!has_own_name(weir_flow_named(flow))) return STEP_DPI;
    settle(classifier, flow, false);
    return STEP_SETTLED;
}

/* Part of a hello: its name counts already, since the rest may never come. */
static void take_part(struct weir_classifier *classifier, struct weir_flow *flow,
                      const struct hello *hello, int64_t now_us) {
    see_app(flow, hello);
    if (hello->app != WEIR_APP_HTTP && host_is_name(&hello->host))
        assign_host(classifier, flow, hello, false, now_us);
}

/* Where in the stream a segment's payload stands, and where the stream begins: known when the
 * handshake was seen. */
static uint32_t stands_at(const struct weir_packet *packet) {
    return packet->tcp.seq + (packet->tcp_flags & WEIR_TCP_SYN ? 1 : 0);
}

static uint32_t stream_begin(const struct weir_flow *flow, const struct weir_packet *packet) {
    return weir_flow_midstream(flow) ? stands_at(packet) : weir_flow_expected(flow);
}

static enum step gather_tcp(struct weir_classifier *classifier, struct weir_flow *flow,
                            const struct weir_packet *packet) {
    struct naming *naming = need_naming(classifier, flow);
    if (!naming) return STEP_DPI;
    if (naming->n_client++ == 0)
        naming->stream = hello_stream_init(stream_begin(flow, packet), !weir_flow_midstream(flow));
    int r = hello_stream_put(&naming->stream, stands_at(packet), packet->payload,
                             packet->payload_captured);
    size_t prefix = hello_stream_prefix(&naming->stream);

    struct hello hello = {0};
    enum weir_wire wire = WEIR_WIRE_NOT;
    if (prefix > 0)
        wire = hello_read_tcp(naming->stream.bytes, prefix, classifier->scratch, &hello);
    if (wire == WEIR_WIRE_OK) return take_hello(classifier, flow, &hello, packet->now_us);
    if (r != 0 || naming->n_client >= GATHER_SEGMENTS_MAX)
        return give_up_hello(classifier, flow, naming);
    if (wire == WEIR_WIRE_SHORT) {
        naming->begun = true;
        take_part(classifier, flow, &hello, packet->now_us);
        return STEP_WAIT;
    }
    if (prefix == 0 && naming->stream.fixed) return STEP_WAIT;
    /* fixed: its first bytes are there, and are none of a hello */
    if (naming->begun || naming->stream.fixed || naming->n_client >= ORPHANS_MAX)
        return give_up_hello(classifier, flow, naming);
    return STEP_DPI; /* but kept */
}

static enum step read_tcp(struct weir_classifier *classifier, struct weir_flow *flow,
                          const struct weir_packet *packet) {
    struct naming *naming = *weir_flow_naming(flow);
    if (naming && naming->own_over) return STEP_DPI;
    if (naming && naming->n_client > 0) return gather_tcp(classifier, flow, packet);
    struct hello hello;
    uint32_t left = stream_begin(flow, packet) - stands_at(packet); /* of the receiver's window */
    if (left != 0) return gather_tcp(classifier, flow, packet);
    enum weir_wire wire =
        hello_read_tcp(packet->payload, packet->payload_captured, classifier->scratch, &hello);
    if (wire == WEIR_WIRE_OK) return take_hello(classifier, flow, &hello, packet->now_us);
    if (wire == WEIR_WIRE_NOT && weir_flow_midstream(flow)) return STEP_DPI;
    return gather_tcp(classifier, flow, packet);
}

static enum step read_udp(struct weir_classifier *classifier, struct weir_flow *flow,
                          const struct weir_packet *packet) {
    struct naming *naming = *weir_flow_naming(flow);
    bool long_header = (packet->payload[0] & 0xc0) == 0xc0;
    struct weir_cid dcid;
    bool opening = reads_opening(flow, packet, &dcid);
    if (!opening && (naming ? naming->own_over : !long_header)) return STEP_DPI;
    naming = need_naming(classifier, flow);
    if (!naming) return STEP_DPI;
    if (opening && !turn_to(classifier, flow, naming, &dcid, packet->now_us)) return STEP_WAIT;
    if (naming->own_over) return STEP_DPI;
    struct hello hello;
    enum weir_wire wire =
        hello_read_quic(packet->payload, packet->payload_captured, packet->payload_len,
                        opening ? &dcid : weir_flow_first_dcid(flow), &naming->stream,
                        &classifier->initial, &hello);
    naming->n_client++;
    /* of QUIC, a version of which no hello can be read: another may follow */
    if (wire == WEIR_WIRE_NOT && !naming->begun) {
        naming->own_over =
            weir_flow_named(flow)->app != WEIR_APP_QUIC || naming->n_client >= GATHER_PACKETS_MAX;
        return STEP_DPI;
    }
    naming->begun = true;
    if (wire == WEIR_WIRE_OK) return take_hello(classifier, flow, &hello, packet->now_us);
    if (naming->n_client >= GATHER_PACKETS_MAX) return give_up_hello(classifier, flow, naming);
    if (wire == WEIR_WIRE_SHORT) take_part(classifier, flow, &hello, packet->now_us);
    return STEP_WAIT;
}

static enum step read_own(struct weir_classifier *classifier, struct weir_flow *flow,
                          const struct weir_packet *packet, enum weir_side side) {
    const struct naming *naming = *weir_flow_naming(flow);
    if (side == WEIR_SERVER)
        return naming && naming->begun && !naming->own_over ? STEP_WAIT : STEP_DPI;
    if (packet->transport == WEIR_TRANSPORT_TCP) return read_tcp(classifier, flow, packet);
    return read_udp(classifier, flow, packet);
}

/* ---- nDPI ---- */

/* What follows the hellos of QUIC is sealed from nDPI as well: having seen one such datagram it
 * learns nothing from seven more. Before the server's answer another opening may come. */
static bool is_sealed(struct weir_flow *flow, const struct weir_packet *packet) {
    return weir_flow_named(flow)->app == WEIR_APP_QUIC && !(packet->payload[0] & 0x80) &&
           weir_flow_answered(flow);
}

static void ask_dpi(struct weir_classifier *classifier, struct weir_flow *flow,
                    const struct weir_packet *packet) {
    struct dpi_verdict verdict;
    if (dpi_at_sight(packet, &verdict)) {
        assign_verdict(classifier, flow, &verdict, packet->now_us);
        settle(classifier, flow, verdict.tunnel);
        return;
    }
    struct naming *naming = need_naming(classifier, flow);
    if (naming && !naming->dpi) {
        naming->dpi = dpi_flow_new();
        classifier->stats.dpi_flows += naming->dpi != NULL;
    }
    if (!naming || !naming->dpi) {
        settle(classifier, flow, false);
        return;
    }
    classifier->stats.dpi_packets++;
    bool decided = dpi_packet(classifier->dpi, naming->dpi, packet, &verdict);
    if (!decided && is_sealed(flow, packet)) {
        dpi_end(classifier->dpi, naming->dpi, &verdict);
        decided = true;
    }
    if (!decided) return;
    assign_verdict(classifier, flow, &verdict, packet->now_us);
    settle(classifier, flow, verdict.tunnel);
}

/* ---- what the pipeline calls ---- */

void weir_classify_begin(struct weir_classifier *classifier, struct weir_flow *flow,
                         const struct weir_packet *first_packet, int64_t now_us) {
    struct weir_named *named = weir_flow_named(flow);
    if (weir_flow_port(flow, WEIR_SERVER) == 53) { /* flow follows the questions themselves */
        *named = (struct weir_named){.service = WEIR_SERVICE_OTHER,
                                     .by = WEIR_NAMED_NONE,
                                     .done = true,
                                     .app = WEIR_APP_DNS,
                                     .ndpi_app = dpi_master(WEIR_APP_DNS)};
        return;
    }
    if (!weir_addr_is_group(weir_flow_addr(flow, WEIR_SERVER)))
        assign_memory(classifier, flow, now_us);
}

/* A UDP flow's packet that needs no more reading. */
static bool classify_udp(struct weir_classifier *classifier, struct weir_flow *flow,
                         const struct weir_packet *packet, enum weir_side side) {
    struct weir_named *named = weir_flow_named(flow);
    struct naming *naming = *weir_flow_naming(flow);
    struct weir_cid dcid;
    bool answered = weir_flow_answered(flow);
    if (side == WEIR_SERVER && !answered) return true;
    if (side == WEIR_SERVER && naming && naming->n_rivals) {
        choose_rival(classifier, flow, naming);
        return named->done;
    }
    if (naming || !has_own_name(named)) return false;
    if (side == WEIR_CLIENT) /* named; another opening may follow */
        return !reads_opening(flow, packet, &dcid) || cid_same(&dcid, weir_flow_first_dcid(flow));
    named->done = true;
    assign_fact(classifier, flow);
    return true;
}

static void classify_payload(struct weir_classifier *classifier, struct weir_flow *flow,
                             const struct weir_packet *packet, enum weir_side side) {
    struct weir_named *named = weir_flow_named(flow);
    if (packet->transport == WEIR_TRANSPORT_UDP && classify_udp(classifier, flow, packet, side))
        return;
    if (read_own(classifier, flow, packet, side) != STEP_DPI) return;
    bool asked = named->app == WEIR_APP_QUIC && named->ndpi && !*weir_flow_naming(flow);
    if (!asked) /* else nDPI has had its say, and an answer is awaited */
        ask_dpi(classifier, flow, packet);
    else if (weir_flow_answered(flow))
        settle(classifier, flow, false);
}

void weir_classify_packet(struct weir_classifier *classifier, struct weir_flow *flow,
                          const struct weir_packet *packet, enum weir_side side) {
    if (weir_flow_named(flow)->done || packet->payload_captured == 0) return;
    classify_payload(classifier, flow, packet, side);
    struct naming *naming = *weir_flow_naming(flow);
    if (naming) list_last(classifier, naming, packet->now_us);
}

/* By what there is: no more is expected. */
static void conclude(struct weir_classifier *classifier, struct weir_flow *flow,
                     struct naming *naming) {
    struct dpi_verdict verdict = {0};
    if (naming->dpi) {
        dpi_end(classifier->dpi, naming->dpi, &verdict);
        assign_verdict(classifier, flow, &verdict, weir_flow_first_ts_us(flow));
    }
    settle(classifier, flow, verdict.tunnel);
    free_naming(classifier, flow); /* of several openings that nobody answered, too */
}

void weir_classify_tick(struct weir_classifier *classifier, int64_t now_us) {
    struct naming *naming;
    while ((naming = classifier->quiet_longest) && now_us - naming->spoken_us >= QUIET_US) {
        bool rivals = naming->n_rivals && !weir_flow_answered(naming->flow);
        if (rivals) /* the server's answer chooses */
            unlist(classifier, naming);
        else
            conclude(classifier, naming->flow, naming);
    }
}

void weir_classify_end(struct weir_classifier *classifier, struct weir_flow *flow) {
    struct weir_named *named = weir_flow_named(flow);
    struct naming *naming = *weir_flow_naming(flow);
    if (naming) conclude(classifier, flow, naming);
    named->done = true;
    if (named->service == WEIR_SERVICE_OTHER && has_own_name(named))
        drift_add_bytes(&classifier->drift, named->host_hash, weir_flow_payload(flow, WEIR_SERVER));
}

/* ---- learning ---- */

static bool is_server(const struct weir_addr *addr) {
    static const struct weir_addr none, none4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    bool unspecified = weir_addr_compare(addr, &none) == 0 || weir_addr_compare(addr, &none4) == 0;
    return !unspecified && !weir_addr_is_group(addr);
}

static struct name learned_name(struct weir_classifier *classifier, const char *host,
                                size_t length) {
    struct name name = {.hash = weir_host_hash(host, length),
                        .match = weir_service_match_host(classifier->set, host, length)};
    if (name.match.service >= WEIR_SERVICE_FIRST)
        name.host = hosts_keep(&classifier->hosts, host, length);
    return name;
}

void weir_classify_dns(struct weir_classifier *classifier, const struct weir_dns_message *answer,
                       const struct weir_addr *client, int64_t now_us) {
    if (!answer->response || answer->rcode != WEIR_DNS_NOERROR || answer->n_addrs == 0 ||
        answer->qname.length == 0)
        return;
    struct name name = learned_name(classifier, answer->qname.text, answer->qname.length);
    for (size_t i = 0; i < answer->n_addrs && i < WEIR_DNS_ADDRS_MAX; i++) {
        uint32_t ttl_s = answer->addrs[i].ttl_s < TTL_MAX_S ? answer->addrs[i].ttl_s : TTL_MAX_S;
        name_set_expires(&name, now_us + (int64_t)ttl_s * 1000000 + NAME_GRACE_US);
        if (is_server(&answer->addrs[i].addr))
            names_learn(&classifier->names, client, &answer->addrs[i].addr, &name, now_us);
    }
}

size_t weir_classify_take_facts(struct weir_classifier *classifier,
                                const struct weir_address_fact **ret_facts) {
    return facts_take(&classifier->facts, ret_facts);
}

void weir_classify_learn(struct weir_classifier *classifier, const struct weir_address_fact *facts,
                         size_t n_facts, int64_t now_us) {
    for (size_t i = 0; i < n_facts; i++)
        weir_address_memory_learn(classifier->addresses, &facts[i], now_us);
}

/* ---- for the state file ---- */

void weir_classify_names_each(const struct weir_classifier *classifier, weir_name_visitor visitor,
                              void *context) {
    const struct names *names = &classifier->names;
    for (size_t i = 0; i < names->n_sets * ASSOC_WAYS; i++) {
        const struct names_entry *entry = &names->entries[i];
        /* the newest last, so that restoring gives the same order */
        for (size_t k = NAMES_PER_ADDRESS; k-- > 0;) {
            const struct name *name = &entry->names[k];
            struct weir_learned_name learned = {
                .client = entry->key[0],
                .server = entry->key[1],
                .host = name->host,
                .host_hash = name->hash,
                .expires_us = name_expires_us(name),
            };
            if (name->hash != 0) visitor(context, &learned);
        }
    }
}

void weir_classify_names_restore(struct weir_classifier *classifier,
                                 const struct weir_learned_name *learned, int64_t now_us) {
    struct name name = {.match = {.service = WEIR_SERVICE_OTHER}};
    if (learned->host) name = learned_name(classifier, learned->host, strlen(learned->host));
    name.hash = learned->host_hash;
    name_set_expires(&name, learned->expires_us);
    names_put(&classifier->names, &learned->client, &learned->server, &name, now_us);
}

/* ---- what classify says of itself ---- */

char *weir_classify_ndpi_text(const struct weir_classifier *classifier,
                              const struct weir_named *named, char *text) {
    uint16_t master = named->ndpi, app = named->ndpi_app == named->ndpi ? 0 : named->ndpi_app;
    snprintf(text, WEIR_NDPI_TEXT_MAX, "%s%s%s", master ? dpi_name(classifier->dpi, master) : "",
             master && app ? "." : "", app ? dpi_name(classifier->dpi, app) : "");
    return text;
}

void weir_classify_stats(const struct weir_classifier *classifier,
                         struct weir_naming_stats *ret_stats) {
    *ret_stats = classifier->stats;
    ret_stats->names_evicted = classifier->names.evicted;
    ret_stats->addresses_evicted = weir_address_memory_evictions(classifier->addresses);
    ret_stats->facts_refused = classifier->facts.refused;
    ret_stats->hosts_refused = classifier->hosts.refused;
    ret_stats->n_drift = classifier->drift.n;
    memcpy(ret_stats->drift, classifier->drift.hosts, sizeof ret_stats->drift);
    drift_sort(ret_stats->drift, ret_stats->n_drift);
}
