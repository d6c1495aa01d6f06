/* Fuzzes the packet path: two bytes choose the link type, one how much the capture cut off, the
 * rest is the frame. Whatever is decoded must lie inside the frame and agree with itself. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

#include <weir/decode.h>

static const uint16_t linktypes[] = {1, 113, 276, 101, 228, 229, 0,  108,
                                     9, 50,  51,  12,  14,  104, 239};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_invariants(const struct weir_packet *packet, const uint8_t *bytes,
                              uint32_t caplen) {
    assert(packet->payload >= bytes && packet->payload <= bytes + caplen);
    assert(packet->payload_captured <= (size_t)(bytes + caplen - packet->payload));
    assert(packet->payload_captured <= packet->payload_len);
    assert(packet->payload_len <= packet->ip_payload_len);
    assert(packet->transport == WEIR_TRANSPORT_TCP || packet->transport == WEIR_TRANSPORT_UDP ||
           packet->transport == WEIR_TRANSPORT_ICMP);
    assert(packet->transport == WEIR_TRANSPORT_TCP || packet->tcp_flags == 0);
    assert(packet->transport != WEIR_TRANSPORT_TCP || packet->tcp.window_scale <= 14);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    /* Mostly a known link type; with the first byte 0xff any. */
    uint16_t linktype =
        data[0] == 0xff ? data[1] : linktypes[data[1] % (sizeof linktypes / sizeof linktypes[0])];
    uint32_t caplen = (uint32_t)size - 3;
    /* exactly as long as captured, so that an over-read shows */
    uint8_t *bytes = malloc(caplen ? caplen : 1);
    if (!bytes) return 0;
    memcpy(bytes, data + 3, caplen);
    struct weir_frame frame = {.ts_us = 1,
                               .now_us = 2,
                               .data = bytes,
                               .caplen = caplen,
                               .wirelen = caplen + 64u * data[2],
                               .linktype = linktype};
    struct weir_packet packet;
    int outcome = weir_decode(&frame, &packet);
    assert(outcome >= 0 && outcome < WEIR_DECODE_N);
    if (outcome == WEIR_DECODE_OK) {
        assert_invariants(&packet, bytes, caplen);
        assert(packet.ts_us == 1 && packet.now_us == 2);
    }
    free(bytes);
    return 0;
}
