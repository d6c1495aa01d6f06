/* Flows through the classifier: which name they get, by what, when it is done, and that nothing is
 * left behind. */
#include "fixture.h"

#include "../decode/hello_builder.h"
#include "../decode/quic_builder.h"

static const char *const client_text = "192.168.1.10", *const server_text = "198.51.100.1";

struct bench {
    struct weir_service_set *set;
    struct weir_classifier *classifier;
    weir_service_id alpha, bravo, spotify;
};

static int setup(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->set = fixture_services();
    bench->alpha = fixture_service(bench->set, "alpha");
    bench->bravo = fixture_service(bench->set, "bravo");
    bench->spotify = fixture_service(bench->set, "spotify");
    assert_int_equal(weir_classifier_new(&bench->classifier, bench->set, NULL), 0);
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    struct weir_naming_stats stats;
    weir_classify_stats(bench->classifier, &stats);
    assert_int_equal(stats.naming_now, 0);
    weir_classifier_free(bench->classifier);
    weir_service_set_unref(bench->set);
    free(bench);
    return 0;
}

static struct weir_naming_stats stats_of(const struct bench *bench) {
    struct weir_naming_stats stats;
    weir_classify_stats(bench->classifier, &stats);
    return stats;
}

static struct weir_flow begin_at(struct bench *bench, uint8_t transport, const char *client,
                                 const char *server, uint16_t port, int64_t now_us) {
    struct weir_flow flow = make_flow(transport, client, server, port);
    weir_classify_begin(bench->classifier, &flow, NULL, now_us);
    return flow;
}

static struct weir_flow begin(struct bench *bench, uint8_t transport, const char *server,
                              uint16_t port) {
    return begin_at(bench, transport, client_text, server, port, NOW_US);
}

/* ---- provisional names ---- */

static void test_unanswered_syn(void **state) {
    struct bench *bench = *state;
    tell(bench->classifier, client_text, "www.alpha-media.net", server_text, 60, NOW_US);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    assert_int_equal(flow.named.service, bench->alpha);
    assert_int_equal(flow.named.role, WEIR_ROLE_MEDIA);
    assert_int_equal(flow.named.by, WEIR_NAMED_DNS);
    assert_string_equal(flow.named.host, "www.alpha-media.net");
    assert_false(flow.named.done);
    assert_null(flow.naming); /* a flood of SYNs costs nothing here */
    weir_classify_end(bench->classifier, &flow);
    assert_int_equal(stats_of(bench).https_flows, 1);
    assert_int_equal(stats_of(bench).https_blind, 0);

    const struct weir_address_fact *facts;
    /* a memory proves nothing new */
    assert_int_equal(weir_classify_take_facts(bench->classifier, &facts), 0);
}

static void test_dns_kept_ttl_and_an_hour(void **state) {
    struct bench *bench = *state;
    tell(bench->classifier, client_text, "www.alpha.com", server_text, 60, NOW_US);
    int64_t end_us = NOW_US + HOUR_US + 60 * SECOND_US;
    struct weir_flow flow =
        begin_at(bench, WEIR_TRANSPORT_TCP, client_text, server_text, 443, end_us - 1);
    assert_int_equal(flow.named.service, bench->alpha);
    flow = begin_at(bench, WEIR_TRANSPORT_TCP, client_text, server_text, 443, end_us);
    assert_int_equal(flow.named.service, WEIR_SERVICE_NONE);
    assert_int_equal(flow.named.by, WEIR_NAMED_NONE);
    assert_int_equal(stats_of(bench).https_blind, 1);
}

static void test_dns_passed_over(void **state) {
    struct bench *bench = *state;
    struct weir_addr client = addr(client_text);
    struct weir_dns_message answer = {.response = true, .rcode = WEIR_DNS_SERVFAIL, .n_addrs = 1};
    weir_host_set(&answer.qname, "www.alpha.com", 13);
    answer.addrs[0].addr = addr(server_text);
    weir_classify_dns(bench->classifier, &answer, &client, NOW_US);
    answer.rcode = WEIR_DNS_NOERROR;
    answer.response = false;
    weir_classify_dns(bench->classifier, &answer, &client, NOW_US);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    assert_int_equal(flow.named.by, WEIR_NAMED_NONE);

    tell(bench->classifier, client_text, "www.alpha.com", "0.0.0.0", 60,
         NOW_US); /* a blocking resolver */
    flow = begin(bench, WEIR_TRANSPORT_TCP, "0.0.0.0", 443);
    assert_int_equal(flow.named.by, WEIR_NAMED_NONE);
}

/* Through the wire: the addresses behind a CNAME count for the name that was asked for. */
static void test_cname(void **state) {
    static const uint8_t message[] = "\x12\x34\x81\x80\0\1\0\2\0\0\0\0"
                                     "\3www\5alpha\3com\0\0\1\0\1"
                                     "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\x0d"
                                     "\4edge\5bravo\xc0\x16"
                                     "\xc0\x2b\0\1\0\1\0\0\0\x3c\0\4\xc6\x33\x64\1";
    struct bench *bench = *state;
    struct weir_dns_message answer;
    assert_int_equal(weir_dns_message(message, sizeof message - 1, &answer), WEIR_WIRE_OK);
    assert_int_equal(answer.n_addrs, 1);
    struct weir_addr client = addr(client_text);
    weir_classify_dns(bench->classifier, &answer, &client, NOW_US);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    assert_int_equal(flow.named.service, bench->alpha);
    assert_string_equal(flow.named.host, "www.alpha.com");
}

static void learn_fact(struct bench *bench, const char *server, weir_service_id service,
                       int64_t now_us) {
    struct weir_address_fact fact = {
        .addr = addr(server), .service = service, .role = WEIR_ROLE_CONTROL};
    weir_classify_learn(bench->classifier, &fact, 1, now_us);
}

static void test_address_memory(void **state) {
    struct bench *bench = *state;
    learn_fact(bench, server_text, bench->bravo, NOW_US);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    assert_int_equal(flow.named.service, bench->bravo);
    assert_int_equal(flow.named.by, WEIR_NAMED_ADDRESS);
    learn_fact(bench, server_text, WEIR_SERVICE_OTHER, NOW_US); /* shared: names nothing */
    flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    assert_int_equal(flow.named.by, WEIR_NAMED_NONE);
    /* DNS is better than the address */
    learn_fact(bench, "198.51.100.9", bench->bravo, NOW_US);
    tell(bench->classifier, client_text, "alpha.com", "198.51.100.9", 60, NOW_US);
    flow = begin(bench, WEIR_TRANSPORT_TCP, "198.51.100.9", 443);
    assert_int_equal(flow.named.service, bench->alpha);
}

static void test_prefix(void **state) {
    struct bench *bench = *state;
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, "203.0.113.7", 443);
    assert_int_equal(flow.named.service, bench->alpha);
    assert_int_equal(flow.named.by, WEIR_NAMED_ADDRESS);
    flow = begin(bench, WEIR_TRANSPORT_TCP, "203.0.112.7", 443);
    assert_int_equal(flow.named.by, WEIR_NAMED_NONE);
    /* where it is known to be shared, the prefix does not decide either */
    learn_fact(bench, "203.0.113.8", bench->alpha, NOW_US);
    learn_fact(bench, "203.0.113.8", bench->bravo, NOW_US);
    flow = begin(bench, WEIR_TRANSPORT_TCP, "203.0.113.8", 443);
    assert_int_equal(flow.named.by, WEIR_NAMED_NONE);
}

static void test_dns_flows(void **state) {
    struct bench *bench = *state;
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_UDP, "192.168.1.1", 53);
    char text[WEIR_NDPI_TEXT_MAX];
    assert_true(flow.named.done);
    assert_int_equal(flow.named.app, WEIR_APP_DNS);
    assert_string_equal(weir_classify_ndpi_text(bench->classifier, &flow.named, text), "DNS");
}

/* ---- TLS ---- */

static void assert_alpha(const struct bench *bench, const struct weir_flow *flow,
                         enum weir_named_by by) {
    assert_int_equal(flow->named.service, bench->alpha);
    assert_int_equal(flow->named.by, by);
    assert_true(flow->named.done);
    assert_null(flow->naming);
    assert_string_equal(flow->named.host, "www.alpha.com");
}

static void test_sni_in_one_segment(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096];
    size_t length = tls_hello("www.alpha.com", false, 32, false, bytes, sizeof bytes);
    tell(bench->classifier, client_text, "www.bravo.com", server_text, 60,
         NOW_US); /* payload knows better */
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, length);
    assert_alpha(bench, &flow, WEIR_NAMED_SNI);
    assert_int_equal(flow.named.app, WEIR_APP_TLS);
    assert_int_equal(stats_of(bench).naming_peak, 0); /* no state was made */
    assert_int_equal(stats_of(bench).dpi_flows, 0);

    const struct weir_address_fact *facts;
    assert_int_equal(weir_classify_take_facts(bench->classifier, &facts), 1);
    assert_int_equal(facts[0].service, bench->alpha);
    assert_memory_equal(facts[0].addr.bytes, flow.addr[WEIR_SERVER].bytes, 16);
    assert_int_equal(weir_classify_take_facts(bench->classifier, &facts), 0);
}

static void test_sni_split(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096];
    size_t length = tls_hello("www.alpha.com", false, 1216, true, bytes, sizeof bytes);
    assert_true(length > 1300);
    static const uint32_t starts[] = {1000, UINT32_MAX - 500}; /* the second wraps */
    for (size_t i = 0; i < 2; i++) {
        uint32_t seq = starts[i];
        struct weir_flow in_order = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
        feed(bench->classifier, &in_order, WEIR_CLIENT, seq, bytes, 1000);
        assert_int_equal(in_order.named.app, WEIR_APP_TLS);
        assert_false(in_order.named.done);
        feed(bench->classifier, &in_order, WEIR_CLIENT, seq + 1000, bytes + 1000, length - 1000);
        assert_alpha(bench, &in_order, WEIR_NAMED_SNI);

        struct weir_flow swapped = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
        swapped.started = true;
        swapped.expected = seq;
        feed(bench->classifier, &swapped, WEIR_CLIENT, seq + 1000, bytes + 1000, length - 1000);
        assert_false(swapped.named.done);
        feed(bench->classifier, &swapped, WEIR_CLIENT, seq, bytes, 1000);
        assert_alpha(bench, &swapped, WEIR_NAMED_SNI);
    }
    assert_int_equal(stats_of(bench).hellos, 4);
}

/* Cut to mislead filters: a byte a segment, forwards and backwards; noise left of the window; noise
 * that the real bytes overtake, since a receiver keeps what made its beginning longer first. */
static void test_sni_in_disguise(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096], noise[600];
    size_t length = tls_hello("www.alpha.com", false, 300, true, bytes, sizeof bytes);
    memset(noise, 0x16, sizeof noise);
    for (unsigned how = 0; how < 5; how++) {
        struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
        uint32_t seq = 5000;
        flow.started = true;
        flow.expected = seq;
        if (how == 0 || how == 1) {
            for (size_t i = 0; i < length; i++) {
                size_t at = how ? length - 1 - i : i;
                feed(bench->classifier, &flow, WEIR_CLIENT, seq + (uint32_t)at, bytes + at, 1);
            }
        } else if (how == 2) {
            memcpy(noise + 300, bytes, 200);
            feed(bench->classifier, &flow, WEIR_CLIENT, seq - 300, noise, 500);
            feed(bench->classifier, &flow, WEIR_CLIENT, seq + 200, bytes + 200, length - 200);
        } else if (how == 3) { /* the second half first, with noise before it */
            memcpy(noise + 50, bytes + 200, 150);
            feed(bench->classifier, &flow, WEIR_CLIENT, seq + 150, noise, 200);
            feed(bench->classifier, &flow, WEIR_CLIENT, seq, bytes, 200);
            feed(bench->classifier, &flow, WEIR_CLIENT, seq + 350, bytes + 350, length - 350);
        } else { /* noise in place of what the receiver has taken */
            feed(bench->classifier, &flow, WEIR_CLIENT, seq, bytes, 200);
            feed(bench->classifier, &flow, WEIR_CLIENT, seq, noise, 200);
            feed(bench->classifier, &flow, WEIR_CLIENT, seq + 200, bytes + 200, length - 200);
        }
        assert_alpha(bench, &flow, WEIR_NAMED_SNI);
    }
}

static void test_sni_bytewise(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096];
    size_t length = tls_hello("www.alpha.com", false, 32, true, bytes, sizeof bytes),
           step = length / 12 + 1;
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    for (size_t at = 0; at < length; at += step)
        feed(bench->classifier, &flow, WEIR_CLIENT, (uint32_t)at, bytes + at,
             length - at < step ? length - at : step);
    assert_alpha(bench, &flow, WEIR_NAMED_SNI);
}

static void test_two_records(void **state) {
    struct bench *bench = *state;
    uint8_t whole[4096], bytes[4096];
    size_t length = tls_hello("www.alpha.com", false, 32, true, whole, sizeof whole) - 5,
           first = 60;
    memcpy(bytes, (uint8_t[]){22, 3, 1, 0, (uint8_t)first}, 5);
    memcpy(bytes + 5, whole + 5, first);
    memcpy(bytes + 5 + first,
           (uint8_t[]){22, 3, 1, (uint8_t)((length - first) >> 8), (uint8_t)(length - first)}, 5);
    memcpy(bytes + 10 + first, whole + 5 + first, length - first);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, length + 10);
    assert_alpha(bench, &flow, WEIR_NAMED_SNI);
}

/* The second half is lost for good: what the first half said counts. */
static void test_sni_in_part(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096];
    tls_hello("www.alpha.com", false, 1216, false, bytes, sizeof bytes);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, 600);
    assert_int_equal(flow.named.service, bench->alpha);
    assert_int_equal(flow.named.by, WEIR_NAMED_SNI);
    assert_false(flow.named.done);
    weir_classify_end(bench->classifier, &flow);
    assert_alpha(bench, &flow, WEIR_NAMED_SNI);
}

static void test_hello_without_sni(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096];
    size_t length = tls_hello(NULL, false, 32, false, bytes, sizeof bytes);
    tell(bench->classifier, client_text, "www.alpha.com", server_text, 60, NOW_US);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, length);
    weir_classify_end(bench->classifier, &flow);
    assert_alpha(bench, &flow, WEIR_NAMED_DNS); /* payload added nothing: the name stays */
    assert_int_equal(flow.named.app, WEIR_APP_TLS);
}

static void test_group_server(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096];
    size_t length = tls_hello("www.alpha.com", false, 32, false, bytes, sizeof bytes);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, "239.1.2.3", 443);
    feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, length);
    assert_int_equal(flow.named.service, WEIR_SERVICE_OTHER);
    const struct weir_address_fact *facts;
    assert_int_equal(weir_classify_take_facts(bench->classifier, &facts), 0);
}

/* ---- ECH ---- */

static struct weir_flow flow_with_ech(struct bench *bench, const char *sni) {
    uint8_t bytes[4096];
    size_t length = tls_hello(sni, true, 32, false, bytes, sizeof bytes);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, length);
    assert_true(flow.named.ech);
    assert_true(flow.named.done);
    return flow;
}

static void test_ech(void **state) {
    struct bench *bench = *state;
    struct weir_flow flow = flow_with_ech(bench, "www.alpha.com"); /* DNS knows nothing */
    assert_alpha(bench, &flow, WEIR_NAMED_SNI);
    assert_true(flow.named.low_confidence);

    tell(bench->classifier, client_text, "www.alpha.com", server_text, 60, NOW_US);
    tell(bench->classifier, client_text, "www.bravo.com", server_text, 60, NOW_US + 1);
    flow = flow_with_ech(
        bench, "www.alpha.com"); /* GREASE: the client asked for this name, if not as the last */
    assert_alpha(bench, &flow, WEIR_NAMED_SNI);
    assert_false(flow.named.low_confidence);

    flow = flow_with_ech(bench, "public.example"); /* an outer name: the inner is what DNS gave */
    assert_int_equal(flow.named.service, bench->bravo);
    assert_int_equal(flow.named.by, WEIR_NAMED_DNS);
    assert_string_equal(flow.named.host, "www.bravo.com");
    assert_int_equal(stats_of(bench).hellos_ech, 3);
    assert_int_equal(stats_of(bench).names_over_sni, 1);
}

/* ---- HTTP ---- */

static void feed_text(struct bench *bench, struct weir_flow *flow, uint32_t seq, const char *text) {
    feed(bench->classifier, flow, WEIR_CLIENT, seq, text, strlen(text));
}

static void test_http(void **state) {
    struct bench *bench = *state;
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 80);
    feed_text(bench, &flow, 1, "GET / HTTP/1.1\r\nHost: www.alpha.com\r\n\r\n");
    assert_alpha(bench, &flow, WEIR_NAMED_HTTP);
    assert_int_equal(flow.named.app, WEIR_APP_HTTP);

    flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 80);
    feed_text(bench, &flow, 1, "GET /long HTTP/1.1\r\nUser-Agent: x\r\nHo");
    assert_false(flow.named.done);
    feed_text(bench, &flow, 38, "st: www.alpha.com\r\n\r\n");
    assert_alpha(bench, &flow, WEIR_NAMED_HTTP);
}

static void test_http_to_an_address(void **state) {
    struct bench *bench = *state;
    tell(bench->classifier, client_text, "www.alpha.com", server_text, 60, NOW_US);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 80);
    feed_text(bench, &flow, 1, "GET /range/0-1 HTTP/1.1\r\nHost: 198.51.100.1\r\n\r\n");
    weir_classify_end(bench->classifier, &flow);
    assert_alpha(bench, &flow, WEIR_NAMED_DNS); /* an address is no name */
}

/* ---- QUIC ---- */

struct quic_hello {
    uint8_t datagrams[2][1500];
    size_t lengths[2];
    struct weir_cid dcid;
};

/* A hello over two Initials, the second part in front in its packet. */
static void build_quic(struct quic_hello *quic, uint32_t version, const char *sni) {
    static const char *const alpn[] = {"h3", NULL};
    struct hello_spec spec = {
        .sni = sni, .alpn = alpn, .key_share_len = 1216, .sni_last = true, .tls13 = true};
    uint8_t hello[4096];
    size_t length = hello_build(&spec, hello, sizeof hello), cut = 900;
    quic->dcid = quic_cid("\1\2\3\4\5\6\7\x08", 8);
    for (unsigned i = 0; i < 2; i++) {
        struct quic_frames frames = {.length = 0};
        size_t from = i == 0 ? 0 : cut, to = i == 0 ? cut : length, mid = (from + to) / 2;
        quic_add_crypto(&frames, hello, mid, to - mid);
        quic_add_ping(&frames);
        quic_add_crypto(&frames, hello, from, mid - from);
        struct quic_initial_spec initial = {
            .version = version,
            .dcid = quic->dcid,
            .scid = quic_cid("\x09", 1),
            .first_dcid = quic->dcid,
            .packet_number = i,
            .packet_number_len = 1,
            .pad_to = 1200,
        };
        quic->lengths[i] = quic_build_initial(&initial, frames.bytes, frames.length,
                                              quic->datagrams[i], sizeof quic->datagrams[i]);
        assert_int_not_equal(quic->lengths[i], 0);
    }
}

static void test_quic(void **state) {
    struct bench *bench = *state;
    static const uint32_t versions[] = {QUIC_V1, QUIC_V2};
    for (unsigned i = 0; i < 8; i++) {
        struct quic_hello quic;
        bool swapped = i & 1, has_dcid = i & 4;
        build_quic(&quic, versions[i >> 1 & 1], "www.alpha.com");
        struct weir_flow flow = begin(bench, WEIR_TRANSPORT_UDP, server_text, 443);
        flow.has_dcid = has_dcid;
        flow.dcid = quic.dcid;
        feed(bench->classifier, &flow, WEIR_CLIENT, 0, quic.datagrams[swapped],
             quic.lengths[swapped]);
        assert_false(flow.named.done);
        assert_int_equal(flow.named.app, WEIR_APP_QUIC);
        feed(bench->classifier, &flow, WEIR_CLIENT, 0, quic.datagrams[!swapped],
             quic.lengths[!swapped]);
        assert_int_equal(flow.named.service, bench->alpha);
        assert_int_equal(flow.named.by, WEIR_NAMED_SNI);
        assert_null(flow.naming);

        /* nobody answered yet: no fact of the address */
        const struct weir_address_fact *facts;
        assert_int_equal(weir_classify_take_facts(bench->classifier, &facts), 0);
        feed(bench->classifier, &flow, WEIR_SERVER, 0, "\xc0 answer", 8);
        assert_alpha(bench, &flow, WEIR_NAMED_SNI);
        assert_int_equal(weir_classify_take_facts(bench->classifier, &facts), 1);
    }
    assert_int_equal(stats_of(bench).dpi_flows, 0);
}

/* An opening of its own: id, name, and both datagrams fed. */
static void open_quic(struct weir_classifier *classifier, struct weir_flow *flow, char id,
                      const char *sni) {
    uint8_t hello[2048];
    const struct hello_spec spec = {.sni = sni, .key_share_len = 32, .tls13 = true};
    size_t length = hello_build(&spec, hello, sizeof hello);
    struct quic_frames frames = {.length = 0};
    quic_add_crypto(&frames, hello, 0, length);
    struct weir_cid dcid = quic_cid((const char[]){id, id, id, id, id, id, id, id}, 8);
    struct quic_initial_spec initial = {.version = QUIC_V1,
                                        .dcid = dcid,
                                        .scid = quic_cid("\x09", 1),
                                        .first_dcid = dcid,
                                        .packet_number_len = 2,
                                        .pad_to = 1200};
    uint8_t datagram[1500];
    length = quic_build_initial(&initial, frames.bytes, frames.length, datagram, sizeof datagram);
    if (!flow->has_dcid) flow->dcid = dcid;
    flow->has_dcid = true;
    feed(classifier, flow, WEIR_CLIENT, 0, datagram, length);
}

/* Of several openings that one names the flow which the server answers, first or last; the flow
 * stage says which. */
static void test_quic_decoys(void **state) {
    static const char *const names[] = {"www.bravo.com", "api.alpha.com", "decoy.example"};
    struct bench *bench = *state;
    for (unsigned answered = 0; answered < 3; answered++) {
        struct weir_flow flow = begin(bench, WEIR_TRANSPORT_UDP, "198.51.100.77", 443);
        flow.named.app = WEIR_APP_QUIC;
        for (unsigned i = 0; i < 6; i++)
            open_quic(bench->classifier, &flow, (char)('a' + i % 3), names[i % 3]);
        assert_false(flow.named.done);
        flow.unanswered = true;
        feed(bench->classifier, &flow, WEIR_SERVER, 0, "\xf0 a retry, say", 14);
        assert_false(flow.named.done);
        flow.unanswered = false;
        memset(flow.dcid.bytes, 'a' + (int)answered, 8);
        feed(bench->classifier, &flow, WEIR_SERVER, 0, "\xc0 an answer", 11);
        assert_true(flow.named.done);
        assert_null(flow.naming);
        assert_int_equal(flow.named.by, WEIR_NAMED_SNI);
        assert_int_equal(flow.named.host_hash,
                         weir_host_hash(names[answered], strlen(names[answered])));
    }
    struct weir_naming_stats stats;
    weir_classify_stats(bench->classifier, &stats);
    assert_int_equal(stats.naming_now, 0);
}

static void test_quic_unanswered(void **state) {
    struct bench *bench = *state;
    struct quic_hello quic;
    build_quic(&quic, QUIC_V1, "www.alpha.com");
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_UDP, server_text, 443);
    for (unsigned i = 0; i < 40; i++)
        feed(bench->classifier, &flow, WEIR_CLIENT, 0, quic.datagrams[i & 1], quic.lengths[i & 1]);
    assert_int_equal(flow.named.service, bench->alpha);
    weir_classify_end(bench->classifier, &flow);
    const struct weir_address_fact *facts;
    assert_int_equal(weir_classify_take_facts(bench->classifier, &facts), 0);
    assert_int_equal(stats_of(bench).hellos, 1);
}

/* ---- nDPI, bounds, bookkeeping ---- */

static void test_noise_ends(void **state) {
    struct bench *bench = *state;
    for (unsigned kind = 0; kind < 2; kind++) {
        struct weir_flow flow =
            begin(bench, kind ? WEIR_TRANSPORT_UDP : WEIR_TRANSPORT_TCP, server_text, 40001);
        uint8_t noise[200];
        for (unsigned i = 0; i < 12; i++) {
            for (size_t k = 0; k < sizeof noise; k++)
                noise[k] = (uint8_t)(0x80 ^ (k * 37 + i * 101 + (k * k) / 7));
            feed(bench->classifier, &flow, i & 1 ? WEIR_SERVER : WEIR_CLIENT, 1 + i * 200, noise,
                 sizeof noise);
        }
        assert_true(flow.named.done);
        assert_null(flow.naming);
    }
    assert_int_equal(stats_of(bench).dpi_flows, 2);
    assert_in_range(stats_of(bench).dpi_packets, 2, 16);
}

/* QUIC taken up behind its handshake: of what is sealed nDPI sees one datagram, not eight. */
static void test_sealed_quic_is_asked_about_once(void **state) {
    struct bench *bench = *state;
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_UDP, server_text, 443);
    flow.named.app = WEIR_APP_QUIC; /* as flow says of it */
    for (unsigned i = 0; i < 8; i++) {
        uint8_t sealed[200];
        for (size_t k = 0; k < sizeof sealed; k++) sealed[k] = (uint8_t)(k * 37 + i * 101);
        sealed[0] = 0x40;
        feed(bench->classifier, &flow, i & 1 ? WEIR_SERVER : WEIR_CLIENT, 0, sealed, sizeof sealed);
    }
    assert_true(flow.named.done);
    assert_null(flow.naming);
    assert_int_equal(stats_of(bench).dpi_flows, 1);
    assert_in_range(stats_of(bench).dpi_packets, 1, 2);
}

/* The discovery of televisions is told as nDPI tells it, which is not asked. */
static void test_discovery_at_sight(void **state) {
    struct bench *bench = *state;
    static const char search[] = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n";
    char text[2][WEIR_NDPI_TEXT_MAX];
    for (unsigned asked = 0; asked < 2; asked++) { /* at another port nDPI has to be */
        struct weir_flow flow =
            begin(bench, WEIR_TRANSPORT_UDP, "239.255.255.250", asked ? 1901 : 1900);
        feed(bench->classifier, &flow, WEIR_CLIENT, 0, search, sizeof search - 1);
        assert_true(flow.named.done);
        assert_null(flow.naming);
        assert_int_equal(flow.named.by, WEIR_NAMED_NDPI);
        assert_int_equal(flow.named.service, WEIR_SERVICE_OTHER);
        assert_int_equal(stats_of(bench).dpi_flows, asked);
        weir_classify_ndpi_text(bench->classifier, &flow.named, text[asked]);
    }
    assert_string_equal(text[0], text[1]);
}

static void test_hello_that_never_ends(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[1400] = {22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3};
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    for (unsigned i = 0; i < 64 && !flow.named.done; i++) {
        feed(bench->classifier, &flow, WEIR_CLIENT, i * 1400, bytes, sizeof bytes);
        memset(bytes, 0xff, sizeof bytes);
    }
    assert_true(flow.named.done);
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Damaged hellos in pieces of any size and order: no fault (under a sanitizer), no state left,
 * always an end. */
static void test_damage(void **state) {
    struct bench *bench = *state;
    uint32_t seed = 7;
    uint8_t whole[4096], bytes[4096];
    size_t length = tls_hello("www.alpha.com", true, 1216, true, whole, sizeof whole);
    struct quic_hello quic;
    build_quic(&quic, QUIC_V1, "www.alpha.com");
    for (unsigned i = 0; i < 1500; i++) {
        bool udp = i % 3 == 0;
        struct weir_flow flow =
            begin(bench, udp ? WEIR_TRANSPORT_UDP : WEIR_TRANSPORT_TCP, server_text, 443);
        flow.midstream = i % 5 == 0;
        for (unsigned k = 0; k < 24; k++) {
            size_t size = udp ? quic.lengths[k & 1] : length;
            memcpy(bytes, udp ? quic.datagrams[k & 1] : whole, size);
            if (next_random(&seed) % 4 == 0)
                bytes[next_random(&seed) % size] = (uint8_t)next_random(&seed);
            size_t from = udp ? 0 : next_random(&seed) % 4 * (size / 4), n = size - from;
            if (next_random(&seed) % 2 == 0) n = 1 + next_random(&seed) % n;
            enum weir_side side = next_random(&seed) % 8 == 0 ? WEIR_SERVER : WEIR_CLIENT;
            feed(bench->classifier, &flow, side, (uint32_t)from + 5000, bytes + from, n);
        }
        weir_classify_end(bench->classifier, &flow);
        assert_true(flow.named.done);
        assert_null(flow.naming);
    }
    /* enough of them were whole for this to mean something */
    assert_in_range(stats_of(bench).hellos, 50, 1500);
}

static void test_naming_bound(void **state) {
    struct bench *bench = *state;
    struct weir_classify_config config = {.naming_max = 1};
    struct weir_classifier *classifier;
    assert_int_equal(weir_classifier_new(&classifier, bench->set, &config), 0);
    struct weir_flow flows[2] = {make_flow(WEIR_TRANSPORT_TCP, client_text, server_text, 443),
                                 make_flow(WEIR_TRANSPORT_TCP, client_text, server_text, 444)};
    static const uint8_t start[] = {22, 3, 1, 2, 0, 1, 0};
    for (size_t i = 0; i < 2; i++) {
        weir_classify_begin(classifier, &flows[i], NULL, NOW_US);
        feed(classifier, &flows[i], WEIR_CLIENT, 1, start, sizeof start);
    }
    assert_false(flows[0].named.done);
    assert_true(flows[1].named.done);
    struct weir_naming_stats stats;
    weir_classify_stats(classifier, &stats);
    assert_int_equal(stats.naming_now, 1);
    assert_true(stats.naming_refused >= 1);
    weir_classify_end(classifier, &flows[0]);
    weir_classify_end(classifier, &flows[1]);
    weir_classifier_free(classifier);
}

/* Half a hello, noise that nDPI is asked about, a hello that the server did not answer yet: after
 * half a minute of silence each is named by what there is. */
static void test_quiet_flows_hold_no_state(void **state) {
    struct bench *bench = *state;
    static const uint8_t start[] = {22, 3, 1, 2, 0, 1, 0}, noise[64] = {0x91, 7, 0x55};
    struct weir_flow half = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443),
                     odd = begin(bench, WEIR_TRANSPORT_TCP, server_text, 40001),
                     late = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
    uint8_t bytes[4096];
    size_t length = tls_hello("www.alpha.com", false, 0, true, bytes, sizeof bytes);
    feed(bench->classifier, &half, WEIR_CLIENT, 1, start, sizeof start);
    feed(bench->classifier, &odd, WEIR_CLIENT, 1, noise, sizeof noise);
    feed(bench->classifier, &late, WEIR_CLIENT, 1, bytes, length - 1);
    weir_classify_tick(bench->classifier, NOW_US + 29 * SECOND_US);
    assert_int_equal(stats_of(bench).naming_now, 3);
    feed(bench->classifier, &late, WEIR_CLIENT, (uint32_t)length, bytes + length - 1, 1);
    assert_int_equal(late.named.service, bench->alpha);
    weir_classify_tick(bench->classifier, NOW_US + 30 * SECOND_US);
    assert_int_equal(stats_of(bench).naming_now, 0);
    assert_true(half.named.done && odd.named.done);
    assert_null(half.naming);
    assert_null(odd.naming);
    struct weir_flow *flows[] = {&half, &odd, &late};
    for (size_t i = 0; i < 3; i++) weir_classify_end(bench->classifier, flows[i]);
}

static void test_self_report(void **state) {
    struct bench *bench = *state;
    uint8_t bytes[4096];
    static const char *const hosts[] = {"dns.google", "x.cloudflare-dns.com",
                                        "video.shared-cdn.net", "notdns.google"};
    for (size_t i = 0; i < 4; i++) {
        size_t length = tls_hello(hosts[i], false, 32, false, bytes, sizeof bytes);
        struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 443);
        feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, length);
        assert_int_equal(flow.named.service, WEIR_SERVICE_OTHER);
        assert_null(flow.named.host); /* only what a signature matched is kept */
        assert_int_not_equal(flow.named.host_hash, 0);
        flow.payload[WEIR_SERVER] = 1000;
        weir_classify_end(bench->classifier, &flow);
    }
    size_t length = tls_hello("resolver.example", false, 32, false, bytes, sizeof bytes);
    struct weir_flow flow = begin(bench, WEIR_TRANSPORT_TCP, server_text, 853);
    feed(bench->classifier, &flow, WEIR_CLIENT, 1, bytes, length);
    struct weir_naming_stats stats = stats_of(bench);
    assert_int_equal(stats.doh_flows, 2);
    assert_int_equal(stats.dot_flows, 1);
    assert_int_equal(stats.n_drift, 1);
    assert_string_equal(stats.drift[0].host.text, "video.shared-cdn.net");
    assert_int_equal(stats.drift[0].flows, 1);
    assert_int_equal(stats.drift[0].bytes, 1000);
}

static void restore(void *context, const struct weir_learned_name *name) {
    weir_classify_names_restore(context, name, NOW_US + 2);
}

static void test_names_survive(void **state) {
    struct bench *bench = *state;
    struct weir_classifier *other;
    assert_int_equal(weir_classifier_new(&other, bench->set, NULL), 0);
    tell(bench->classifier, client_text, "www.alpha.com", server_text, 60, NOW_US);
    tell(bench->classifier, client_text, "www.bravo.com", server_text, 60, NOW_US + 1);
    tell(bench->classifier, client_text, "www.example", "198.51.100.2", 60, NOW_US);
    weir_classify_names_each(bench->classifier, restore, other);
    struct weir_flow flow = make_flow(WEIR_TRANSPORT_TCP, client_text, server_text, 443);
    weir_classify_begin(other, &flow, NULL, NOW_US + 2);
    assert_int_equal(flow.named.service, bench->bravo);
    assert_string_equal(flow.named.host, "www.bravo.com");
    flow = make_flow(WEIR_TRANSPORT_TCP, client_text, "198.51.100.2", 443);
    weir_classify_begin(other, &flow, NULL, NOW_US + 2);
    assert_int_equal(flow.named.service, WEIR_SERVICE_OTHER);
    assert_int_equal(flow.named.by, WEIR_NAMED_DNS);
    weir_classifier_free(other);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_unanswered_syn),
        TEST(test_dns_kept_ttl_and_an_hour),
        TEST(test_dns_passed_over),
        TEST(test_cname),
        TEST(test_address_memory),
        TEST(test_prefix),
        TEST(test_dns_flows),
        TEST(test_sni_in_one_segment),
        TEST(test_sni_split),
        TEST(test_sni_in_disguise),
        TEST(test_sni_bytewise),
        TEST(test_two_records),
        TEST(test_sni_in_part),
        TEST(test_hello_without_sni),
        TEST(test_group_server),
        TEST(test_ech),
        TEST(test_http),
        TEST(test_http_to_an_address),
        TEST(test_quic),
        TEST(test_quic_decoys),
        TEST(test_quic_unanswered),
        TEST(test_noise_ends),
        TEST(test_sealed_quic_is_asked_about_once),
        TEST(test_discovery_at_sight),
        TEST(test_hello_that_never_ends),
        TEST(test_damage),
        TEST(test_naming_bound),
        TEST(test_quiet_flows_hold_no_state),
        TEST(test_self_report),
        TEST(test_names_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
