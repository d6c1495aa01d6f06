/* Makes QUIC packets for tests: protected Initials from frames, and the packets around them.
 *
 * Written from RFC 9001 and RFC 9369 apart from src/decode/quic.c, so that the two check each
 * other; test_quic holds it against the RFCs' own samples, byte for byte. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/wire.h>

#define QUIC_V1      0x00000001u
#define QUIC_V2      0x6b3343cfu
#define QUIC_DRAFT29 0xff00001du

struct weir_cid quic_cid(const void *bytes, size_t length);

/* Frames to be put into a packet. What would run over the end asserts. */
struct quic_frames {
    uint8_t bytes[4096];
    size_t length;
};
void quic_add_bytes(struct quic_frames *frames, const void *bytes, size_t length);
void quic_add_varint(struct quic_frames *frames, uint64_t value);
void quic_add_padding(struct quic_frames *frames, size_t length);
void quic_add_ping(struct quic_frames *frames);
void quic_add_ack(struct quic_frames *frames, uint64_t largest, unsigned n_more_ranges, bool ecn);
/* `length` bytes of the stream that starts at `stream`, from `offset` on. */
void quic_add_crypto(struct quic_frames *frames, const uint8_t *stream, uint64_t offset,
                     size_t length);
void quic_add_close(struct quic_frames *frames, uint64_t code, const char *reason);

struct quic_initial_spec {
    uint32_t version;           /* one of QUIC_V1, QUIC_V2, QUIC_DRAFT29 */
    struct weir_cid dcid, scid; /* in the header */
    struct weir_cid first_dcid; /* of the client's first Initial: makes the keys */
    bool from_server;
    uint32_t packet_number;
    uint8_t packet_number_len; /* 1..4 */
    const uint8_t *token;
    size_t token_len;
    size_t pad_to; /* PADDING frames until the packet has this length; 0: none */
};
/* The packet's length, written to `packet`; 0 when it does not fit into `capacity`. */
size_t quic_build_initial(const struct quic_initial_spec *spec, const uint8_t *frames,
                          size_t frames_len, uint8_t *packet, size_t capacity);

/* A 0-RTT or Handshake packet of `body_len` bytes that nobody can open. Its length; 0 when it does
 * not fit. */
size_t quic_build_opaque(uint32_t version, enum weir_quic_type type, const struct weir_cid *dcid,
                         const struct weir_cid *scid, size_t body_len, uint8_t *packet,
                         size_t capacity);
/* A short-header packet of `body_len` bytes behind its id. */
size_t quic_build_short(const struct weir_cid *dcid, size_t body_len, uint8_t *packet,
                        size_t capacity);
/* A Retry; its integrity tag is filler. */
size_t quic_build_retry(uint32_t version, const struct weir_cid *dcid, const struct weir_cid *scid,
                        const uint8_t *token, size_t token_len, uint8_t *packet, size_t capacity);
size_t quic_build_negotiation(const struct weir_cid *dcid, const struct weir_cid *scid,
                              const uint32_t *versions, size_t n_versions, uint8_t *packet,
                              size_t capacity);
