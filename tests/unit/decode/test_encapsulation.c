/* What mirror ports, access points, providers and sniffers wrap packets in. Each is read, cut at
 * every byte, and refused where only the port speaks for it. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frame_builder.h"

enum { RAW = 101, ETHERNET = 1, NFLOG = 239, CISCO_HDLC = 104 };

static void outer4(struct frame_builder *frame, uint8_t protocol) {
    frame_ip4(frame, protocol);
    *frame_at(frame, 15) = 77; /* not the inner addresses */
}

static void assert_inner(struct frame_builder *frame, uint16_t linktype, enum frame_kind kind,
                         int version) {
    struct weir_packet packet;
    assert_int_equal(frame_decode(frame, linktype, kind, &packet), WEIR_DECODE_OK);
    assert_common(&packet, version);
}

static uint16_t type_of(int version) { return version == 4 ? 0x0800 : 0x86dd; }

static void common_ethernet(struct frame_builder *frame, int version) {
    frame_common(frame, version);
    frame_ethernet(frame, type_of(version));
}

static void test_erspan(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        common_ethernet(&frame, version); /* I */
        FRAME_PUT(&frame, 0, 0, 0x88, 0xbe);
        outer4(&frame, 47);
        assert_inner(&frame, RAW, FRAME_PLAIN, version);
        common_ethernet(&frame, version); /* II */
        FRAME_PUT(&frame, 0x10, 5, 0x40, 7, 0, 0, 0, 9);
        FRAME_PUT(&frame, 0x10, 0, 0x88, 0xbe, 0, 0, 0, 1);
        outer4(&frame, 47);
        assert_inner(&frame, RAW, FRAME_PLAIN, version);
        for (unsigned more = 0; more < 2; more++) { /* III, with its subheader */
            common_ethernet(&frame, version);
            if (more) FRAME_PUT(&frame, 1, 2, 3, 4, 5, 6, 7, 8);
            FRAME_PUT(&frame, 0x20, 5, 0, 7, 1, 2, 3, 4, 0, 0, 0, (uint8_t)more);
            FRAME_PUT(&frame, 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1);
            outer4(&frame, 47);
            assert_inner(&frame, RAW, FRAME_PLAIN, version);
        }
        frame_common(&frame, version); /* III of bare IP */
        FRAME_PUT(&frame, 0x20, 5, 0, 7, 1, 2, 3, 4, 0, 0, 0x08, 0);
        FRAME_PUT(&frame, 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1);
        outer4(&frame, 47);
        assert_inner(&frame, RAW, FRAME_PLAIN, version);
    }
}

static void test_erspan_that_lies(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    common_ethernet(&frame, 4);
    FRAME_PUT(&frame, 0x30, 5, 0x40, 7, 0, 0, 0, 9); /* no such version */
    FRAME_PUT(&frame, 0x10, 0, 0x88, 0xbe, 0, 0, 0, 1);
    outer4(&frame, 47);
    assert_int_equal(frame_decode(&frame, RAW, FRAME_PLAIN, &packet), WEIR_DECODE_TUNNEL_MALFORMED);
}

static void udp(struct frame_builder *frame, uint16_t src, uint16_t dst) {
    frame_udp(frame, src, dst);
    outer4(frame, 17);
}

static void test_vxlan_elsewhere(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        common_ethernet(&frame, version);
        FRAME_PUT(&frame, 8, 0, 0, 0, 0, 0, 7, 0);
        udp(&frame, 51000, 8472);
        assert_inner(&frame, RAW, FRAME_GUESSED, version);
        common_ethernet(&frame, version); /* GPE: Ethernet, with and without saying so */
        FRAME_PUT(&frame, 0x0c, 0, 0, 3, 0, 0, 7, 0);
        udp(&frame, 51000, 4790);
        assert_inner(&frame, RAW, FRAME_GUESSED, version);
        common_ethernet(&frame, version);
        FRAME_PUT(&frame, 0x08, 0, 0, 0, 0, 0, 7, 0);
        udp(&frame, 51000, 4790);
        assert_inner(&frame, RAW, FRAME_GUESSED, version);
        frame_common(&frame, version);
        FRAME_PUT(&frame, 0x0c, 0, 0, version == 4 ? 1 : 2, 0, 0, 7, 0);
        udp(&frame, 51000, 4790);
        assert_inner(&frame, RAW, FRAME_GUESSED, version);
    }
}

static void test_l2tp(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        uint8_t protocol = version == 4 ? 0x21 : 0x57;
        for (unsigned from = 0; from < 2; from++) {
            struct frame_builder frame;
            frame_common(&frame, version);
            FRAME_PUT(&frame, 0xff, 3, 0, protocol);
            FRAME_PUT(&frame, 0, 2, 0, 5, 0, 6); /* no length */
            udp(&frame, from ? 1701 : 50000, from ? 50000 : 1701);
            assert_inner(&frame, RAW, FRAME_GUESSED, version);
            frame_common(&frame, version);
            FRAME_PUT(&frame, 0, protocol);
            FRAME_PUT(&frame, 0, 2, 0xaa, 0xbb); /* an offset of two bytes */
            FRAME_PUT(&frame, 0, 5, 0, 6, 0, 1, 0, 2);
            uint32_t length = frame_wire(&frame) + 4;
            /* length, numbers, offset */
            FRAME_PUT(&frame, 0x4a, 2, (uint8_t)(length >> 8), (uint8_t)length);
            udp(&frame, 1701, 1701);
            assert_inner(&frame, RAW, FRAME_GUESSED, version);
        }
    }
}

static void test_l2tp3(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        for (unsigned cookie = 0; cookie <= 12; cookie += 4) {
            for (unsigned over_udp = 0; over_udp < 2; over_udp++) {
                static const uint8_t between[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
                struct frame_builder frame;
                common_ethernet(&frame, version);
                frame_put(&frame, between, cookie);
                FRAME_PUT(&frame, 0, 0, 0, 42);
                if (over_udp) {
                    FRAME_PUT(&frame, 0, 3, 0, 0);
                    udp(&frame, 1701, 1701);
                } else {
                    outer4(&frame, 115);
                }
                assert_inner(&frame, RAW, FRAME_GUESSED, version);
            }
        }
        struct frame_builder frame;
        frame_common(&frame, version);
        FRAME_PUT(&frame, 0xff, 3, 0, version == 4 ? 0x21 : 0x57);
        FRAME_PUT(&frame, 0, 0, 0, 42, 1, 2, 3, 4);
        outer4(&frame, 115);
        assert_inner(&frame, RAW, FRAME_GUESSED, version);
    }
}

static void test_l2tp3_control_is_no_frame(void **state) {
    struct frame_builder frame;
    struct weir_packet packet;
    common_ethernet(&frame, 4);
    FRAME_PUT(&frame, 0, 0, 0, 0);
    outer4(&frame, 115);
    assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet), WEIR_DECODE_NOT_TRANSPORT);
}

/* Data to an access point with quality of service, LLC and SNAP. */
static void wifi(struct frame_builder *frame, int version, bool swapped, bool aggregate) {
    frame_common(frame, version);
    FRAME_PUT(frame, 0xaa, 0xaa, 3, 0, 0, 0, (uint8_t)(type_of(version) >> 8),
              (uint8_t)type_of(version));
    if (aggregate) FRAME_PUT(frame, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 90);
    FRAME_PUT(frame, aggregate ? 0x80 : 0, 0);
    FRAME_PUT(frame, swapped ? 1 : 0x88, swapped ? 0x88 : 1, 0, 0, 2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0,
              1, 2, 0, 0, 0, 0, 2, 0, 0);
}

static void test_capwap(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        for (unsigned from = 0; from < 2; from++) {
            struct frame_builder frame;
            common_ethernet(&frame, version);
            FRAME_PUT(&frame, 0, 0x10, 2, 0, 0, 0, 0, 0);
            udp(&frame, from ? 5247 : 50000, from ? 50000 : 5247);
            assert_inner(&frame, RAW, FRAME_GUESSED, version);
            for (unsigned how = 0; how < 4; how++) {
                wifi(&frame, version, how & 1, how & 2);
                FRAME_PUT(&frame, 4, 1, 2, 3); /* a radio's address behind the header */
                FRAME_PUT(&frame, 0, 0x18, 3, 0x10, 0, 0, 0, 0);
                udp(&frame, 5247, 5247);
                assert_inner(&frame, RAW, FRAME_GUESSED, version);
            }
        }
    }
}

static void test_teredo(void **state) {
    for (unsigned how = 0; how < 4; how++) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, 6);
        memcpy(frame_at(&frame, 8), (uint8_t[]){0x20, 1, 0, 0}, 4);
        if (how & 1) FRAME_PUT(&frame, 0, 0, 0x63, 0xc0, 0x3f, 0xff, 0xff, 0xfe);
        if (how & 2) FRAME_PUT(&frame, 0, 1, 1, 1, 0xaa, 0xbb, 1, 2, 3, 4, 5, 6, 7, 8, 0);
        udp(&frame, how & 1 ? 3544 : 50000, how & 1 ? 50000 : 3544);
        assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet), WEIR_DECODE_OK);
        assert_int_equal(packet.transport, WEIR_TRANSPORT_TCP);
        assert_addr(&packet.dst, SERVER6);
    }
}

static void test_tzsp(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        common_ethernet(&frame, version);
        /* padding, a signal's strength, the end */
        FRAME_PUT(&frame, 1, 0, 0, 1, 0, 10, 1, 0xd8, 1);
        udp(&frame, 50000, 37008);
        assert_inner(&frame, RAW, FRAME_GUESSED, version);
        wifi(&frame, version, false, false);
        FRAME_PUT(&frame, 1, 1, 0, 18, 1);
        udp(&frame, 50000, 37008);
        assert_inner(&frame, RAW, FRAME_GUESSED, version);
    }
}

static void test_vntag(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, version);
        frame_vlan(&frame, 5, type_of(version));
        FRAME_PUT(&frame, 0x80, 3, 0, 9, 0x81, 0);
        frame_ethernet(&frame, 0x8926);
        assert_inner(&frame, ETHERNET, FRAME_PLAIN, version);
        frame_common(&frame, version); /* the interfaces' ids are no domain */
        FRAME_PUT(&frame, 0x80, 3, 0, 9, (uint8_t)(type_of(version) >> 8),
                  (uint8_t)type_of(version));
        frame_ethernet(&frame, 0x8926);
        assert_int_equal(frame_decode(&frame, ETHERNET, FRAME_PLAIN, &packet), WEIR_DECODE_OK);
        assert_int_equal(packet.domain, 0);
    }
}

static void test_nflog(void **state) {
    for (int version = 4; version <= 6; version += 2) {
        for (unsigned big = 0; big < 2; big++) {
            struct frame_builder frame;
            frame_common(&frame, version);
            uint32_t length = frame_wire(&frame) + 4;
            uint8_t payload[4] = {(uint8_t)length, (uint8_t)(length >> 8), 9, 0},
                    prefix[8] = {7, 0, 10, 0, 'f', 'w', 0, 0};
            if (big) {
                memcpy(payload, (uint8_t[]){(uint8_t)(length >> 8), (uint8_t)length, 0, 9}, 4);
                memcpy(prefix, (uint8_t[]){0, 7, 0, 10}, 4);
            }
            frame_put(&frame, payload, 4);
            frame_put(&frame, prefix, 8);
            FRAME_PUT(&frame, version == 4 ? 2 : 10, 0, 0, 5);
            assert_inner(&frame, NFLOG, FRAME_PLAIN, version);
        }
    }
}

static void test_cisco_hdlc(void **state) {
    struct weir_packet packet;
    for (int version = 4; version <= 6; version += 2) {
        struct frame_builder frame;
        frame_common(&frame, version);
        FRAME_PUT(&frame, 0x0f, 0, (uint8_t)(type_of(version) >> 8), (uint8_t)type_of(version));
        assert_inner(&frame, CISCO_HDLC, FRAME_PLAIN, version);
    }
    static const uint8_t slarp[] = {0x8f, 0, 0x80, 0x35, 0, 0, 0, 2, 0, 0, 0, 0};
    assert_int_equal(frame_decode_bytes(slarp, sizeof slarp, sizeof slarp, CISCO_HDLC, &packet),
                     WEIR_DECODE_NOT_IP);
}

/* An ordinary datagram of any bytes at one of these ports stays one: nothing inside reads as a
 * packet. */
static void test_a_port_alone_is_no_tunnel(void **state) {
    static const uint16_t ports[] = {1701, 3544, 4790, 5247, 8472, 37008};
    uint32_t x = 1;
    for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++) {
        for (unsigned round = 0; round < 2000; round++) {
            struct frame_builder frame;
            struct weir_packet packet;
            uint8_t bytes[120];
            for (unsigned k = 0; k < sizeof bytes; k++) {
                x = x * 1664525 + 1013904223;
                bytes[k] = (uint8_t)(x >> 24);
            }
            frame_payload(&frame, 0, 0);
            frame_put(&frame, bytes, sizeof bytes);
            udp(&frame, round & 1 ? ports[i] : 50000, round & 1 ? 50000 : ports[i]);
            assert_int_equal(frame_decode_bytes(frame_at(&frame, 0), frame_captured(&frame),
                                                frame_wire(&frame), RAW, &packet),
                             WEIR_DECODE_OK);
            assert_int_equal(packet.transport, WEIR_TRANSPORT_UDP);
            assert_int_equal(packet.payload_len, sizeof bytes);
        }
    }
}

/* What none of these lets in: control messages, keep-alives, later fragments, addresses that are no
 * tunnel's. */
static void test_what_is_no_frame_stays_outside(void **state) {
    static const struct {
        uint16_t port;
        uint8_t head[8];
        uint8_t length;
    } cases[] = {
        {1701, {0xc8, 2, 0, 20, 0, 0, 0, 0}, 8},
        {5247, {0, 0x10, 2, 8, 0, 0, 0, 0}, 8},
        {5247, {1, 0x10, 2, 0, 0, 0, 0, 0}, 8},
        {5247, {0, 0x10, 2, 0x80, 0, 1, 0, 8}, 8},
        {4790, {0x0d, 0, 0, 3, 0, 0, 7, 0}, 8},
        {4790, {0x1c, 0, 0, 3, 0, 0, 7, 0}, 8},
        {37008, {1, 4, 0, 1, 1}, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame_builder frame;
        struct weir_packet packet;
        common_ethernet(&frame, 4);
        frame_put(&frame, cases[i].head, cases[i].length);
        udp(&frame, 50000, cases[i].port);
        assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet), WEIR_DECODE_OK);
        assert_int_equal(packet.transport, WEIR_TRANSPORT_UDP);
    }
    struct frame_builder frame;
    struct weir_packet packet;
    frame_common(&frame, 6);
    udp(&frame, 50000, 3544);
    assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet), WEIR_DECODE_OK);
    assert_int_equal(packet.transport, WEIR_TRANSPORT_UDP);
}

/* Each of them counts as a level: a packet in more of them than the bound is refused. */
static void test_depth_is_bounded(void **state) {
    for (unsigned depth = 8; depth <= 20; depth += 12) {
        struct frame_builder frame;
        struct weir_packet packet;
        frame_common(&frame, 4);
        for (unsigned i = 0; i < depth; i++) {
            FRAME_PUT(&frame, 0xff, 3, 0, 0x21);
            FRAME_PUT(&frame, 0, 2, 0, 5, 0, 6);
            udp(&frame, 50000, 1701);
        }
        assert_int_equal(frame_decode(&frame, RAW, FRAME_GUESSED, &packet),
                         depth <= 16 ? WEIR_DECODE_OK : WEIR_DECODE_TUNNEL_DEPTH);
        frame_common(&frame, 4);
        FRAME_PUT(&frame, 0, 0, 0, 0, 8, 0);
        for (unsigned i = 0; i < depth; i++) FRAME_PUT(&frame, 0, 0, 0, 0, 0x89, 0x26);
        frame_ethernet(&frame, 0x8926);
        assert_int_equal(frame_decode(&frame, ETHERNET, FRAME_PLAIN, &packet),
                         depth + 1 <= 16 ? WEIR_DECODE_OK : WEIR_DECODE_TUNNEL_DEPTH);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_erspan),
        cmocka_unit_test(test_erspan_that_lies),
        cmocka_unit_test(test_vxlan_elsewhere),
        cmocka_unit_test(test_l2tp),
        cmocka_unit_test(test_l2tp3),
        cmocka_unit_test(test_l2tp3_control_is_no_frame),
        cmocka_unit_test(test_capwap),
        cmocka_unit_test(test_teredo),
        cmocka_unit_test(test_tzsp),
        cmocka_unit_test(test_vntag),
        cmocka_unit_test(test_nflog),
        cmocka_unit_test(test_cisco_hdlc),
        cmocka_unit_test(test_a_port_alone_is_no_tunnel),
        cmocka_unit_test(test_what_is_no_frame_stays_outside),
        cmocka_unit_test(test_depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
