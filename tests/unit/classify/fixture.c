#include "fixture.h"

#include "../decode/hello_builder.h"
#include "signatures.h"

const struct weir_addr *weir_flow_addr(const struct weir_flow *flow, enum weir_side side) {
    return &flow->addr[side];
}
uint16_t weir_flow_port(const struct weir_flow *flow, enum weir_side side) {
    return flow->port[side];
}
uint8_t weir_flow_transport(const struct weir_flow *flow) { return flow->transport; }
int64_t weir_flow_first_ts_us(const struct weir_flow *flow) { return NOW_US; }
uint64_t weir_flow_payload(const struct weir_flow *flow, enum weir_side side) {
    return flow->payload[side];
}
bool weir_flow_answered(const struct weir_flow *flow) {
    return flow->payload[WEIR_SERVER] > 0 && !flow->unanswered;
}
uint32_t weir_flow_expected(const struct weir_flow *flow) { return flow->expected; }
bool weir_flow_midstream(const struct weir_flow *flow) { return flow->midstream; }
struct weir_named *weir_flow_named(struct weir_flow *flow) {
    return &flow->named;
}
void **weir_flow_naming(struct weir_flow *flow) { return &flow->naming; }
const struct weir_cid *weir_flow_first_dcid(const struct weir_flow *flow) {
    return flow->has_dcid ? &flow->dcid : NULL;
}

struct weir_service_set *fixture_services(void) {
    static const struct signature_text files[] = {
        {"alpha.yaml",
         "id: alpha\ntitle: Alpha\nkind: vod\nndpi: [NetFlix]\nhosts:\n  media: [alpha-media.net]\n"
         "  control: [alpha.com]\nprefixes:\n  media: [203.0.113.0/24]\n"},
        {"bravo.yaml", "id: bravo\ntitle: Bravo\nkind: live\nhosts:\n  control: [bravo.com]\n"},
        {"spotify.yaml", "id: spotify\ntitle: Spotify\nkind: audio\nndpi: [Spotify]\nhosts:\n"
                         "  control: [spotify.com]\n"},
        {"cdn.yaml", "cdn: [shared-cdn.net]\n"},
    };
    return load_signatures(files, sizeof files / sizeof files[0]);
}

weir_service_id fixture_service(struct weir_service_set *set, const char *id) {
    weir_service_id service = weir_service_find(set, id);
    assert_int_not_equal(service, WEIR_SERVICE_NONE);
    return service;
}

struct weir_addr addr(const char *text) {
    struct weir_addr parsed;
    assert_int_equal(weir_addr_parse(text, &parsed), 0);
    return parsed;
}

struct weir_flow make_flow(uint8_t transport, const char *client, const char *server,
                           uint16_t port) {
    return (struct weir_flow){
        .addr = {addr(client), addr(server)}, .port = {40000, port}, .transport = transport};
}

void feed(struct weir_classifier *classifier, struct weir_flow *flow, enum weir_side side,
          uint32_t seq, const void *bytes, size_t length) {
    uint8_t *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    struct weir_packet packet = {
        .ts_us = NOW_US,
        .now_us = NOW_US,
        .src = flow->addr[side],
        .dst = flow->addr[!side],
        .src_port = flow->port[side],
        .dst_port = flow->port[!side],
        .transport = flow->transport,
        .ttl = 60,
        .payload_len = (uint32_t)length,
        .payload_captured = (uint32_t)length,
        .payload = copy,
    };
    if (flow->transport == WEIR_TRANSPORT_TCP) {
        packet.tcp.seq = seq;
        packet.tcp_flags = WEIR_TCP_ACK | WEIR_TCP_PSH;
        if (!flow->started) /* the first segment fed is the first sent, unless the test says
                               otherwise */
            flow->expected = seq;
        flow->started = true;
    }
    flow->payload[side] += length;
    weir_classify_packet(classifier, flow, &packet, side);
    free(copy);
}

size_t tls_hello(const char *sni, bool ech, size_t key_share_len, bool sni_last, uint8_t *bytes,
                 size_t capacity) {
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct hello_spec spec = {.sni = sni,
                              .alpn = alpn,
                              .key_share_len = key_share_len,
                              .sni_last = sni_last,
                              .ech = ech,
                              .tls13 = true};
    size_t length =
        hello_build(&spec, bytes + WEIR_TLS_RECORD_HEADER, capacity - WEIR_TLS_RECORD_HEADER);
    const uint8_t header[] = {22, 3, 1, (uint8_t)(length >> 8), (uint8_t)length};
    memcpy(bytes, header, sizeof header);
    return length + sizeof header;
}

void tell(struct weir_classifier *classifier, const char *client, const char *name,
          const char *address, uint32_t ttl_s, int64_t now_us) {
    struct weir_dns_message answer = {.response = true, .n_addrs = 1};
    assert_true(weir_host_set(&answer.qname, name, strlen(name)));
    answer.addrs[0].addr = addr(address);
    answer.addrs[0].ttl_s = ttl_s;
    struct weir_addr asker = addr(client);
    weir_classify_dns(classifier, &answer, &asker, now_us);
}
