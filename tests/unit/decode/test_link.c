/* Link headers, tags and labels: every link type carries the same packet and must show the same
 * view. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frame_builder.h"

static void assert_carries(struct frame_builder *frame, uint16_t linktype, int version) {
    struct weir_packet packet;
    assert_int_equal(frame_decode(frame, linktype, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
    assert_common(&packet, version);
}

static void assert_outcome(struct frame_builder *frame, uint16_t linktype, int outcome) {
    struct weir_packet packet;
    assert_int_equal(frame_decode(frame, linktype, FRAME_PLAIN, &packet), outcome);
}

static uint16_t ethertype_of(int version) { return version == 4 ? 0x0800 : 0x86dd; }

/* One link header in front of IP version 4 or 6. */
static const struct {
    const char *name;
    uint16_t linktype;
    int version;
    uint8_t length;
    uint8_t header[24];
} headers[] = {
    {"ethernet", 1, 4, 14, {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}},
    {"ethernet 6", 1, 6, 14, {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd}},
    {"802.3 snap", 1, 4, 22, {2, 0, 0,  0,    0,    1, 2, 0, 0, 0, 0,
                              2, 0, 70, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
    {"802.3 snap, 802.1h", 1, 6, 22, {2, 0, 0,  0,    0,    1, 2, 0, 0,    0,    0,
                                      2, 0, 90, 0xaa, 0xaa, 3, 0, 0, 0xf8, 0x86, 0xdd}},
    {"pppoe", 1, 4, 22, {2, 0,    0,    0,    0, 1, 2, 0, 0,  0, 0,
                         2, 0x88, 0x64, 0x11, 0, 0, 9, 0, 64, 0, 0x21}},
    {"pppoe 6", 1, 6, 22, {2, 0,    0,    0,    0, 1, 2, 0, 0,  0, 0,
                           2, 0x88, 0x64, 0x11, 0, 0, 9, 0, 84, 0, 0x57}},
    {"sll", 113, 4, 16, {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}},
    {"sll 6", 113, 6, 16, {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x86, 0xdd}},
    {"sll vlan", 113, 4, 20, {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 5, 8, 0}},
    {"sll 802.2", 113, 4, 24, {0, 0, 0, 1, 0,    6,    2, 0, 0, 0, 0, 1,
                               0, 0, 0, 4, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}},
    {"sll2", 276, 4, 20, {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}},
    {"sll2 6", 276, 6, 20, {0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}},
    {"raw", 101, 4, 0, {0}},
    {"raw 6", 101, 6, 0, {0}},
    {"raw, DLT number 12", 12, 4, 0, {0}},
    {"raw, DLT number 14", 14, 6, 0, {0}},
    {"raw IPv4", 228, 4, 0, {0}},
    {"raw IPv6", 229, 6, 0, {0}},
    {"null, little endian", 0, 4, 4, {2, 0, 0, 0}},
    {"null, big endian", 0, 4, 4, {0, 0, 0, 2}},
    {"null, Linux 6", 0, 6, 4, {10, 0, 0, 0}},
    {"null, OpenBSD 6", 0, 6, 4, {24, 0, 0, 0}},
    {"null, FreeBSD 6", 0, 6, 4, {28, 0, 0, 0}},
    {"null, macOS 6", 0, 6, 4, {30, 0, 0, 0}},
    {"null, macOS 6, big endian", 0, 6, 4, {0, 0, 0, 30}},
    {"loop", 108, 4, 4, {0, 0, 0, 2}},
    {"loop 6", 108, 6, 4, {0, 0, 0, 24}},
    {"ppp", 9, 4, 4, {0xff, 3, 0, 0x21}},
    {"ppp, bare", 9, 4, 2, {0, 0x21}},
    {"ppp, protocol compressed", 9, 6, 1, {0x57}},
    {"ppp, framed and compressed", 9, 4, 3, {0xff, 3, 0x21}},
    {"ppp mpls", 9, 4, 8, {0xff, 3, 2, 0x81, 0, 1, 0x01, 64}},
    {"hdlc", 50, 4, 4, {0xff, 3, 0, 0x21}},
    {"hdlc, bare", 50, 6, 2, {0, 0x57}},
    {"hdlc, compressed", 50, 4, 1, {0x21}},
    {"hdlc of Cisco", 50, 4, 4, {0x0f, 0, 8, 0}},
    {"hdlc of Cisco, multicast", 50, 6, 4, {0x8f, 0, 0x86, 0xdd}},
    {"pppoe without ethernet", 51, 4, 8, {0x11, 0, 0, 9, 0, 64, 0, 0x21}},
};

static void test_every_link_header(void **state) {
    for (unsigned i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, headers[i].version);
        frame_put(&frame, headers[i].header, headers[i].length);
        int outcome = frame_decode(&frame, headers[i].linktype, FRAME_PLAIN, &packet);
        if (outcome) print_error("%s: %s\n", headers[i].name, weir_decode_name(outcome));
        assert_int_equal(outcome, WEIR_DECODE_OK);
        assert_common(&packet, headers[i].version);
    }
}

static uint32_t domain_of_tags(const uint16_t *vlans, unsigned n, uint16_t outer_type) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    for (unsigned i = n; i > 0; i--) frame_vlan(&frame, vlans[i - 1], i == n ? 0x0800 : 0x8100);
    frame_ethernet(&frame, n ? outer_type : 0x0800);
    assert_int_equal(frame_decode(&frame, 1, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
    assert_common(&packet, 4);
    return packet.domain;
}

static void test_tags_make_domains(void **state) {
    uint32_t none = domain_of_tags(NULL, 0, 0);
    uint32_t five = domain_of_tags((uint16_t[]){5}, 1, 0x8100);
    uint32_t six = domain_of_tags((uint16_t[]){6}, 1, 0x8100);
    uint32_t five_six = domain_of_tags((uint16_t[]){5, 6}, 2, 0x88a8);
    uint32_t six_five = domain_of_tags((uint16_t[]){6, 5}, 2, 0x88a8);
    assert_int_equal(none, 0);
    assert_true(five && six && five_six && six_five);
    assert_true(five != six && five != five_six && six != five_six && five_six != six_five);
    /* The kind of tag is no id, a priority tag is no VLAN. */
    assert_int_equal(domain_of_tags((uint16_t[]){5}, 1, 0x9100), five);
    assert_int_equal(domain_of_tags((uint16_t[]){5}, 1, 0x88a8), five);
    assert_int_equal(domain_of_tags((uint16_t[]){0}, 1, 0x8100), 0);
    assert_int_equal(domain_of_tags((uint16_t[]){0, 5}, 2, 0x8100), five);
}

static void test_pppoe_session_is_no_domain(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    FRAME_PUT(&frame, 0x11, 0, 0x12, 0x34, 0, 64, 0x21); /* protocol compressed, too */
    frame_ethernet(&frame, 0x8864);
    assert_int_equal(frame_decode(&frame, 1, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
    assert_common(&packet, 4);
    assert_int_equal(packet.domain, 0);
}

static void test_mpls(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, version);
        frame_label(&frame, 1000, true);
        frame_label(&frame, 2000, false);
        frame_label(&frame, 3000, false);
        frame_ethernet(&frame, version == 4 ? 0x8847 : 0x8848);
        assert_int_equal(frame_decode(&frame, 1, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
        assert_common(&packet, version);
        assert_int_equal(packet.domain, 0);
    }
}

static void test_pseudowire(void **state) {
    struct frame_builder frame;
    for (int version = 4; version <= 6; version += 2) {
        frame_common(&frame, version);
        frame_ethernet(&frame, ethertype_of(version));
        FRAME_PUT(&frame, 0, 0, 0x12, 0x34); /* control word with a sequence number */
        frame_label(&frame, 16, true);
        frame_ethernet(&frame, 0x8847);
        assert_carries(&frame, 1, version);
    }
    frame_common(&frame, 4);
    FRAME_PUT(&frame, 0x08, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0); /* no control word */
    frame_label(&frame, 16, true);
    frame_ethernet(&frame, 0x8847);
    assert_carries(&frame, 1, 4);
    frame_common(&frame, 4);
    /* nor here, but zeros like one */
    FRAME_PUT(&frame, 0, 0, 0x5e, 1, 1, 1, 2, 0, 0, 0, 0, 2, 8, 0);
    frame_label(&frame, 16, true);
    frame_ethernet(&frame, 0x8847);
    assert_carries(&frame, 1, 4);
    frame_payload(&frame, 40, 0);
    FRAME_PUT(&frame, 0x10, 0, 0, 0x21);
    frame_label(&frame, 16, true);
    frame_ethernet(&frame, 0x8847);
    assert_outcome(&frame, 1, WEIR_DECODE_NOT_IP);
}

static void frame_nested_tags(struct frame_builder *frame, unsigned n) {
    frame_common(frame, 4);
    for (unsigned i = 0; i < n; i++) frame_vlan(frame, (uint16_t)(i + 1), i ? 0x8100 : 0x0800);
    frame_ethernet(frame, 0x8100);
}

static void test_depth_is_bounded(void **state) {
    struct frame_builder frame;
    frame_nested_tags(&frame, 16);
    assert_carries(&frame, 1, 4);
    frame_nested_tags(&frame, 17);
    assert_outcome(&frame, 1, WEIR_DECODE_TUNNEL_DEPTH);
    frame_common(&frame, 4);
    for (unsigned i = 0; i < 17; i++) frame_label(&frame, 100 + i, i == 0);
    frame_ethernet(&frame, 0x8847);
    assert_outcome(&frame, 1, WEIR_DECODE_TUNNEL_DEPTH);
}

static void test_frames_without_ip(void **state) {
    static const struct {
        uint16_t ethertype;
        int outcome;
    } cases[] = {
        {0x0806, WEIR_DECODE_NOT_IP},       /* ARP */
        {0x88cc, WEIR_DECODE_NOT_IP},       /* LLDP */
        {0x8863, WEIR_DECODE_NOT_IP},       /* PPPoE discovery */
        {0x05dd, WEIR_DECODE_NOT_IP},       /* neither a length nor a type */
        {0x88e5, WEIR_DECODE_LINK_UNKNOWN}, /* MACsec */
    };
    struct frame_builder frame;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        frame_payload(&frame, 46, 0);
        frame_ethernet(&frame, cases[i].ethertype);
        assert_outcome(&frame, 1, cases[i].outcome);
    }
    frame_payload(&frame, 35, 0); /* spanning tree over LLC */
    FRAME_PUT(&frame, 0x42, 0x42, 3);
    frame_ethernet(&frame, 38);
    assert_outcome(&frame, 1, WEIR_DECODE_NOT_IP);
    frame_payload(&frame, 35, 0); /* Cisco's SNAP protocols */
    FRAME_PUT(&frame, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0);
    frame_ethernet(&frame, 43);
    assert_outcome(&frame, 1, WEIR_DECODE_NOT_IP);
    frame_common(&frame, 4);
    FRAME_PUT(&frame, 0, 0, 0, 7);
    assert_outcome(&frame, 0, WEIR_DECODE_NOT_IP);
}

static void test_ppp_without_ip(void **state) {
    struct frame_builder frame;
    frame_payload(&frame, 20, 0);
    FRAME_PUT(&frame, 0xff, 3, 0xc0, 0x21); /* LCP */
    assert_outcome(&frame, 9, WEIR_DECODE_NOT_IP);
    frame_payload(&frame, 20, 0);
    FRAME_PUT(&frame, 0xff, 3, 0, 0x3d); /* multilink */
    assert_outcome(&frame, 9, WEIR_DECODE_LINK_UNKNOWN);
    frame_common(&frame, 4);
    FRAME_PUT(&frame, 0x21, 0, 0, 9, 0, 64, 0, 0x21); /* version 2 of PPPoE */
    frame_ethernet(&frame, 0x8864);
    assert_outcome(&frame, 1, WEIR_DECODE_TUNNEL_MALFORMED);
    frame_common(&frame, 4);
    FRAME_PUT(&frame, 0x11, 0xa7, 0, 9, 0, 64, 0, 0x21); /* discovery's code */
    frame_ethernet(&frame, 0x8864);
    assert_outcome(&frame, 1, WEIR_DECODE_NOT_IP);
}

static void test_unknown_link_types(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 4);
    assert_outcome(&frame, 105, WEIR_DECODE_LINK_UNKNOWN);
    assert_outcome(&frame, 65535, WEIR_DECODE_LINK_UNKNOWN);
    /* radiotap in SLL */
    frame_put(&frame, (uint8_t[]){0, 0, 0x03, 0x23, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, 16);
    assert_outcome(&frame, 113, WEIR_DECODE_LINK_UNKNOWN);
}

static void test_link_says_another_version(void **state) {
    struct frame_builder frame;
    frame_common(&frame, 6);
    frame_ethernet(&frame, 0x0800);
    assert_outcome(&frame, 1, WEIR_DECODE_IP_VERSION);
    frame_common(&frame, 4);
    assert_outcome(&frame, 229, WEIR_DECODE_IP_VERSION);
    frame_common(&frame, 4);
    *frame_at(&frame, 0) = 0x55;
    assert_outcome(&frame, 101, WEIR_DECODE_IP_VERSION);
}

/* A capture library that says less wire than it captured must not turn lengths round. */
static void test_wire_shorter_than_captured(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 4);
    assert_int_equal(
        frame_decode_bytes(frame_at(&frame, 0), frame_captured(&frame), 3, 101, &packet),
        WEIR_DECODE_OK);
    assert_common(&packet, 4);
    assert_int_equal(weir_decode(&(struct weir_frame){.data = NULL, .linktype = 1}, &packet),
                     WEIR_DECODE_LINK_CUT);
    assert_int_equal(weir_decode(&(struct weir_frame){.data = NULL, .linktype = 101}, &packet),
                     WEIR_DECODE_IP_CUT);
}

static void test_every_outcome_has_a_name(void **state) {
    for (int i = 0; i < WEIR_DECODE_N; i++) {
        assert_true(strlen(weir_decode_name(i)) > 1);
        assert_true(strlen(weir_decode_help(i)) > 1);
        for (int other = 0; other < i; other++)
            assert_string_not_equal(weir_decode_name(i), weir_decode_name(other));
    }
    assert_string_equal(weir_decode_name(WEIR_DECODE_N), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_link_header),
        cmocka_unit_test(test_tags_make_domains),
        cmocka_unit_test(test_pppoe_session_is_no_domain),
        cmocka_unit_test(test_mpls),
        cmocka_unit_test(test_pseudowire),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_frames_without_ip),
        cmocka_unit_test(test_ppp_without_ip),
        cmocka_unit_test(test_unknown_link_types),
        cmocka_unit_test(test_link_says_another_version),
        cmocka_unit_test(test_wire_shorter_than_captured),
        cmocka_unit_test(test_every_outcome_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
