/* Tunnels: the innermost packet is the view; where a UDP tunnel's inside cannot be read, the outer
 * one. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frame_builder.h"

enum { RAW = 101, VXLAN = 4789, GENEVE = 6081, GTP_U = 2152 };

static void assert_inner(struct frame_builder *frame, enum frame_kind kind, int version,
                         struct weir_packet *packet) {
    assert_int_equal(frame_decode(frame, RAW, kind, packet), WEIR_DECODE_OK);
    assert_common(packet, version);
}

static void assert_outcome(struct frame_builder *frame, int outcome) {
    struct weir_packet packet;
    assert_int_equal(frame_decode(frame, RAW, FRAME_PLAIN, &packet), outcome);
}

/* The view is the outer UDP packet with all that was in it as payload. */
static void assert_outer(struct frame_builder *frame, uint16_t port, uint32_t payload_len) {
    struct weir_packet packet;
    assert_int_equal(frame_decode(frame, RAW, FRAME_GUESSED, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.transport, WEIR_TRANSPORT_UDP);
    assert_int_equal(packet.dst_port, port);
    assert_int_equal(packet.payload_len, payload_len);
    assert_int_equal(packet.domain, 0);
    assert_addr(&packet.src, CLIENT4);
}

static void outer4(struct frame_builder *frame, uint8_t protocol) {
    frame_ip4(frame, protocol);
    *frame_at(frame, 15) = 77; /* not the inner addresses */
    *frame_at(frame, 8) = 9;
}

static void test_ip_in_ip(void **state) {
    for (int inner = 4; inner <= 6; inner += 2) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, inner);
        outer4(&frame, inner == 4 ? 4 : 41);
        assert_inner(&frame, FRAME_PLAIN, inner, &packet);
        frame_common(&frame, inner);
        frame_ip6(&frame, inner == 4 ? 4 : 41);
        *frame_at(&frame, 23) = 0x77;
        *frame_at(&frame, 7) = 9;
        assert_inner(&frame, FRAME_PLAIN, inner, &packet);
        assert_int_equal(packet.domain, 0);
    }
}

static void test_inner_version_must_agree(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 6);
    outer4(&frame, 4);
    assert_outcome(&frame, WEIR_DECODE_IP_VERSION);
}

static void test_inner_length_is_checked(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 4);
    *frame_at(&frame, 3) = 63;
    outer4(&frame, 4);
    assert_outcome(&frame, WEIR_DECODE_IP_TOTAL_LEN);
}

/* The outer packet was fragmented, the inner one is whole: its own length is the truth. */
static void test_inner_of_a_first_fragment(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_payload(&frame, 40, 1400);
    frame_tcp(&frame, NULL, 0);
    frame_ip4(&frame, 6);
    frame.uncaptured = 400; /* the outer fragment ends here */
    outer4(&frame, 4);
    *frame_at(&frame, 6) = 0x20;
    assert_int_equal(frame_decode(&frame, RAW, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 1440);
    assert_int_equal(packet.payload_captured, 40);
    assert_int_equal(packet.fragment, 0);
    *frame_at(&frame, 6) = 0x00;
    assert_outcome(&frame, WEIR_DECODE_IP_TOTAL_LEN);
    *frame_at(&frame, 7) = 0x10;
    assert_outcome(&frame, WEIR_DECODE_FRAGMENT);
}

static void test_gre_optional_fields(void **state) {
    static const uint8_t optional[12] = {0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9};
    for (unsigned flags = 0; flags < 8; flags++) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, 4);
        uint32_t n = (flags & 1) + (flags >> 1 & 1) + (flags >> 2);
        uint8_t bits = (flags & 1 ? 0x80 : 0) | (flags & 2 ? 0x20 : 0) | (flags & 4 ? 0x10 : 0);
        frame_put(&frame, optional, 4 * n);
        FRAME_PUT(&frame, bits, 0, 8, 0);
        outer4(&frame, 47);
        assert_inner(&frame, FRAME_PLAIN, 4, &packet);
        assert_int_equal(packet.domain, 0); /* a key is one direction's */
    }
}

static void test_gre_payloads(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 6);
    FRAME_PUT(&frame, 0, 0, 0x86, 0xdd);
    outer4(&frame, 47);
    assert_inner(&frame, FRAME_PLAIN, 6, &packet);

    frame_common(&frame, 4); /* bridged Ethernet with a tag */
    frame_vlan(&frame, 5, 0x0800);
    frame_ethernet(&frame, 0x8100);
    FRAME_PUT(&frame, 0, 0, 0x65, 0x58);
    frame_ip6(&frame, 47);
    *frame_at(&frame, 23) = 0x77;
    assert_inner(&frame, FRAME_PLAIN, 4, &packet);
    assert_true(packet.domain);

    frame_common(&frame, 4);
    frame_label(&frame, 99, true);
    FRAME_PUT(&frame, 0, 0, 0x88, 0x47);
    outer4(&frame, 47);
    assert_inner(&frame, FRAME_PLAIN, 4, &packet);

    frame_common(&frame, 4);
    frame_label(&frame, 99, true);
    outer4(&frame, 137);
    assert_inner(&frame, FRAME_PLAIN, 4, &packet);
}

static void test_gre_that_carries_no_ip(void **state) {
    static const struct {
        uint8_t header[4];
        int outcome;
    } cases[] = {
        {{0, 0, 0, 0}, WEIR_DECODE_NOT_TRANSPORT},             /* keep-alive */
        {{0x30, 0x01, 0x88, 0x0b}, WEIR_DECODE_NOT_TRANSPORT}, /* PPTP */
        {{0, 2, 8, 0}, WEIR_DECODE_TUNNEL_MALFORMED},          /* version 2 */
        {{0x40, 0, 8, 0}, WEIR_DECODE_TUNNEL_MALFORMED},       /* source routes */
        {{0, 0, 8, 6}, WEIR_DECODE_NOT_IP},                    /* ARP */
        {{0, 0, 0x88, 0xe7}, WEIR_DECODE_LINK_UNKNOWN},        /* a provider backbone bridge */
    };
    struct frame_builder frame;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        frame_common(&frame, 4);
        frame_put(&frame, cases[i].header, 4);
        outer4(&frame, 47);
        assert_outcome(&frame, cases[i].outcome);
    }
    frame_payload(&frame, 0, 0); /* all optional fields announced, none there */
    FRAME_PUT(&frame, 0xb0, 0, 8, 0);
    outer4(&frame, 47);
    assert_outcome(&frame, WEIR_DECODE_TUNNEL_MALFORMED);
    frame_payload(&frame, 3, 0);
    outer4(&frame, 47);
    assert_outcome(&frame, WEIR_DECODE_TUNNEL_MALFORMED);
}

static void frame_vxlan(struct frame_builder *frame, uint32_t network) {
    FRAME_PUT(frame, 8, 0, 0, 0, (uint8_t)(network >> 16), (uint8_t)(network >> 8),
              (uint8_t)network, 0);
    frame_udp(frame, 51000, VXLAN);
}

static uint32_t vxlan_domain(uint32_t network, uint16_t vlan) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 6);
    if (vlan) frame_vlan(&frame, vlan, 0x86dd);
    frame_ethernet(&frame, vlan ? 0x8100 : 0x86dd);
    frame_vxlan(&frame, network);
    outer4(&frame, 17);
    assert_inner(&frame, FRAME_GUESSED, 6, &packet);
    return packet.domain;
}

static void test_vxlan(void **state) {
    uint32_t one = vxlan_domain(1, 0), two = vxlan_domain(2, 0), one_tagged = vxlan_domain(1, 2);
    assert_true(one && two && one_tagged);
    assert_true(one != two && one != one_tagged && two != one_tagged);
    assert_true(vxlan_domain(0, 0));
}

static void test_vxlan_guess_refused(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 4);
    frame_ethernet(&frame, 0x0800);
    frame_vxlan(&frame, 1);
    frame_ip4(&frame, 17);
    *frame_at(&frame, 28) = 0; /* flag I missing */
    assert_outer(&frame, VXLAN, 84);
    *frame_at(&frame, 28) = 0x0c; /* a reserved flag */
    assert_outer(&frame, VXLAN, 84);
    *frame_at(&frame, 28) = 0x08;
    *frame_at(&frame, 36 + 13) = 0x06; /* ARP */
    assert_outer(&frame, VXLAN, 84);
    *frame_at(&frame, 36 + 13) = 0x00;
    *frame_at(&frame, 36 + 14 + 3) = 63; /* inner IP length beyond the tunnel's end */
    assert_outer(&frame, VXLAN, 84);
    frame_payload(&frame, 84, 0); /* another protocol on the port */
    frame_udp(&frame, 51000, VXLAN);
    frame_ip4(&frame, 17);
    assert_outer(&frame, VXLAN, 84);
}

static void test_vxlan_needs_the_destination_port(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    frame_ethernet(&frame, 0x0800);
    FRAME_PUT(&frame, 8, 0, 0, 0, 0, 0, 1, 0);
    frame_udp(&frame, VXLAN, 443);
    frame_ip4(&frame, 17);
    assert_int_equal(frame_decode(&frame, RAW, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.transport, WEIR_TRANSPORT_UDP);
}

/* What is inside was understood, so it decides: here that it is nothing that weir measures. */
static void test_inner_outcome_of_a_udp_tunnel(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_payload(&frame, 40, 0);
    frame_ip4(&frame, 50);
    frame_ethernet(&frame, 0x0800);
    frame_vxlan(&frame, 1);
    outer4(&frame, 17);
    assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet), WEIR_DECODE_NOT_TRANSPORT);
    *frame_at(&frame, 36 + 14 + 7) = 0x10;
    assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet), WEIR_DECODE_FRAGMENT);
}

/* One word of options. */
static void frame_geneve(struct frame_builder *frame, uint8_t flags, uint16_t protocol) {
    FRAME_PUT(frame, 1, flags, (uint8_t)(protocol >> 8), (uint8_t)protocol, 0, 0, 7, 0, 1, 2, 0x80,
              0);
    frame_udp(frame, 51000, GENEVE);
}

static void test_geneve(void **state) {
    struct frame_builder frame;
    struct weir_packet ethernet, bare;
    frame_common(&frame, 6);
    frame_ethernet(&frame, 0x86dd);
    frame_geneve(&frame, 0x40, 0x6558); /* critical options are no matter of ours */
    outer4(&frame, 17);
    assert_inner(&frame, FRAME_GUESSED, 6, &ethernet);
    frame_common(&frame, 4);
    frame_geneve(&frame, 0, 0x0800);
    outer4(&frame, 17);
    assert_inner(&frame, FRAME_GUESSED, 4, &bare);
    assert_true(ethernet.domain && ethernet.domain == bare.domain);
}

static void test_geneve_guess_refused(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 4);
    frame_ethernet(&frame, 0x0800);
    frame_geneve(&frame, 0, 0x6558);
    frame_ip4(&frame, 17);
    const struct {
        uint8_t at, wrong, right;
    } bytes[] = {
        {28, 0x41, 1},    /* version 1 */
        {29, 0x80, 0},    /* control */
        {29, 0x01, 0},    /* a reserved flag */
        {35, 1, 0},       /* reserved */
        {30, 0x66, 0x65}, /* an unknown protocol */
        {28, 0x3f, 1},    /* options beyond the end */
    };
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        *frame_at(&frame, bytes[i].at) = bytes[i].wrong;
        assert_outer(&frame, GENEVE, 88);
        *frame_at(&frame, bytes[i].at) = bytes[i].right;
    }
}

static void frame_gtp(struct frame_builder *frame, uint8_t flags, uint8_t type) {
    uint32_t length = frame_wire(frame);
    FRAME_PUT(frame, flags, type, (uint8_t)(length >> 8), (uint8_t)length, 0xde, 0xad, 0xbe, 0xef);
    frame_udp(frame, 2152, GTP_U);
}

static void test_gtp(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, version);
        frame_gtp(&frame, 0x30, 0xff);
        outer4(&frame, 17);
        assert_inner(&frame, FRAME_GUESSED, version, &packet);
        assert_int_equal(packet.domain, 0); /* a TEID is one direction's */

        frame_common(&frame, version); /* sequence number, no extension */
        FRAME_PUT(&frame, 0, 1, 0, 0x85);
        frame_gtp(&frame, 0x32, 0xff);
        outer4(&frame, 17);
        assert_inner(&frame, FRAME_GUESSED, version, &packet);

        /* two extension headers, the first a PDU session container */
        frame_common(&frame, version);
        FRAME_PUT(&frame, 2, 0, 0, 0, 0, 0, 0, 0);
        FRAME_PUT(&frame, 1, 0, 9, 0xc0);
        FRAME_PUT(&frame, 0, 0, 0, 0x85);
        frame_gtp(&frame, 0x34, 0xff);
        outer4(&frame, 17);
        assert_inner(&frame, FRAME_GUESSED, version, &packet);
    }
}

static void test_gtp_guess_refused(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 4);
    frame_gtp(&frame, 0x50, 0xff); /* version 2 */
    frame_ip4(&frame, 17);
    assert_outer(&frame, GTP_U, 70);
    *frame_at(&frame, 28) = 0x20; /* GTP' */
    assert_outer(&frame, GTP_U, 70);
    *frame_at(&frame, 28) = 0x30;
    *frame_at(&frame, 29) = 1; /* echo request */
    assert_outer(&frame, GTP_U, 70);
    *frame_at(&frame, 29) = 0xff;
    *frame_at(&frame, 31) += 1; /* length beyond the datagram */
    assert_outer(&frame, GTP_U, 70);
    *frame_at(&frame, 31) -= 2; /* and too short for the packet in it */
    assert_outer(&frame, GTP_U, 70);

    frame_common(&frame, 4); /* an extension header of no length must not turn round */
    FRAME_PUT(&frame, 0, 0, 9, 0xc0);
    FRAME_PUT(&frame, 0, 0, 0, 0x85);
    frame_gtp(&frame, 0x34, 0xff);
    frame_ip4(&frame, 17);
    assert_outer(&frame, GTP_U, 78);

    frame_common(&frame, 4); /* nor may there be many */
    for (unsigned i = 0; i < 9; i++) FRAME_PUT(&frame, 1, 0, 0, i ? 0x40 : 0);
    FRAME_PUT(&frame, 0, 0, 0, 0x40);
    frame_gtp(&frame, 0x34, 0xff);
    frame_ip4(&frame, 17);
    assert_outer(&frame, GTP_U, 110);
}

static void test_tunnels_in_tunnels(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    frame_gtp(&frame, 0x30, 0xff);
    outer4(&frame, 17);
    frame_ethernet(&frame, 0x0800);
    frame_vxlan(&frame, 7);
    frame_ip6(&frame, 17);
    FRAME_PUT(&frame, 0, 0, 0x86, 0xdd);
    outer4(&frame, 47);
    assert_inner(&frame, FRAME_GUESSED, 4, &packet);
    assert_int_equal(packet.domain, vxlan_domain(7, 0));
}

static void test_depth_is_bounded(void **state) {
    for (unsigned depth = 16; depth <= 17; depth++) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, 4);
        for (unsigned i = 0; i < depth; i++) outer4(&frame, 4);
        assert_int_equal(frame_decode(&frame, RAW, FRAME_PLAIN, &packet),
                         depth == 16 ? WEIR_DECODE_OK : WEIR_DECODE_TUNNEL_DEPTH);
        frame_common(&frame, 4);
        for (unsigned i = 0; i < depth; i++) {
            frame_gtp(&frame, 0x30, 0xff);
            outer4(&frame, 17);
        }
        assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet),
                         depth == 16 ? WEIR_DECODE_OK : WEIR_DECODE_TUNNEL_DEPTH);
    }
}

/* Both directions of a conversation must come to the same domain. */
static void test_domain_is_the_same_both_ways(void **state) {
    uint32_t domains[2];
    for (unsigned way = 0; way < 2; way++) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, 4);
        frame_gtp(&frame, 0x30, 0xff);
        *frame_at(&frame, 8 + 7) = (uint8_t)way; /* TEID */
        frame_ip4(&frame, 17);
        FRAME_PUT(&frame, 0, 0, 0, (uint8_t)(way + 1)); /* key */
        FRAME_PUT(&frame, 0x20, 0, 8, 0);
        frame_ip4(&frame, 47);
        frame_label(&frame, 100 + way, true);
        frame_vlan(&frame, 30, 0x8847);
        frame_ethernet(&frame, 0x8100);
        assert_int_equal(frame_decode(&frame, 1, FRAME_GUESSED, &packet), WEIR_DECODE_OK);
        assert_common(&packet, 4);
        domains[way] = packet.domain;
    }
    assert_true(domains[0]);
    assert_int_equal(domains[0], domains[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip_in_ip),
        cmocka_unit_test(test_inner_version_must_agree),
        cmocka_unit_test(test_inner_length_is_checked),
        cmocka_unit_test(test_inner_of_a_first_fragment),
        cmocka_unit_test(test_gre_optional_fields),
        cmocka_unit_test(test_gre_payloads),
        cmocka_unit_test(test_gre_that_carries_no_ip),
        cmocka_unit_test(test_vxlan),
        cmocka_unit_test(test_geneve),
        cmocka_unit_test(test_geneve_guess_refused),
        cmocka_unit_test(test_vxlan_guess_refused),
        cmocka_unit_test(test_vxlan_needs_the_destination_port),
        cmocka_unit_test(test_inner_outcome_of_a_udp_tunnel),
        cmocka_unit_test(test_gtp),
        cmocka_unit_test(test_gtp_guess_refused),
        cmocka_unit_test(test_tunnels_in_tunnels),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_domain_is_the_same_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
