/* Frames built by hand, from the payload outwards: each call puts one header in front of what is
 * there, with the lengths that follow from it. Then a frame is decoded whole, cut at every byte,
 * shortened at every byte and with every byte changed, each time from a block of exactly its size,
 * so that a sanitizer sees the first byte read too many. */
#pragma once

#include <weir/decode.h>

enum { FRAME_ROOM = 4096 };

struct frame_builder {
    uint8_t room[FRAME_ROOM];
    uint32_t start;
    uint32_t uncaptured; /* bytes of the payload on the wire only */
    uint32_t padding;    /* bytes at the end that no IP length counts */
};

#define CLIENT4 "192.0.2.1"
#define SERVER4 "198.51.100.2"
#define CLIENT6 "2001:db8::1"
#define SERVER6 "2001:db8:ffff::2"

/* Begins anew with `captured` bytes of payload (0, 1, 2...) and `uncaptured` more on the wire. */
void frame_payload(struct frame_builder *frame, uint32_t captured, uint32_t uncaptured);
/* Puts raw bytes in front. */
void frame_put(struct frame_builder *frame, const void *bytes, uint32_t length);
#define FRAME_PUT(frame, ...) \
    frame_put(frame, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
/* Bytes behind everything. */
void frame_pad(struct frame_builder *frame, uint32_t length);
/* The byte `offset` from the start so far. */
uint8_t *frame_at(struct frame_builder *frame, uint32_t offset);
uint32_t frame_wire(const struct frame_builder *frame);     /* without padding */
uint32_t frame_captured(const struct frame_builder *frame); /* with it */

/* 40000 -> 443, seq 0x01020304, ack 0x0a0b0c0d, ACK|PSH, window 0x1234. */
void frame_tcp(struct frame_builder *frame, const void *options, uint32_t options_len);
void frame_udp(struct frame_builder *frame, uint16_t src_port, uint16_t dst_port);
/* CLIENT4 -> SERVER4, id 0x4242, ttl 64 */
void frame_ip4(struct frame_builder *frame, uint8_t protocol);
/* CLIENT6 -> SERVER6, hop limit 63 */
void frame_ip6(struct frame_builder *frame, uint8_t protocol);
void frame_ethernet(struct frame_builder *frame, uint16_t ethertype);
void frame_vlan(struct frame_builder *frame, uint16_t vlan, uint16_t ethertype);
void frame_label(struct frame_builder *frame, uint32_t label, bool bottom);
/* frame_payload(10, 0), TCP with time stamps, IP version 4 or 6. */
void frame_common(struct frame_builder *frame, int version);

/* A UDP tunnel that is cut or damaged becomes its outer packet: then a cut may change the view. */
enum frame_kind { FRAME_PLAIN, FRAME_GUESSED };

/* Decodes the frame and returns the outcome; asserts all that holds for any frame, and the sweeps
 * above. The packet's payload is valid until the next call. */
int frame_decode(const struct frame_builder *frame, uint16_t linktype, enum frame_kind kind,
                 struct weir_packet *ret_packet);
/* One decode without sweeps, of any bytes. */
int frame_decode_bytes(const uint8_t *bytes, uint32_t caplen, uint32_t wirelen, uint16_t linktype,
                       struct weir_packet *ret_packet);

void assert_addr(const struct weir_addr *addr, const char *text);
/* The view is frame_common()'s TCP packet. */
void assert_common(const struct weir_packet *packet, int version);
