/* Any bytes as a datagram, walked through its coalesced packets; and, behind a valid protection
 * that is built around them (tests/unit/decode/quic_builder.c), as the frames of an Initial: no
 * fuzzer finds a fitting tag by itself. */
#undef NDEBUG
#include <assert.h>

#include <weir/wire.h>

#include "../unit/decode/quic_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_initial(const struct weir_quic_initial *initial) {
    assert(initial->n_crypto <= WEIR_QUIC_CRYPTO_MAX);
    for (unsigned i = 0; i < initial->n_crypto; i++) {
        const uint8_t *from = initial->crypto[i].bytes;
        assert(initial->crypto[i].length > 0 && from >= initial->plain &&
               from + initial->crypto[i].length <= initial->plain + sizeof initial->plain);
        assert((uint64_t)initial->crypto[i].offset + initial->crypto[i].length <= UINT32_MAX);
    }
}

static void walk_datagram(const uint8_t *data, size_t size) {
    size_t wire_length = size + size % 7; /* sometimes the capture cut it */
    for (size_t at = 0; at < size;) {
        struct weir_quic_header header;
        if (weir_quic_header(data + at, size - at, wire_length - at, &header) != WEIR_WIRE_OK)
            return;
        assert(header.packet_len > 0 && header.packet_len <= wire_length - at);
        assert(header.payload_offset < header.packet_len);
        struct weir_quic_initial initial;
        weir_quic_open_initial(data + at, size - at, &header, &header.dcid, size & 1, &initial);
        check_initial(&initial);
        at += header.packet_len;
    }
}

static void open_frames(const uint8_t *data, size_t size) {
    uint8_t packet[2400];
    struct weir_cid dcid = quic_cid("\x83\x94\xc8\xf0\x3e\x51\x57\x08", 8);
    struct quic_initial_spec spec = {
        .version = QUIC_V1, .dcid = dcid, .first_dcid = dcid, .packet_number_len = 4};
    size_t length = quic_build_initial(&spec, data, size, packet, sizeof packet);
    if (length == 0) return;
    struct weir_quic_header header;
    assert(weir_quic_header(packet, length, length, &header) == WEIR_WIRE_OK);
    struct weir_quic_initial initial;
    weir_quic_open_initial(packet, length, &header, &dcid, false, &initial);
    check_initial(&initial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    walk_datagram(data, size);
    open_frames(data, size);
    return 0;
}
