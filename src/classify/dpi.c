/* nDPI, asked last: only about flows that weir's own parsers cannot name, and on at most
 * DPI_PACKETS_MAX payload packets each.
 *
 * nDPI wants packets with their IP header, weir has views of them, so a minimal one is built in
 * front of a bounded copy of the payload:
 *
 *      IPv4 20 / IPv6 40 | TCP 20 / UDP 8 | payload, at most SCRATCH_PAYLOAD bytes
 *
 * nDPI's caches, by which one flow's verdict colours another's, are off: verdicts would depend on
 * which flows a worker happens to see. 4.2 has no switch for them, and says of few verdicts that
 * they come from one: there the two functions through which all of its caches are used are replaced
 * by ones that remember nothing (see forgetful).
 *
 * The API differs between releases; meson.build asks the compiler which form there is
 * (WEIR_NDPI_*). Only 4.2 has been run; the other forms were compiled against the headers
 * of 4.6, 4.8, 4.10 and the development branch after it, except those of 5.0 (a state in each
 * protocol, ndpi_detection_giveup() with two parameters), which are written from its release notes.
 */
#include "classify/dpi.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* nDPI's headers are not clean under weir's warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <ndpi_api.h>
#pragma GCC diagnostic pop

enum { IP4_HEADER = 20, IP6_HEADER = 40, TCP_HEADER = 20, UDP_HEADER = 8, SCRATCH_PAYLOAD = 4096 };
enum { HOST_CUT = 79 }; /* a name of this length was cut by nDPI's own field */

struct dpi {
    struct ndpi_detection_module_struct *module;
    uint8_t scratch[IP6_HEADER + TCP_HEADER + SCRATCH_PAYLOAD];
};

struct dpi_flow {
    struct ndpi_flow_struct *state;
    uint16_t master, app; /* after the last packet */
    bool tunnel;
    uint8_t n_packets;
};

/* ---- the module ---- */

static struct ndpi_detection_module_struct *start_module(void) {
#ifdef WEIR_NDPI_INIT_PREFS
    return ndpi_init_detection_module(ndpi_no_prefs);
#else
    return ndpi_init_detection_module(NULL);
#endif
}

static void enable_all(struct ndpi_detection_module_struct *module) {
#ifdef WEIR_NDPI_BITMASK
    NDPI_PROTOCOL_BITMASK all;
    NDPI_BITMASK_SET_ALL(all);
    ndpi_set_protocol_detection_bitmask2(module, &all);
#else
    (void)module; /* everything is on */
#endif
}

static void disable_caches(struct ndpi_detection_module_struct *module) {
#if defined WEIR_NDPI_SET_CONFIG
    static const char *const off[][3] = {
        {NULL, "lru.ookla.size", "0"},
        {NULL, "lru.bittorrent.size", "0"},
        {NULL, "lru.stun.size", "0"},
        {NULL, "lru.tls_cert.size", "0"},
        {NULL, "lru.mining.size", "0"},
        {NULL, "lru.msteams.size", "0"},
        {NULL, "lru.fpc_dns.size", "0"},
        {"tls", "metadata.sha1_fingerprint", "0"},
        {"tls", "metadata.ja3c_fingerprint", "0"},
        {"tls", "metadata.ja3s_fingerprint", "0"},
        {"tls", "metadata.ja4c_fingerprint", "0"},
        {NULL, "metadata.tcp_fingerprint", "0"},
        {NULL, "flow_risk_lists.load", "0"},
    };
    /* A release that lacks one of them refuses just that one. */
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        ndpi_set_config(module, off[i][0], off[i][1], off[i][2]);
#elif defined WEIR_NDPI_LRU_SIZE
    for (int i = 0; i < NDPI_LRUCACHE_MAX; i++)
        ndpi_set_lru_cache_size(module, (lru_cache_type)i, 0);
#else
    (void)module; /* forgetful */
#endif
}

#if !defined WEIR_NDPI_SET_CONFIG && !defined WEIR_NDPI_LRU_SIZE
/* Forgetful: a program's definitions take the place of a shared library's. Were they not taken,
 * uncache() would still see some of it. */
__attribute__((visibility("default"))) u_int8_t ndpi_lru_find_cache(struct ndpi_lru_cache *cache,
                                                                    u_int32_t key,
                                                                    u_int16_t *ret_value,
                                                                    u_int8_t clean) {
    (void)cache, (void)key, (void)ret_value, (void)clean;
    return 0;
}

__attribute__((visibility("default"))) void ndpi_lru_add_to_cache(struct ndpi_lru_cache *cache,
                                                                  u_int32_t key, u_int16_t value) {
    (void)cache, (void)key, (void)value;
}
#endif

int dpi_new(struct dpi **ret_dpi) {
    struct dpi *dpi = calloc(1, sizeof *dpi);
    if (!dpi) return -ENOMEM;
    dpi->module = start_module();
    if (!dpi->module) {
        free(dpi);
        return -EIO;
    }
    enable_all(dpi->module);
    disable_caches(dpi->module);
    ndpi_finalize_initialization(dpi->module);
    *ret_dpi = dpi;
    return 0;
}

void dpi_free(struct dpi *dpi) {
    if (!dpi) return;
    ndpi_exit_detection_module(dpi->module);
    free(dpi);
}

/* ---- names ---- */

uint16_t dpi_master(enum weir_app app) {
    switch (app) {
    case WEIR_APP_TLS: return NDPI_PROTOCOL_TLS;
    case WEIR_APP_QUIC: return NDPI_PROTOCOL_QUIC;
    case WEIR_APP_HTTP: return NDPI_PROTOCOL_HTTP;
    case WEIR_APP_DNS: return NDPI_PROTOCOL_DNS;
    case WEIR_APP_UNKNOWN:
    case WEIR_APP_OTHER: break;
    }
    return NDPI_PROTOCOL_UNKNOWN;
}

uint16_t dpi_match_host(struct dpi *dpi, const char *host, size_t length) {
    char copy[WEIR_HOST_MAX]; /* nDPI's parameter is not const */
    if (length == 0 || length >= sizeof copy) return NDPI_PROTOCOL_UNKNOWN;
    memcpy(copy, host, length);
    copy[length] = '\0';
    ndpi_protocol_match_result match;
    memset(&match, 0, sizeof match);
    int protocol = ndpi_match_string_subprotocol(dpi->module, copy, (u_int)length, &match);
    return protocol > 0 && protocol <= UINT16_MAX ? (uint16_t)protocol : NDPI_PROTOCOL_UNKNOWN;
}

const char *dpi_name(const struct dpi *dpi, uint16_t protocol) {
    const char *name = ndpi_get_proto_name(dpi->module, protocol);
    return name ? name : "";
}

/* ---- at sight ---- */

/* Televisions and speakers look for each other all day, each time from another port and so in a
 * flow of its own: nDPI would be given a state, and look its addresses up, to read two words. */
bool dpi_at_sight(const struct weir_packet *packet, struct dpi_verdict *ret_verdict) {
    static const char *const ssdp[] = {"M-SEARCH * HTTP/1.1", "NOTIFY * HTTP/1.1\r\n"};
    enum { SSDP_PORT = 1900, SSDP_BYTES = 19 };
    if (packet->transport != WEIR_TRANSPORT_UDP || packet->dst_port != SSDP_PORT ||
        packet->payload_captured < SSDP_BYTES)
        return false;
    for (size_t i = 0; i < sizeof ssdp / sizeof ssdp[0]; i++) {
        if (memcmp(packet->payload, ssdp[i], SSDP_BYTES) != 0) continue;
        *ret_verdict = (struct dpi_verdict){.app = NDPI_PROTOCOL_SSDP, .recognised = true};
        return true;
    }
    return false;
}

/* ---- one flow ---- */

struct dpi_flow *dpi_flow_new(void) {
    struct dpi_flow *flow = calloc(1, sizeof *flow);
    struct ndpi_flow_struct *state = ndpi_flow_malloc(ndpi_detection_get_sizeof_ndpi_flow_struct());
    if (!flow || !state) {
        free(flow);
        ndpi_flow_free(state);
        return NULL;
    }
    memset(state, 0, ndpi_detection_get_sizeof_ndpi_flow_struct());
    flow->state = state;
    return flow;
}

void dpi_flow_free(struct dpi_flow *flow) {
    if (!flow) return;
    ndpi_free_flow(flow->state);
    free(flow);
}

static void put16(uint8_t *at, size_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static size_t put_ip(uint8_t *at, const struct weir_packet *packet, size_t payload_len) {
    if (weir_addr_is_v4(&packet->src) && weir_addr_is_v4(&packet->dst)) {
        memset(at, 0, IP4_HEADER);
        at[0] = 0x45;
        put16(at + 2, IP4_HEADER + payload_len);
        at[8] = packet->ttl ? packet->ttl : 64;
        at[9] = packet->transport;
        memcpy(at + 12, packet->src.bytes + 12, 4);
        memcpy(at + 16, packet->dst.bytes + 12, 4);
        return IP4_HEADER;
    }
    memset(at, 0, IP6_HEADER);
    at[0] = 0x60;
    put16(at + 4, payload_len);
    at[6] = packet->transport;
    at[7] = packet->ttl ? packet->ttl : 64;
    memcpy(at + 8, packet->src.bytes, 16);
    memcpy(at + 24, packet->dst.bytes, 16);
    return IP6_HEADER;
}

static size_t put_transport(uint8_t *at, const struct weir_packet *packet, size_t payload_len) {
    bool tcp = packet->transport == WEIR_TRANSPORT_TCP;
    size_t header = tcp ? TCP_HEADER : UDP_HEADER;
    memset(at, 0, header);
    put16(at, packet->src_port);
    put16(at + 2, packet->dst_port);
    if (tcp) {
        put32(at + 4, packet->tcp.seq);
        put32(at + 8, packet->tcp.ack);
        at[12] = (TCP_HEADER / 4) << 4;
        at[13] = packet->tcp_flags;
        put16(at + 14, packet->tcp.window);
    } else {
        put16(at + 4, header + payload_len);
    }
    return header;
}

static size_t build_packet(uint8_t *scratch, const struct weir_packet *packet) {
    size_t payload =
        packet->payload_captured < SCRATCH_PAYLOAD ? packet->payload_captured : SCRATCH_PAYLOAD;
    size_t transport = packet->transport == WEIR_TRANSPORT_TCP ? TCP_HEADER : UDP_HEADER;
    size_t length = put_ip(scratch, packet, transport + payload);
    length += put_transport(scratch + length, packet, payload);
    memcpy(scratch + length, packet->payload, payload);
    return length + payload;
}

static ndpi_protocol process(struct dpi *dpi, struct ndpi_flow_struct *state,
                             const struct weir_packet *packet) {
    size_t length = build_packet(dpi->scratch, packet);
    uint64_t now_ms = packet->now_us > 0 ? (uint64_t)packet->now_us / 1000 : 0;
#ifdef WEIR_NDPI_INPUT_INFO
    return ndpi_detection_process_packet(dpi->module, state, dpi->scratch, (unsigned short)length,
                                         now_ms, NULL);
#else
    return ndpi_detection_process_packet(dpi->module, state, dpi->scratch, (unsigned short)length,
                                         now_ms);
#endif
}

static ndpi_protocol give_up(struct dpi *dpi, struct ndpi_flow_struct *state) {
#if defined WEIR_NDPI_GIVEUP_4
    u_int8_t guessed = 0;
    return ndpi_detection_giveup(dpi->module, state, 1, &guessed);
#elif defined WEIR_NDPI_GIVEUP_3
    u_int8_t guessed = 0;
    return ndpi_detection_giveup(dpi->module, state, &guessed);
#else
    return ndpi_detection_giveup(dpi->module, state);
#endif
}

static struct dpi_verdict read_verdict(const ndpi_protocol *protocol) {
#ifdef WEIR_NDPI_NESTED_PROTO
    uint16_t master = protocol->proto.master_protocol, app = protocol->proto.app_protocol;
#else
    uint16_t master = protocol->master_protocol, app = protocol->app_protocol;
#endif
    return (struct dpi_verdict){
        .master = master,
        .app = app,
        .tunnel = protocol->category == NDPI_PROTOCOL_CATEGORY_VPN,
    };
}

static void read_host(const struct ndpi_flow_struct *state, struct weir_host *ret_host) {
    const char *name = state->host_server_name; /* an array or a pointer, by release; terminated */
    size_t length = name ? strlen(name) : 0;
    if (length > 0 && length != HOST_CUT) weir_host_set(ret_host, name, length);
}

static bool is_known(const struct dpi_verdict *verdict) {
    return verdict->master != NDPI_PROTOCOL_UNKNOWN || verdict->app != NDPI_PROTOCOL_UNKNOWN;
}

/* Takes back what nDPI only remembers from other flows. */
static void uncache(const struct ndpi_flow_struct *state, struct dpi_verdict *verdict) {
    if (state->confidence == NDPI_CONFIDENCE_DPI_CACHE)
        *verdict = (struct dpi_verdict){
            .app = verdict->master == NDPI_PROTOCOL_TLS ? NDPI_PROTOCOL_TLS : 0};
}

/* `verdict` is what the payload gave; where it is nothing, nDPI may guess. */
static void conclude(struct dpi *dpi, struct ndpi_flow_struct *state, struct dpi_verdict *verdict) {
    uncache(state, verdict);
    bool recognised = is_known(verdict);
    if (!recognised) {
        ndpi_protocol guess = give_up(dpi, state);
        *verdict = read_verdict(&guess);
        uncache(state, verdict);
    }
    verdict->recognised =
        recognised || (is_known(verdict) && state->confidence == NDPI_CONFIDENCE_DPI);
    verdict->guessed_by_port =
        !verdict->recognised && state->confidence == NDPI_CONFIDENCE_MATCH_BY_PORT;
    read_host(state, &verdict->host);
}

/* More may be learned of a protocol that is known, from the packets that follow. */
static bool wants_more(struct dpi *dpi, struct ndpi_flow_struct *state,
                       const ndpi_protocol *protocol) {
#ifdef WEIR_NDPI_STATE
    (void)dpi, (void)state; /* MONITORING: only for metadata that weir does not read */
    return protocol->state != NDPI_STATE_CLASSIFIED && protocol->state != NDPI_STATE_MONITORING;
#else
    (void)protocol;
    return ndpi_extra_dissection_possible(dpi->module, state);
#endif
}

bool dpi_packet(struct dpi *dpi, struct dpi_flow *flow, const struct weir_packet *packet,
                struct dpi_verdict *ret_verdict) {
    ndpi_protocol protocol = process(dpi, flow->state, packet);
    struct dpi_verdict now = read_verdict(&protocol);
    flow->master = now.master;
    flow->app = now.app;
    flow->tunnel = now.tunnel;
    flow->n_packets++;
    bool settled = is_known(&now) && !wants_more(dpi, flow->state, &protocol);
    if (!settled && flow->n_packets < DPI_PACKETS_MAX) return false;
    dpi_end(dpi, flow, ret_verdict);
    return true;
}

void dpi_end(struct dpi *dpi, struct dpi_flow *flow, struct dpi_verdict *ret_verdict) {
    *ret_verdict = (struct dpi_verdict){flow->master, flow->app, .tunnel = flow->tunnel};
    conclude(dpi, flow->state, ret_verdict);
}
