/* What flow and classify would have given. */
#include "fake.h"

const struct weir_addr *weir_flow_addr(const struct weir_flow *flow, enum weir_side side) {
    return &flow->addr[side];
}
uint16_t weir_flow_port(const struct weir_flow *flow, enum weir_side side) {
    return flow->port[side];
}
uint8_t weir_flow_transport(const struct weir_flow *flow) { return flow->transport; }
int64_t weir_flow_first_ts_us(const struct weir_flow *flow) { return flow->first_us; }
uint64_t weir_flow_payload(const struct weir_flow *flow, enum weir_side side) {
    return flow->payload[side];
}
unsigned weir_flow_shard(const struct weir_flow *flow) { /* neighbours in an array are in others */
    return (unsigned)((uintptr_t)flow / sizeof *flow % WEIR_SHARDS);
}
bool weir_flow_midstream(const struct weir_flow *flow) { return flow->midstream; }
bool weir_flow_one_way(const struct weir_flow *flow) { return flow->one_way; }
struct weir_named *weir_flow_named(struct weir_flow *flow) {
    return &flow->named;
}

int64_t weir_flow_reset_pause_us(const struct weir_flow *flow) {
    return flow->reset_pause_us ? flow->reset_pause_us : -1;
}
enum weir_outcome weir_flow_outcome(const struct weir_flow *flow) { return flow->outcome; }
void weir_flow_report(const struct weir_flow *flow, enum weir_flow_end end,
                      struct weir_flow_record *ret_record) {
    *ret_record = (struct weir_flow_record){.transport = flow->transport,
                                            .named = flow->named,
                                            .outcome = flow->outcome,
                                            .end = (uint8_t)end};
    memcpy(ret_record->addr, flow->addr, sizeof flow->addr);
}

uint64_t weir_host_hash(const char *host, size_t length) {
    uint64_t hash = 7;
    for (size_t i = 0; i < length; i++) hash = hash * 31 + (uint8_t)host[i];
    return hash;
}

static const struct weir_service services[N_SERVICES] = {
    {.id = ""},
    {.id = "other"},
    {.id = "film", .kind = WEIR_KIND_VOD},
    {.id = "sport", .kind = WEIR_KIND_LIVE},
    {.id = "radio", .kind = WEIR_KIND_AUDIO},
};

struct weir_service_set {
    int unused;
};
struct weir_service_set *fake_set(void) {
    static struct weir_service_set set;
    return &set;
}
struct weir_service_set *weir_service_set_ref(struct weir_service_set *set) {
    return set;
}
void weir_service_set_unref(struct weir_service_set *set) { (void)set; }
size_t weir_service_set_count(const struct weir_service_set *set) {
    (void)set;
    return N_SERVICES;
}
const struct weir_service *weir_service_get(const struct weir_service_set *set,
                                            weir_service_id id) {
    (void)set;
    return &services[id];
}

struct weir_match weir_service_match_host(const struct weir_service_set *set, const char *host,
                                          size_t length) {
    (void)set;
    bool film = length >= 8 && memcmp(host + length - 8, "film.net", 8) == 0;
    bool never = length >= 7 && memcmp(host, "log.net", 7) == 0;
    return (struct weir_match){.service = film ? FILM : WEIR_SERVICE_OTHER,
                               .role = film ? WEIR_ROLE_MEDIA : WEIR_ROLE_OTHER,
                               .never_count = never};
}

struct weir_addr fake_addr(const char *text) {
    struct weir_addr addr;
    assert_int_equal(weir_addr_parse(text, &addr), 0);
    return addr;
}

struct weir_flow fake_flow(const char *client, const char *server, weir_service_id service,
                           enum weir_role role) {
    return (struct weir_flow){
        .addr = {fake_addr(client), fake_addr(server)},
        .port = {40000, 443},
        .transport = WEIR_TRANSPORT_TCP,
        .first_us = T0,
        .named = {.service = service,
                  .role = (uint8_t)role,
                  .by = service ? WEIR_NAMED_SNI : WEIR_NAMED_NONE,
                  .host_hash = service},
    };
}

static struct weir_evidence fake_evidence(weir_service_id service, const char *client,
                                          const char *server, int64_t now_us) {
    struct weir_evidence evidence;
    memset(&evidence, 0, sizeof evidence);
    evidence.now_us = evidence.ts_us = now_us;
    evidence.client = fake_addr(client);
    evidence.server = fake_addr(server);
    evidence.client_port = 40000;
    evidence.server_port = 443;
    evidence.transport = WEIR_TRANSPORT_TCP;
    evidence.service = service;
    evidence.role = WEIR_ROLE_MEDIA;
    evidence.media = true;
    evidence.flow_first_us = T0;
    evidence.host_hash = 1000u + service;
    return evidence;
}

struct weir_evidence fake_attempt(weir_service_id service, const char *client, const char *server,
                                  enum weir_layer layer, enum weir_outcome outcome, int64_t now_us,
                                  int64_t age_us) {
    struct weir_evidence evidence = fake_evidence(service, client, server, now_us);
    evidence.kind = layer == WEIR_LAYER_DNS ? WEIR_EVIDENCE_DNS : WEIR_EVIDENCE_ATTEMPT;
    evidence.layer = (uint8_t)layer;
    evidence.outcome = (uint8_t)outcome;
    evidence.transport = layer == WEIR_LAYER_QUIC || layer == WEIR_LAYER_DNS ? WEIR_TRANSPORT_UDP
                                                                             : WEIR_TRANSPORT_TCP;
    evidence.first_us = now_us - age_us;
    evidence.flow_first_us = now_us - age_us;
    return evidence;
}

struct weir_evidence fake_chunk(weir_service_id service, const char *client, const char *server,
                                int64_t now_us, uint64_t bytes, int64_t ttfb_us,
                                int64_t transfer_us) {
    struct weir_evidence evidence = fake_evidence(service, client, server, now_us);
    evidence.kind = WEIR_EVIDENCE_CHUNK;
    evidence.chunk.bytes = bytes;
    evidence.chunk.ttfb_us = ttfb_us;
    evidence.chunk.known = true;
    evidence.chunk.transfer_us = transfer_us;
    evidence.chunk.request_us = evidence.first_us =
        now_us - transfer_us - (ttfb_us > 0 ? ttfb_us : 0);
    return evidence;
}

void fake_asked(struct weir_evidence *chunk, int64_t asked_us) {
    int64_t wait_us = chunk->chunk.ttfb_us > 0 ? chunk->chunk.ttfb_us : 0;
    chunk->chunk.rest_us = chunk->ts_us - asked_us - wait_us - chunk->chunk.transfer_us;
    chunk->chunk.request_us = asked_us;
}

struct weir_evidence fake_progress(weir_service_id service, const char *client, const char *server,
                                   int64_t now_us, uint64_t bytes, int64_t waiting_us) {
    struct weir_evidence evidence = fake_evidence(service, client, server, now_us);
    evidence.kind = WEIR_EVIDENCE_PROGRESS;
    evidence.progress.bytes = bytes;
    evidence.progress.last_us = bytes ? now_us : 0;
    evidence.progress.waiting = waiting_us > 0;
    evidence.progress.waiting_us = evidence.progress.open_us = waiting_us;
    return evidence;
}

struct weir_value fake_value(const struct weir_value *values, const char *group, const char *name) {
    int place = weir_field_find(group, name);
    assert_true(place >= 0);
    return values[place];
}
