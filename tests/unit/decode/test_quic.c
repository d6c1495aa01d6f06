/* QUIC: the RFCs' own packets, headers of every kind, frames, split hellos, damage, and what tshark
 * reads. */
#include "wire_test.h"

#include <weir/wire.h>

#include "hello_builder.h"
#include "quic_builder.h"
#include "quic_vectors.h"

#define N_VECTORS (sizeof quic_vectors / sizeof quic_vectors[0])

static struct weir_cid sample_dcid(void) { return quic_cid("\x83\x94\xc8\xf0\x3e\x51\x57\x08", 8); }

static struct weir_cid server_scid(void) { return quic_cid("\xf0\x67\xa5\x50\x2a\x42\x62\xb5", 8); }

/* Header and payload in one go, out of a copy without a byte to spare. */
static enum weir_wire open_packet(const uint8_t *bytes, size_t length, size_t wire_length,
                                  const struct weir_cid *first_dcid, bool from_server,
                                  struct weir_quic_header *header,
                                  struct weir_quic_initial *initial) {
    uint8_t *copy = exact_copy(bytes, length);
    enum weir_wire wire = weir_quic_header(copy, length, wire_length, header);
    if (wire == WEIR_WIRE_OK)
        wire = weir_quic_open_initial(copy, length, header, first_dcid, from_server, initial);
    free(copy);
    return wire;
}

static enum weir_wire header_of(const uint8_t *bytes, size_t length, size_t wire_length,
                                struct weir_quic_header *header) {
    uint8_t *copy = exact_copy(bytes, length);
    enum weir_wire wire = weir_quic_header(copy, length, wire_length, header);
    free(copy);
    return wire;
}

/* ---- the samples of the RFCs ---- */

static void test_vectors_client(void **state) {
    for (size_t i = 0; i < N_VECTORS; i++) {
        uint8_t packet[1200], frames[1162] = {0};
        size_t frames_len = unhex(quic_vectors[i].client_frames, frames, sizeof frames);
        assert_int_equal(unhex(quic_vectors[i].client_packet, packet, sizeof packet), 1200);
        struct weir_cid dcid = sample_dcid();
        struct weir_quic_header header;
        struct weir_quic_initial initial;
        assert_int_equal(open_packet(packet, 1200, 1200, &dcid, false, &header, &initial),
                         WEIR_WIRE_OK);
        assert_int_equal(header.type, WEIR_QUIC_INITIAL);
        assert_int_equal(header.version, quic_vectors[i].version);
        assert_int_equal(header.packet_len, 1200);
        assert_int_equal(header.payload_offset, 18);
        assert_int_equal(header.dcid.length, 8);
        assert_memory_equal(header.dcid.bytes, dcid.bytes, 8);
        assert_int_equal(header.scid.length, 0);
        assert_memory_equal(initial.plain, frames, sizeof frames);
        assert_int_equal(initial.n_crypto, 1);
        assert_int_equal(initial.crypto[0].offset, 0);
        assert_int_equal(initial.crypto[0].length, frames_len - 4);
        assert_ptr_equal(initial.crypto[0].bytes, initial.plain + 4);
        assert_false(initial.closed || initial.crypto_left_out);

        struct weir_client_hello hello;
        assert_int_equal(
            weir_client_hello(initial.crypto[0].bytes, initial.crypto[0].length, &hello),
            WEIR_WIRE_OK);
        assert_string_equal(hello.sni.text,
                            quic_vectors[i].version == QUIC_DRAFT29 ? "server" : "example.com");
        assert_int_equal(hello.version, 0x0304);

        assert_int_equal(open_packet(packet, 1200, 1200, &dcid, true, &header, &initial),
                         WEIR_WIRE_NOT);
        assert_int_equal(initial.n_crypto, 0);
        dcid.bytes[7] ^= 1;
        assert_int_equal(open_packet(packet, 1200, 1200, &dcid, false, &header, &initial),
                         WEIR_WIRE_NOT);
    }
}

static void test_vectors_server(void **state) {
    for (size_t i = 0; i < N_VECTORS; i++) {
        if (!quic_vectors[i].server_packet) continue;
        uint8_t packet[135], frames[99];
        assert_int_equal(unhex(quic_vectors[i].server_packet, packet, sizeof packet), 135);
        assert_int_equal(unhex(quic_vectors[i].server_frames, frames, sizeof frames), 99);
        struct weir_cid dcid = sample_dcid(), scid = server_scid();
        struct weir_quic_header header;
        struct weir_quic_initial initial;
        assert_int_equal(open_packet(packet, 135, 135, &dcid, true, &header, &initial),
                         WEIR_WIRE_OK);
        assert_int_equal(header.dcid.length, 0);
        assert_int_equal(header.scid.length, 8);
        assert_memory_equal(header.scid.bytes, scid.bytes, 8);
        assert_memory_equal(initial.plain, frames, sizeof frames);
        assert_int_equal(initial.n_crypto, 1);
        assert_int_equal(initial.crypto[0].length, 90);
        assert_int_equal(initial.crypto[0].bytes[0], 2); /* a ServerHello */
    }
}

static void test_vectors_retry(void **state) {
    for (size_t i = 0; i < N_VECTORS; i++) {
        uint8_t packet[36];
        assert_int_equal(unhex(quic_vectors[i].retry, packet, sizeof packet), 36);
        struct weir_quic_header header;
        assert_int_equal(header_of(packet, 36, 36, &header), WEIR_WIRE_OK);
        assert_int_equal(header.type, WEIR_QUIC_RETRY);
        assert_int_equal(header.packet_len, 36);
        assert_int_equal(header.scid.length, 8);
        /* no room for token and tag */
        assert_int_equal(header_of(packet, 31, 31, &header), WEIR_WIRE_NOT);
        /* cut by the capture: known all the same */
        assert_int_equal(header_of(packet, 31, 36, &header), WEIR_WIRE_OK);
    }
}

static void test_vectors_builder(void **state) {
    for (size_t i = 0; i < N_VECTORS; i++) {
        uint8_t want[1200], frames[1162] = {0}, packet[1500];
        unhex(quic_vectors[i].client_frames, frames, sizeof frames);
        size_t want_len = unhex(quic_vectors[i].client_packet, want, sizeof want);
        struct quic_initial_spec spec = {.version = quic_vectors[i].version,
                                         .dcid = sample_dcid(),
                                         .packet_number = 2,
                                         .first_dcid = sample_dcid(),
                                         .packet_number_len = 4};
        assert_int_equal(quic_build_initial(&spec, frames, sizeof frames, packet, sizeof packet),
                         want_len);
        assert_memory_equal(packet, want, want_len);
        if (!quic_vectors[i].server_packet) continue;
        size_t frames_len = unhex(quic_vectors[i].server_frames, frames, sizeof frames);
        want_len = unhex(quic_vectors[i].server_packet, want, sizeof want);
        spec.from_server = true;
        spec.dcid.length = 0;
        spec.scid = server_scid();
        spec.packet_number = 1;
        spec.packet_number_len = 2;
        assert_int_equal(quic_build_initial(&spec, frames, frames_len, packet, sizeof packet),
                         want_len);
        assert_memory_equal(packet, want, want_len);
    }
}

static void cut_everywhere(const char *hex, bool from_server, size_t header_len) {
    uint8_t packet[1200];
    size_t length = unhex(hex, packet, sizeof packet);
    struct weir_cid dcid = sample_dcid();
    struct weir_quic_header header;
    struct weir_quic_initial initial;
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_equal(open_packet(packet, cut, length, &dcid, from_server, &header, &initial),
                         WEIR_WIRE_SHORT);
        assert_int_equal(header.packet_len == length, cut >= header_len);
        assert_int_equal(open_packet(packet, cut, cut, &dcid, from_server, &header, &initial),
                         WEIR_WIRE_NOT);
    }
}

static void test_vectors_every_cut(void **state) {
    for (size_t i = 0; i < N_VECTORS; i++) {
        cut_everywhere(quic_vectors[i].client_packet, false, 18);
        if (quic_vectors[i].server_packet) cut_everywhere(quic_vectors[i].server_packet, true, 18);
    }
}

/* Every bit of the packet is under the tag: none can change and the packet still open. */
static void test_vectors_every_damage(void **state) {
    for (size_t i = 0; i < N_VECTORS; i++) {
        uint8_t packet[1200];
        size_t length = unhex(quic_vectors[i].client_packet, packet, sizeof packet);
        struct weir_cid dcid = sample_dcid();
        for (size_t at = 0; at < length; at++) {
            packet[at] ^= (uint8_t)(1u << at % 8);
            struct weir_quic_header header;
            struct weir_quic_initial initial;
            assert_int_equal(open_packet(packet, length, length, &dcid, false, &header, &initial),
                             WEIR_WIRE_NOT);
            packet[at] ^= (uint8_t)(1u << at % 8);
        }
    }
}

/* ---- headers ---- */

static void test_header_kinds(void **state) {
    static const struct {
        const char *hex;
        size_t wire_length; /* 0: as given */
        enum weir_wire wire;
        uint8_t type;
        uint32_t version;
        uint8_t dcid_len, scid_len;
    } rows[] = {
        {"4a0102030405", 0, WEIR_WIRE_OK, WEIR_QUIC_SHORT, 0, 0, 0},
        {"40", 0, WEIR_WIRE_OK, WEIR_QUIC_SHORT, 0, 0, 0},
        {"0a0102030405", 0, WEIR_WIRE_NOT, 0, 0, 0, 0}, /* no fixed bit */
        {"8000000001080102030405060708", 0, WEIR_WIRE_NOT, 0, 0, 0, 0},
        {"", 0, WEIR_WIRE_NOT, 0, 0, 0, 0},
        {"", 20, WEIR_WIRE_SHORT, 0, 0, 0, 0},
        {"c0000000", 0, WEIR_WIRE_NOT, 0, 0, 0, 0},
        {"c0000000", 1200, WEIR_WIRE_SHORT, 0, 0, 0, 0},
        {"c35130343650", 0, WEIR_WIRE_OK, WEIR_QUIC_UNKNOWN_VERSION, 0x51303436, 0,
         0}, /* Q046, ids in its own way */
        {"e354303531", 0, WEIR_WIRE_OK, WEIR_QUIC_UNKNOWN_VERSION, 0x54303531, 0, 0}, /* T051 */
        {"c05130347801aa00", 0, WEIR_WIRE_OK, WEIR_QUIC_UNKNOWN_VERSION, 0x51303478, 1,
         0}, /* "Q04x": ids where RFC 8999 has them */
        {"ea1a2a3a4a02aabb01cc00", 0, WEIR_WIRE_OK, WEIR_QUIC_UNKNOWN_VERSION, 0x1a2a3a4a, 2,
         1},                                              /* reserved: GREASE */
        {"c0000000020100", 0, WEIR_WIRE_NOT, 0, 0, 0, 0}, /* an id that runs over the end */
        {"c0000000020100", 1200, WEIR_WIRE_SHORT, 0, 0, 0, 0},
        {"80000000000201020103"
         "00000001",
         0, WEIR_WIRE_OK, WEIR_QUIC_VERSION_NEGOTIATION, 0, 2, 1},
        {"c0000000000201020103"
         "000000016b3343cf",
         0, WEIR_WIRE_OK, WEIR_QUIC_VERSION_NEGOTIATION, 0, 2, 1},
        {"80000000000201020103", 0, WEIR_WIRE_NOT, 0, 0, 0, 0}, /* no versions */
        {"8000000000020102010300000001ff", 0, WEIR_WIRE_NOT, 0, 0, 0, 0},
        {"c0000000011500000000000000000000000000000000000000000000000000", 0, WEIR_WIRE_NOT, 0, 0,
         0, 0}, /* 21-byte id */
        {"d000000001000014"
         "0000000000000000000000000000000000000000",
         0, WEIR_WIRE_OK, WEIR_QUIC_ZERO_RTT, 1, 0, 0},
        {"a000000001000014"
         "0000000000000000000000000000000000000000",
         0, WEIR_WIRE_OK, WEIR_QUIC_HANDSHAKE, 1, 0, 0}, /* greased */
        {"aa1a2a3a4a02aabb01cc00", 0, WEIR_WIRE_NOT, 0, 0, 0, 0},
        {"e000000001000014"
         "0000000000000000000000000000000000000000",
         0, WEIR_WIRE_OK, WEIR_QUIC_HANDSHAKE, 1, 0, 0},
        {"e06b3343cf000014"
         "0000000000000000000000000000000000000000",
         0, WEIR_WIRE_OK, WEIR_QUIC_ZERO_RTT, 0x6b3343cf, 0, 0},
        {"f06b3343cf000014"
         "0000000000000000000000000000000000000000",
         0, WEIR_WIRE_OK, WEIR_QUIC_HANDSHAKE, 0x6b3343cf, 0, 0},
        {"e000000001000013"
         "0000000000000000000000000000000000000000",
         0, WEIR_WIRE_NOT, 0, 0, 0, 0}, /* no room for a sample */
        {"e000000001000015"
         "0000000000000000000000000000000000000000",
         0, WEIR_WIRE_NOT, 0, 0, 0, 0}, /* longer than the wire */
        {"c000000001000005"
         "00000000",
         0, WEIR_WIRE_NOT, 0, 0, 0, 0}, /* the token is */
        {"c00000000100007fff"
         "00000000",
         0, WEIR_WIRE_NOT, 0, 0, 0, 0},
        {"c0000000010000ffffffffffffffff"
         "00",
         1200, WEIR_WIRE_NOT, 0, 0, 0, 0},
        {"c000000001000000ffffffffffffffff", 1200, WEIR_WIRE_NOT, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[64];
        size_t length = unhex(rows[i].hex, bytes, sizeof bytes);
        struct weir_quic_header header;
        enum weir_wire wire =
            header_of(bytes, length, rows[i].wire_length ? rows[i].wire_length : length, &header);
        if (wire != rows[i].wire) fail_msg("%s: %d", rows[i].hex, wire);
        if (wire != WEIR_WIRE_OK) continue;
        assert_int_equal(header.type, rows[i].type);
        assert_int_equal(header.version, rows[i].version);
        assert_int_equal(header.dcid.length, rows[i].dcid_len);
        assert_int_equal(header.scid.length, rows[i].scid_len);
        assert_int_equal(header.packet_len, length);
    }
}

/* One datagram: Initial, 0-RTT, Handshake, short; walked by packet_len. */
static void test_coalesced(void **state) {
    static const uint32_t all[] = {QUIC_V1, QUIC_V2, QUIC_DRAFT29};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        uint8_t datagram[1500];
        struct quic_frames frames = {.length = 0};
        quic_add_crypto(&frames, (const uint8_t *)"\x02\x00\x00\x00", 0, 4);
        struct quic_initial_spec spec = {.version = all[i],
                                         .dcid = sample_dcid(),
                                         .scid = server_scid(),
                                         .from_server = true,
                                         .first_dcid = sample_dcid(),
                                         .packet_number_len = 1};
        const struct weir_cid *dcid = &spec.dcid, *scid = &spec.scid;
        size_t length =
            quic_build_initial(&spec, frames.bytes, frames.length, datagram, sizeof datagram);
        length += quic_build_opaque(all[i], WEIR_QUIC_ZERO_RTT, dcid, scid, 90, datagram + length,
                                    sizeof datagram - length);
        length += quic_build_opaque(all[i], WEIR_QUIC_HANDSHAKE, dcid, scid, 700, datagram + length,
                                    sizeof datagram - length);
        length += quic_build_short(dcid, 33, datagram + length, sizeof datagram - length);

        static const uint8_t types[] = {WEIR_QUIC_INITIAL, WEIR_QUIC_ZERO_RTT, WEIR_QUIC_HANDSHAKE,
                                        WEIR_QUIC_SHORT};
        size_t at = 0;
        for (size_t k = 0; k < sizeof types; k++) {
            struct weir_quic_header header;
            assert_int_equal(header_of(datagram + at, length - at, length - at, &header),
                             WEIR_WIRE_OK);
            assert_int_equal(header.type, types[k]);
            if (k == 0) {
                struct weir_quic_initial initial;
                assert_int_equal(
                    open_packet(datagram, length, length, dcid, true, &header, &initial),
                    WEIR_WIRE_OK);
                assert_int_equal(initial.n_crypto, 1);
            }
            at += header.packet_len;
        }
        assert_int_equal(at, length);
    }
}

static void test_retry_and_negotiation(void **state) {
    uint8_t packet[256], token[60] = {1};
    struct weir_cid dcid = sample_dcid(), scid = server_scid();
    struct weir_quic_header header;
    size_t length =
        quic_build_retry(QUIC_V2, &dcid, &scid, token, sizeof token, packet, sizeof packet);
    assert_int_equal(header_of(packet, length, length, &header), WEIR_WIRE_OK);
    assert_int_equal(header.type, WEIR_QUIC_RETRY);
    assert_int_equal(header.packet_len, length);
    static const uint32_t offered[] = {0x0a0a0a0a, QUIC_V1, QUIC_V2};
    length = quic_build_negotiation(&dcid, &scid, offered, 3, packet, sizeof packet);
    assert_int_equal(header_of(packet, length, length, &header), WEIR_WIRE_OK);
    assert_int_equal(header.type, WEIR_QUIC_VERSION_NEGOTIATION);
    assert_memory_equal(header.scid.bytes, scid.bytes, 8);
}

/* ---- frames ---- */

static enum weir_wire open_frames(const struct quic_frames *frames,
                                  struct weir_quic_initial *initial) {
    uint8_t packet[4400];
    struct quic_initial_spec spec = {.version = QUIC_V1,
                                     .dcid = sample_dcid(),
                                     .first_dcid = sample_dcid(),
                                     .packet_number = 0x01020304,
                                     .packet_number_len = 4};
    struct weir_quic_header header;
    size_t length = quic_build_initial(&spec, frames->bytes, frames->length, packet, sizeof packet);
    assert_true(length > 0);
    return open_packet(packet, length, length, &spec.first_dcid, false, &header, initial);
}

static void test_frames(void **state) {
    uint8_t stream[100];
    for (unsigned i = 0; i < sizeof stream; i++) stream[i] = (uint8_t)i;
    struct quic_frames frames = {.length = 0};
    quic_add_padding(&frames, 3);
    quic_add_ping(&frames);
    quic_add_ack(&frames, 70000, 9, false);
    quic_add_crypto(&frames, stream, 60, 40);
    quic_add_ack(&frames, 2, 0, true);
    quic_add_crypto(&frames, stream, 0, 0);
    quic_add_crypto(&frames, stream, 0, 60);
    quic_add_close(&frames, 0x128, "handshake failure");
    quic_add_padding(&frames, 20);
    struct weir_quic_initial initial;
    assert_int_equal(open_frames(&frames, &initial), WEIR_WIRE_OK);
    assert_int_equal(initial.n_crypto, 2);
    assert_int_equal(initial.crypto[0].offset, 60);
    assert_int_equal(initial.crypto[0].length, 40);
    assert_memory_equal(initial.crypto[0].bytes, stream + 60, 40);
    assert_int_equal(initial.crypto[1].offset, 0);
    assert_int_equal(initial.crypto[1].length, 60);
    assert_true(initial.closed);
    assert_int_equal(initial.close_code, 0x128);
}

/* After a good CRYPTO frame: what must end in NOT, with that frame kept. */
static void test_frames_bad(void **state) {
    static const char *const tails[] = {
        "08",
        "1d00",
        "1e",
        "4006",
        "0600",
        "060005aa",
        "06ffffffffffffffff01aa",
        "06c0000000ffffffff01aa",
        "02",
        "0200000100",
        "020000ffffffffffffffff00",
        "03000000000102",
        "1c",
        "1c000005aa",
        "1c0000ffffffffffffffff",
        "0d",
        "c0",
    };
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        uint8_t tail[32];
        struct quic_frames frames = {.length = 0};
        quic_add_crypto(&frames, (const uint8_t *)"abcdef", 0, 6);
        quic_add_bytes(&frames, tail, unhex(tails[i], tail, sizeof tail));
        struct weir_quic_initial initial;
        if (open_frames(&frames, &initial) != WEIR_WIRE_NOT) fail_msg("%s", tails[i]);
        assert_int_equal(initial.n_crypto, 1);
        assert_false(initial.closed);
    }
}

static void test_frames_bounds(void **state) {
    uint8_t stream[64] = {0};
    struct quic_frames frames = {.length = 0};
    struct weir_quic_initial initial;
    for (unsigned i = 0; i < 40; i++) quic_add_crypto(&frames, stream, i, 1);
    assert_int_equal(open_frames(&frames, &initial), WEIR_WIRE_OK);
    assert_int_equal(initial.n_crypto, WEIR_QUIC_CRYPTO_MAX);
    assert_true(initial.crypto_left_out);

    quic_add_padding(&frames, sizeof initial.plain - frames.length);
    assert_int_equal(open_frames(&frames, &initial), WEIR_WIRE_OK);
    quic_add_padding(&frames, 1);
    assert_int_equal(open_frames(&frames, &initial), WEIR_WIRE_NOT);
    assert_int_equal(initial.n_crypto, 0);
}

static void test_number_lengths_and_token(void **state) {
    uint8_t packet[1600], token[300];
    memset(token, 7, sizeof token);
    struct quic_frames frames = {.length = 0};
    quic_add_ping(&frames);
    for (uint8_t number_len = 1; number_len <= 4; number_len++) {
        struct quic_initial_spec spec = {.version = QUIC_V2,
                                         .dcid = server_scid(),
                                         .scid = quic_cid("12345678901234567890", 20),
                                         .first_dcid = sample_dcid(),
                                         .packet_number = 0xa7,
                                         .packet_number_len = number_len,
                                         .token = token,
                                         .token_len = number_len * 70,
                                         .pad_to = number_len * 400};
        size_t length =
            quic_build_initial(&spec, frames.bytes, frames.length, packet, sizeof packet);
        assert_int_equal(length, number_len * 400);
        struct weir_quic_header header;
        struct weir_quic_initial initial;
        assert_int_equal(
            open_packet(packet, length, length, &spec.first_dcid, false, &header, &initial),
            WEIR_WIRE_OK);
        assert_int_equal(header.scid.length, 20);
    }
}

/* What the caller may hand over wrongly: a header of another packet, of another type, or made up.
 */
static void test_open_refuses(void **state) {
    uint8_t packet[1200];
    size_t length = unhex(quic_vectors[0].client_packet, packet, sizeof packet);
    struct weir_cid dcid = sample_dcid();
    struct weir_quic_header good, header;
    struct weir_quic_initial initial;
    assert_int_equal(weir_quic_header(packet, length, length, &good), WEIR_WIRE_OK);
    header = good, header.type = WEIR_QUIC_HANDSHAKE;
    assert_int_equal(weir_quic_open_initial(packet, length, &header, &dcid, false, &initial),
                     WEIR_WIRE_NOT);
    header = good, header.version = 0x1a2a3a4a;
    assert_int_equal(weir_quic_open_initial(packet, length, &header, &dcid, false, &initial),
                     WEIR_WIRE_NOT);
    header = good, header.payload_offset = 1181;
    assert_int_equal(weir_quic_open_initial(packet, length, &header, &dcid, false, &initial),
                     WEIR_WIRE_NOT);
    header = good, header.packet_len = 10;
    assert_int_equal(weir_quic_open_initial(packet, length, &header, &dcid, false, &initial),
                     WEIR_WIRE_NOT);
    assert_int_equal(weir_quic_open_initial(packet, length - 1, &good, &dcid, false, &initial),
                     WEIR_WIRE_SHORT);
    dcid.length = 21;
    assert_int_equal(weir_quic_open_initial(packet, length, &good, &dcid, false, &initial),
                     WEIR_WIRE_NOT);
}

/* A post-quantum hello: about 1,600 bytes in two Initials, in shuffled pieces with PING and PADDING
 * between, as browsers send it. The pieces, put where they say, are the hello again, whichever
 * Initial comes first. */
static void test_split_hello(void **state) {
    static const char *const alpn[] = {"h3", NULL};
    static const struct {
        unsigned packet;
        size_t from, to;
    } pieces[] = {
        {0, 900, 1000},  {0, 0, 40},   {0, 300, 900},       {0, 40, 41},
        {1, 1000, 1500}, {1, 41, 300}, {1, 1500, SIZE_MAX},
    };
    uint8_t hello_bytes[2048], again[2048] = {0}, packets[2][1350];
    struct hello_spec hello_spec = {.sni = "manifest.googlevideo.com",
                                    .sni_last = true,
                                    .alpn = alpn,
                                    .tls13 = true,
                                    .key_share_len = 1216,
                                    .ech = true};
    size_t hello_len = hello_build(&hello_spec, hello_bytes, sizeof hello_bytes);
    assert_true(hello_len > 1510);
    size_t lengths[2];
    for (unsigned k = 0; k < 2; k++) {
        struct quic_frames frames = {.length = 0};
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            size_t to = pieces[i].to < hello_len ? pieces[i].to : hello_len;
            if (pieces[i].packet != k) continue;
            quic_add_crypto(&frames, hello_bytes, pieces[i].from, to - pieces[i].from);
            quic_add_ping(&frames);
            quic_add_padding(&frames, 5);
        }
        struct quic_initial_spec spec = {.version = QUIC_V1,
                                         .dcid = sample_dcid(),
                                         .first_dcid = sample_dcid(),
                                         .packet_number = k + 1,
                                         .packet_number_len = 1,
                                         .pad_to = 1250};
        lengths[k] =
            quic_build_initial(&spec, frames.bytes, frames.length, packets[k], sizeof packets[k]);
        assert_true(lengths[k] >= 1250);
    }
    struct weir_cid dcid = sample_dcid();
    size_t n_bytes = 0;
    for (unsigned k = 2; k-- > 0;) {
        struct weir_quic_header header;
        struct weir_quic_initial initial;
        assert_int_equal(
            open_packet(packets[k], lengths[k], lengths[k], &dcid, false, &header, &initial),
            WEIR_WIRE_OK);
        assert_int_equal(initial.n_crypto, k == 0 ? 4 : 3);
        for (unsigned i = 0; i < initial.n_crypto; i++) {
            memcpy(again + initial.crypto[i].offset, initial.crypto[i].bytes,
                   initial.crypto[i].length);
            n_bytes += initial.crypto[i].length;
        }
    }
    assert_int_equal(n_bytes, hello_len);
    assert_memory_equal(again, hello_bytes, hello_len);
    struct weir_client_hello hello;
    assert_int_equal(weir_client_hello(again, hello_len, &hello), WEIR_WIRE_OK);
    assert_string_equal(hello.sni.text, "manifest.googlevideo.com");
    assert_string_equal(hello.alpn.text, "h3");
    assert_true(hello.ech);
}

/* ---- captures ---- */

static void test_capture(void **state) {
    char *path = capture_path("sites.pcapng");
    FILE *lines = path ? tshark_fields(path, "tls.handshake.type==1 && quic",
                                       "-e udp.payload -e tls.handshake.extensions_server_name")
                       : NULL;
    free(path);
    if (!lines) skip();
    static char line[1 << 13];
    static uint8_t bytes[1 << 12], stream[1 << 12];
    unsigned n_compared = 0;
    while (fgets(line, sizeof line, lines)) {
        char *rest = line;
        size_t length = unhex(next_field(&rest), bytes, sizeof bytes);
        struct weir_quic_header header;
        struct weir_quic_initial initial;
        assert_int_equal(weir_quic_header(bytes, length, length, &header), WEIR_WIRE_OK);
        assert_int_equal(open_packet(bytes, length, length, &header.dcid, false, &header, &initial),
                         WEIR_WIRE_OK);
        size_t end = 0;
        for (unsigned i = 0; i < initial.n_crypto; i++) {
            assert_true(initial.crypto[i].offset + initial.crypto[i].length <= sizeof stream);
            memcpy(stream + initial.crypto[i].offset, initial.crypto[i].bytes,
                   initial.crypto[i].length);
            if (initial.crypto[i].offset + initial.crypto[i].length > end)
                end = initial.crypto[i].offset + initial.crypto[i].length;
        }
        struct weir_client_hello hello;
        assert_int_equal(weir_client_hello(stream, end, &hello), WEIR_WIRE_OK);
        assert_string_equal(hello.sni.text, next_field(&rest));
        n_compared++;
    }
    pclose(lines);
    assert_true(n_compared >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_client),
        cmocka_unit_test(test_vectors_server),
        cmocka_unit_test(test_vectors_retry),
        cmocka_unit_test(test_vectors_builder),
        cmocka_unit_test(test_vectors_every_cut),
        cmocka_unit_test(test_vectors_every_damage),
        cmocka_unit_test(test_header_kinds),
        cmocka_unit_test(test_coalesced),
        cmocka_unit_test(test_retry_and_negotiation),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_frames_bad),
        cmocka_unit_test(test_frames_bounds),
        cmocka_unit_test(test_number_lengths_and_token),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_split_hello),
        cmocka_unit_test(test_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
