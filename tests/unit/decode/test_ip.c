/* IP headers: options, extension headers, fragments, and whose length counts. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frame_builder.h"

enum { RAW = 101 };

static int outcome_of(struct frame_builder *frame, struct weir_packet *packet) {
    return frame_decode(frame, RAW, FRAME_PLAIN, packet);
}

static void assert_outcome(struct frame_builder *frame, int outcome) {
    struct weir_packet packet;
    assert_int_equal(outcome_of(frame, &packet), outcome);
}

static void put16(struct frame_builder *frame, uint32_t offset, uint32_t value) {
    *frame_at(frame, offset) = (uint8_t)(value >> 8);
    *frame_at(frame, offset + 1) = (uint8_t)value;
}

static void frame_udp_packet(struct frame_builder *frame) {
    frame_payload(frame, 20, 0);
    frame_udp(frame, 5000, 443);
}

static void test_ip4_options(void **state) {
    static const uint8_t router_alert[] = {0x94, 4, 0, 0};
    struct frame_builder frame;
    struct weir_packet packet;
    frame_udp_packet(&frame);
    frame_put(&frame, router_alert, sizeof router_alert);
    frame_ip4(&frame, 17);
    *frame_at(&frame, 0) = 0x46;
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.ip_payload_len, 28);
    assert_int_equal(packet.dst_port, 443);
    assert_int_equal(packet.payload_len, 20);
    assert_addr(&packet.dst, SERVER4);
}

static void test_ip4_header_length(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 4);
    *frame_at(&frame, 0) = 0x44;
    assert_outcome(&frame, WEIR_DECODE_IP_HEADER_LEN);
    frame_payload(&frame, 10, 0);
    frame_ip4(&frame, 17);
    *frame_at(&frame, 0) = 0x4f; /* 60 bytes of 30 */
    assert_outcome(&frame, WEIR_DECODE_IP_HEADER_LEN);
    frame_common(&frame, 4);
    *frame_at(&frame, 0) =
        0x4f; /* 60 bytes of 62: but those are TCP's, which then begins too late */
    assert_outcome(&frame, WEIR_DECODE_TCP_HEADER_LEN);
}

static void test_padding_is_not_payload(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, version);
        frame_pad(&frame, 18);
        assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
        assert_common(&packet, version);
    }
}

static void test_length_beyond_the_wire_is_refused(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    put16(&frame, 2, 63);
    assert_outcome(&frame, WEIR_DECODE_IP_TOTAL_LEN);
    frame_common(&frame, 6);
    put16(&frame, 4, 43);
    assert_outcome(&frame, WEIR_DECODE_IP_TOTAL_LEN);
    frame_common(&frame, 4);
    put16(&frame, 2, 19);
    assert_outcome(&frame, WEIR_DECODE_IP_TOTAL_LEN);
    /* One byte more on the wire, and it is no lie. */
    frame_common(&frame, 4);
    put16(&frame, 2, 63);
    assert_int_equal(frame_decode_bytes(frame_at(&frame, 0), 62, 63, RAW, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 11);
    assert_int_equal(packet.payload_captured, 10);
}

/* A capture of 80 or 96 bytes measures the whole packet. */
static void test_snaplen_measures_right(void **state) {
    for (uint32_t snaplen = 68; snaplen <= 96; snaplen++) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_payload(&frame, snaplen - 54, 1460 - (snaplen - 54));
        frame_tcp(&frame, NULL, 0);
        frame_ip4(&frame, 6);
        frame_ethernet(&frame, 0x0800);
        assert_int_equal(frame_decode(&frame, 1, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
        assert_int_equal(packet.ip_payload_len, 1480);
        assert_int_equal(packet.payload_len, 1460);
        assert_int_equal(packet.payload_captured, snaplen - 54);
    }
}

/* GRO and TSO: one packet of many segments, its IP length in agreement or 0 when beyond 16 bits. */
static void test_super_packets(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_payload(&frame, 40, 60000);
    frame_tcp(&frame, NULL, 0);
    frame_ip4(&frame, 6);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 60040);
    frame_payload(&frame, 40, 100000);
    frame_tcp(&frame, NULL, 0);
    frame_ip4(&frame, 6);
    put16(&frame, 2, 0);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 100040);
    assert_int_equal(packet.ip_payload_len, 100060);
    frame_payload(&frame, 40, 100000);
    frame_tcp(&frame, NULL, 0);
    frame_ip6(&frame, 6);
    put16(&frame, 4, 0);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 100040);
}

static void test_ip6_jumbogram(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_payload(&frame, 40, 80000);
    frame_udp(&frame, 5000, 443);
    put16(&frame, 4, 0);
    FRAME_PUT(&frame, 17, 0, 0xc2, 4, 0, 1, 0x38, 0xb8);
    frame_ip6(&frame, 0);
    put16(&frame, 4, 0);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 80040);
    assert_int_equal(packet.payload_captured, 40);
}

static void test_ip6_extension_headers(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 6);
    frame.start += 40; /* without the IP header again */
    uint8_t authentication[24] = {6, 4};
    uint8_t routing[24] = {51, 2, 4, 0};
    uint8_t destination[8] = {43, 0, 1, 4};
    uint8_t hop_by_hop[8] = {60, 0, 5, 2};
    frame_put(&frame, authentication, sizeof authentication);
    frame_put(&frame, routing, sizeof routing);
    frame_put(&frame, destination, sizeof destination);
    frame_put(&frame, hop_by_hop, sizeof hop_by_hop);
    frame_ip6(&frame, 0);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_common(&packet, 6);

    *frame_at(&frame, 40 + 8 + 8 + 1) = 200; /* routing header beyond the packet */
    assert_outcome(&frame, WEIR_DECODE_IP6_EXTENSION);
}

static void frame_many_extensions(struct frame_builder *frame, unsigned n) {
    frame_common(frame, 6);
    frame->start += 40;
    for (unsigned i = 0; i < n; i++) FRAME_PUT(frame, i ? 60 : 6, 0, 1, 4, 0, 0, 0, 0);
    frame_ip6(frame, 60);
}

static void test_ip6_extension_bound(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_many_extensions(&frame, 10);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_common(&packet, 6);
    frame_many_extensions(&frame, 11);
    assert_outcome(&frame, WEIR_DECODE_IP6_EXTENSION);
    frame_payload(&frame, 4, 0); /* no room for the header announced */
    frame_ip6(&frame, 60);
    assert_outcome(&frame, WEIR_DECODE_IP6_EXTENSION);
}

static void test_ip4_authentication_header(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    uint8_t authentication[24] = {6, 4};
    frame_common(&frame, 4);
    frame.start += 20;
    frame_put(&frame, authentication, sizeof authentication);
    frame_ip4(&frame, 51);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_common(&packet, 4);
    *frame_at(&frame, 21) = 0;
    assert_outcome(&frame, WEIR_DECODE_IP_HEADER_LEN);
    *frame_at(&frame, 21) = 250;
    assert_outcome(&frame, WEIR_DECODE_IP_HEADER_LEN);
}

static void test_not_transport(void **state) {
    /* IGMP, ESP, none, OSPF, ... */
    static const uint8_t protocols[] = {2, 50, 59, 89, 103, 132, 136, 255};
    for (unsigned i = 0; i < sizeof protocols; i++) {
        struct frame_builder frame;
        frame_payload(&frame, 40, 0);
        frame_ip4(&frame, protocols[i]);
        assert_outcome(&frame, WEIR_DECODE_NOT_TRANSPORT);
        frame_payload(&frame, 40, 0);
        frame_ip6(&frame, protocols[i]);
        assert_outcome(&frame, WEIR_DECODE_NOT_TRANSPORT);
    }
}

static void test_ip4_fragments(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_udp_packet(&frame);
    put16(&frame, 4, 3000); /* the datagram of which this is the start */
    frame_ip4(&frame, 17);
    put16(&frame, 6, 0x2000);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.fragment, 1);
    assert_int_equal(packet.dst_port, 443);
    assert_int_equal(packet.payload_len, 20);
    put16(&frame, 6, 0x0000);
    assert_outcome(&frame, WEIR_DECODE_UDP_LEN);
    put16(&frame, 6, 0x2001);
    assert_outcome(&frame, WEIR_DECODE_FRAGMENT);
    put16(&frame, 6, 0x0064);
    assert_outcome(&frame, WEIR_DECODE_FRAGMENT);
    frame_common(&frame, 4);
    put16(&frame, 6, 0x4000); /* "do not fragment" alone */
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_common(&packet, 4);
}

static void frame_fragment6(struct frame_builder *frame, uint16_t offset_and_flag) {
    frame_common(frame, 6);
    frame->start += 40;
    FRAME_PUT(frame, 6, 0, (uint8_t)(offset_and_flag >> 8), (uint8_t)offset_and_flag, 1, 2, 3, 4);
    frame_ip6(frame, 44);
}

static void test_ip6_fragments(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_fragment6(&frame, 0); /* atomic: a whole packet */
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_common(&packet, 6);
    frame_fragment6(&frame, 1);
    assert_int_equal(outcome_of(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.fragment, 1);
    assert_int_equal(packet.payload_len, 10);
    frame_fragment6(&frame, 8 | 1);
    assert_outcome(&frame, WEIR_DECODE_FRAGMENT);
    frame_fragment6(&frame, 1232);
    assert_outcome(&frame, WEIR_DECODE_FRAGMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip4_options),
        cmocka_unit_test(test_ip4_header_length),
        cmocka_unit_test(test_padding_is_not_payload),
        cmocka_unit_test(test_length_beyond_the_wire_is_refused),
        cmocka_unit_test(test_snaplen_measures_right),
        cmocka_unit_test(test_super_packets),
        cmocka_unit_test(test_ip6_jumbogram),
        cmocka_unit_test(test_ip6_extension_headers),
        cmocka_unit_test(test_ip6_extension_bound),
        cmocka_unit_test(test_ip4_authentication_header),
        cmocka_unit_test(test_not_transport),
        cmocka_unit_test(test_ip4_fragments),
        cmocka_unit_test(test_ip6_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
