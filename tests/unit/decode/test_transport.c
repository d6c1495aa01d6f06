/* TCP with its options, UDP lengths, and the ICMP errors that quote. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frame_builder.h"

enum { RAW = 101 };

static int decode(struct frame_builder *frame, struct weir_packet *packet) {
    return frame_decode(frame, RAW, FRAME_PLAIN, packet);
}

static void assert_outcome(struct frame_builder *frame, int outcome) {
    struct weir_packet packet;
    assert_int_equal(decode(frame, &packet), outcome);
}

static void tcp_with_options(const void *options, uint32_t length, struct weir_packet *packet) {
    struct frame_builder frame;
    frame_payload(&frame, 5, 0);
    frame_tcp(&frame, options, length);
    frame_ip4(&frame, 6);
    assert_int_equal(decode(&frame, packet), WEIR_DECODE_OK);
    assert_int_equal(packet->payload_len, 5);
    assert_int_equal(packet->payload[4], 4);
}

static void test_syn_options(void **state) {
    static const uint8_t options[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0x80, 0,
                                      0, 1, 0,    0,    0, 0, 1, 3,  3,    7};
    struct weir_packet packet;
    tcp_with_options(options, sizeof options, &packet);
    assert_int_equal(packet.tcp.mss, 1460);
    assert_true(packet.tcp.sack_permitted && packet.tcp.has_timestamps &&
                packet.tcp.has_window_scale);
    assert_int_equal(packet.tcp.window_scale, 7);
    assert_int_equal(packet.tcp.tsval, 0x80000001);
    assert_int_equal(packet.tcp.tsecr, 0);
    assert_false(packet.tcp.has_sack || packet.tcp.options_cut);
}

static void test_sack_first_block(void **state) {
    static const uint8_t options[] = {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8, 1, 1, 5, 18,
                                      0, 0, 1, 0,  0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0};
    struct weir_packet packet;
    tcp_with_options(options, sizeof options, &packet);
    assert_true(packet.tcp.has_sack);
    assert_int_equal(packet.tcp.sack_left, 0x100);
    assert_int_equal(packet.tcp.sack_right, 0x200);
    assert_int_equal(packet.tcp.tsval, 9);
    assert_false(packet.tcp.options_cut);
}

static void test_no_options(void **state) {
    struct weir_packet packet;
    tcp_with_options(NULL, 0, &packet);
    assert_false(packet.tcp.has_timestamps || packet.tcp.has_sack || packet.tcp.has_window_scale);
    assert_false(packet.tcp.options_cut || packet.tcp.sack_permitted);
    assert_int_equal(packet.tcp.mss, 0);
}

/* What stands before the bad option counts, the rest does not. */
static void test_malformed_options(void **state) {
    static const uint8_t cases[][8] = {
        {2, 4, 0x05, 0xb4, 3, 0, 0, 0}, /* length 0 must not turn round */
        {2, 4, 0x05, 0xb4, 3, 1, 0, 0}, {2, 4, 0x05, 0xb4, 8, 10, 0, 0}, /* beyond the header */
        {2, 4, 0x05, 0xb4, 3, 4, 1, 1}, /* wrong length for its kind */
        {2, 4, 0x05, 0xb4, 5, 4, 1, 1}, {2, 4, 0x05, 0xb4, 1, 1, 1, 3}, /* kind without length */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_packet packet;
        tcp_with_options(cases[i], sizeof cases[i], &packet);
        assert_true(packet.tcp.options_cut);
        assert_int_equal(packet.tcp.mss, 1460);
        assert_false(packet.tcp.has_window_scale || packet.tcp.has_timestamps ||
                     packet.tcp.has_sack);
    }
    struct weir_packet packet;
    /* behind the end is nothing */
    tcp_with_options((uint8_t[]){2, 4, 0x05, 0xb4, 0, 99, 99, 99}, 8, &packet);
    assert_false(packet.tcp.options_cut);
    tcp_with_options((uint8_t[]){3, 3, 255, 0}, 4, &packet);
    assert_int_equal(packet.tcp.window_scale, 14);
    /* unknown ones are passed over */
    tcp_with_options((uint8_t[]){254, 4, 1, 2, 2, 4, 5, 0xb4}, 8, &packet);
    assert_false(packet.tcp.options_cut);
    assert_int_equal(packet.tcp.mss, 1460);
}

static void test_options_cut_by_the_capture(void **state) {
    static const uint8_t options[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0,
                                      0, 1, 0,    0,    0, 2, 1, 3,  3, 7};
    struct frame_builder frame;
    struct weir_packet packet;
    frame_payload(&frame, 0, 0);
    frame_tcp(&frame, options, sizeof options);
    frame_ip4(&frame, 6);
    for (uint32_t captured = 0; captured < sizeof options; captured++) {
        assert_int_equal(frame_decode_bytes(frame_at(&frame, 0), 40 + captured, 60, RAW, &packet),
                         WEIR_DECODE_OK);
        assert_true(packet.tcp.options_cut);
        assert_int_equal(packet.tcp.mss, captured >= 4 ? 1460 : 0);
        assert_int_equal(packet.tcp.sack_permitted, captured >= 6);
        assert_int_equal(packet.tcp.has_timestamps, captured >= 16);
        assert_int_equal(packet.payload_len, 0);
        assert_int_equal(packet.payload_captured, 0);
    }
    assert_int_equal(frame_decode_bytes(frame_at(&frame, 0), 39, 60, RAW, &packet),
                     WEIR_DECODE_TRANSPORT_CUT);
}

/* The short way for time stamps alone must not be taken when they are cut. */
static void test_only_timestamps_cut(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    assert_int_equal(frame_decode_bytes(frame_at(&frame, 0), 51, 62, RAW, &packet), WEIR_DECODE_OK);
    assert_true(packet.tcp.options_cut);
    assert_false(packet.tcp.has_timestamps);
    assert_int_equal(packet.payload_len, 10);
}

static void test_flags_are_the_five_of_the_contract(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    *frame_at(&frame, 20 + 13) = 0xc2; /* SYN with ECE and CWR */
    assert_int_equal(decode(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.tcp_flags, WEIR_TCP_SYN);
}

static void test_tcp_header_length(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 4);
    *frame_at(&frame, 20 + 12) = 0x40;
    assert_outcome(&frame, WEIR_DECODE_TCP_HEADER_LEN);
    *frame_at(&frame, 20 + 12) = 0xb0; /* 44 bytes of 42 */
    assert_outcome(&frame, WEIR_DECODE_TCP_HEADER_LEN);
    frame_payload(&frame, 19, 0);
    frame_ip4(&frame, 6);
    assert_outcome(&frame, WEIR_DECODE_TCP_HEADER_LEN);
    frame_payload(&frame, 0, 0);
    frame_ip6(&frame, 6);
    assert_outcome(&frame, WEIR_DECODE_TCP_HEADER_LEN);
}

static int decode_udp(uint16_t udp_len, uint16_t ip_fragment, struct weir_packet *packet) {
    struct frame_builder frame;
    frame_payload(&frame, 20, 0);
    frame_udp(&frame, 53, 40000);
    *frame_at(&frame, 4) = (uint8_t)(udp_len >> 8);
    *frame_at(&frame, 5) = (uint8_t)udp_len;
    frame_ip4(&frame, 17);
    *frame_at(&frame, 6) = (uint8_t)(ip_fragment >> 8);
    return decode(&frame, packet);
}

static void test_udp_lengths(void **state) {
    struct weir_packet packet;
    assert_int_equal(decode_udp(28, 0, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.transport, WEIR_TRANSPORT_UDP);
    assert_int_equal(packet.src_port, 53);
    assert_int_equal(packet.dst_port, 40000);
    assert_int_equal(packet.checksum, 0xcafe);
    assert_int_equal(packet.payload_len, 20);
    assert_int_equal(packet.payload_captured, 20);
    assert_int_equal(packet.ip_payload_len, 28);
    /* shorter than IP says: UDP counts */
    assert_int_equal(decode_udp(18, 0, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 10);
    assert_int_equal(packet.payload_captured, 10);
    assert_int_equal(packet.ip_payload_len, 28);
    assert_int_equal(decode_udp(8, 0, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 0);
    assert_int_equal(decode_udp(29, 0, &packet), WEIR_DECODE_UDP_LEN);
    assert_int_equal(decode_udp(29, 0x2000, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.payload_len, 20);
    assert_int_equal(decode_udp(7, 0, &packet), WEIR_DECODE_UDP_LEN);
    assert_int_equal(decode_udp(0, 0, &packet), WEIR_DECODE_UDP_LEN);
}

static void test_udp_shorter_than_its_header(void **state) {
    struct frame_builder frame;
    frame_payload(&frame, 7, 0);
    frame_ip4(&frame, 17);
    assert_outcome(&frame, WEIR_DECODE_UDP_LEN);
    frame_payload(&frame, 7, 1);
    frame_ip4(&frame, 17);
    assert_outcome(&frame, WEIR_DECODE_TRANSPORT_CUT);
}

/* An error from the path about what CLIENT sent to SERVER; `quoted` bytes of the packet behind its
 * IP header. */
static void frame_error(struct frame_builder *frame, int version, uint8_t type, uint8_t code,
                        bool tcp, uint32_t quoted) {
    frame_payload(frame, 30, 0);
    if (tcp)
        frame_tcp(frame, NULL, 0);
    else
        frame_udp(frame, 40000, 443);
    uint32_t dropped = frame_captured(frame) - quoted;
    memmove(frame->room + frame->start + dropped, frame->room + frame->start, quoted);
    frame->start += dropped;
    if (version == 4)
        frame_ip4(frame, tcp ? 6 : 17);
    else
        frame_ip6(frame, tcp ? 6 : 17);
    *frame_at(frame, version == 4 ? 2 : 4) = 5; /* the quoted length is the original's, long gone */
    FRAME_PUT(frame, type, code, 0x11, 0x22, 0, 0, 0, 0);
    if (version == 4)
        frame_ip4(frame, 1);
    else
        frame_ip6(frame, 58);
    *frame_at(frame, version == 4 ? 15 : 23) = 0x99; /* the router's address */
}

static void test_icmp_errors_quote(void **state) {
    for (unsigned n = 0; n < 8; n++) {
        int version = n & 1 ? 6 : 4;
        bool tcp = n & 2;
        struct frame_builder frame;
        struct weir_packet packet;
        frame_error(&frame, version, version == 4 ? 3 : 1, 4, tcp, n & 4 ? 8 : 28);
        assert_int_equal(decode(&frame, &packet), WEIR_DECODE_OK);
        assert_int_equal(packet.transport, WEIR_TRANSPORT_ICMP);
        assert_int_equal(packet.icmp.type, version == 4 ? 3 : 1);
        assert_int_equal(packet.icmp.code, 4);
        assert_int_equal(packet.checksum, 0x1122);
        assert_int_equal(packet.src_port, 0);
        assert_int_equal(packet.dst_port, 0);
        assert_int_equal(packet.icmp.quoted_transport,
                         tcp ? WEIR_TRANSPORT_TCP : WEIR_TRANSPORT_UDP);
        assert_int_equal(packet.icmp.quoted_src_port, 40000);
        assert_int_equal(packet.icmp.quoted_dst_port, 443);
        assert_int_equal(packet.icmp.quoted_seq, tcp ? 0x01020304 : 0);
        assert_addr(&packet.icmp.quoted_src, version == 4 ? CLIENT4 : CLIENT6);
        assert_addr(&packet.icmp.quoted_dst, version == 4 ? SERVER4 : SERVER6);
        assert_addr(&packet.src, version == 4 ? "192.0.2.153" : "2001:db8::99");
        assert_int_equal(packet.payload_len, packet.ip_payload_len - 8);
    }
}

static void test_icmp_types(void **state) {
    static const struct {
        int version;
        uint8_t type;
        int outcome;
    } cases[] = {
        {4, 3, WEIR_DECODE_OK},
        {4, 0, WEIR_DECODE_NOT_TRANSPORT},
        {4, 8, WEIR_DECODE_NOT_TRANSPORT},
        {4, 11, WEIR_DECODE_NOT_TRANSPORT},
        {4, 1, WEIR_DECODE_NOT_TRANSPORT},
        {6, 1, WEIR_DECODE_OK},
        {6, 2, WEIR_DECODE_OK},
        {6, 3, WEIR_DECODE_NOT_TRANSPORT},
        {6, 128, WEIR_DECODE_NOT_TRANSPORT},
        {6, 135, WEIR_DECODE_NOT_TRANSPORT},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frame_builder frame;
        frame_error(&frame, cases[i].version, cases[i].type, 0, true, 8);
        assert_outcome(&frame, cases[i].outcome);
    }
}

static void test_icmp_of_the_other_version(void **state) {
    struct frame_builder frame;
    frame_error(&frame, 4, 3, 0, true, 8);
    *frame_at(&frame, 9) = 58;
    assert_outcome(&frame, WEIR_DECODE_NOT_TRANSPORT);
    frame_error(&frame, 6, 1, 0, true, 8);
    *frame_at(&frame, 6) = 1;
    assert_outcome(&frame, WEIR_DECODE_NOT_TRANSPORT);
}

static void test_icmp_quotes_that_cannot_be_read(void **state) {
    struct frame_builder frame;
    frame_error(&frame, 4, 3, 0, true, 7); /* one byte short of the sequence number */
    assert_outcome(&frame, WEIR_DECODE_ICMP_QUOTE);
    frame_error(&frame, 6, 1, 0, false, 7);
    assert_outcome(&frame, WEIR_DECODE_ICMP_QUOTE);
    frame_error(&frame, 4, 3, 0, true, 28);
    *frame_at(&frame, 28 + 7) = 0x40; /* a later fragment quoted: there are no ports in it */
    assert_outcome(&frame, WEIR_DECODE_ICMP_QUOTE);
    frame_error(&frame, 4, 3, 0, true, 28);
    *frame_at(&frame, 28) = 0x65;
    assert_outcome(&frame, WEIR_DECODE_ICMP_QUOTE);
    frame_payload(&frame, 0, 0);
    FRAME_PUT(&frame, 3, 1, 0, 0); /* half a header */
    frame_ip4(&frame, 1);
    assert_outcome(&frame, WEIR_DECODE_ICMP_QUOTE);
    frame_payload(&frame, 0, 0);
    frame_ip4(&frame, 1);
    assert_outcome(&frame, WEIR_DECODE_NOT_TRANSPORT);
}

static void test_icmp_quotes_first_fragment_and_others(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_error(&frame, 4, 3, 4, true, 28);
    *frame_at(&frame, 28 + 6) = 0x20;
    assert_int_equal(decode(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.icmp.quoted_dst_port, 443);
    assert_int_equal(packet.fragment, 0); /* the error itself is whole */
    frame_error(&frame, 4, 3, 3, true, 28);
    *frame_at(&frame, 28 + 9) = 50;
    assert_int_equal(decode(&frame, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.icmp.quoted_transport, WEIR_TRANSPORT_NONE);
    assert_int_equal(packet.icmp.quoted_dst_port, 0);
    assert_addr(&packet.icmp.quoted_dst, SERVER4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syn_options),
        cmocka_unit_test(test_sack_first_block),
        cmocka_unit_test(test_no_options),
        cmocka_unit_test(test_malformed_options),
        cmocka_unit_test(test_options_cut_by_the_capture),
        cmocka_unit_test(test_only_timestamps_cut),
        cmocka_unit_test(test_flags_are_the_five_of_the_contract),
        cmocka_unit_test(test_tcp_header_length),
        cmocka_unit_test(test_udp_lengths),
        cmocka_unit_test(test_udp_shorter_than_its_header),
        cmocka_unit_test(test_icmp_errors_quote),
        cmocka_unit_test(test_icmp_types),
        cmocka_unit_test(test_icmp_of_the_other_version),
        cmocka_unit_test(test_icmp_quotes_that_cannot_be_read),
        cmocka_unit_test(test_icmp_quotes_first_fragment_and_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
