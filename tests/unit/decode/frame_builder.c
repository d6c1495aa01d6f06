#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frame_builder.h"

void frame_payload(struct frame_builder *frame, uint32_t captured, uint32_t uncaptured) {
    memset(frame, 0, sizeof *frame);
    frame->start = FRAME_ROOM - captured;
    frame->uncaptured = uncaptured;
    for (uint32_t i = 0; i < captured; i++) frame->room[frame->start + i] = (uint8_t)i;
}

void frame_put(struct frame_builder *frame, const void *bytes, uint32_t length) {
    assert_true(length <= frame->start);
    frame->start -= length;
    if (length) memcpy(frame->room + frame->start, bytes, length);
}

void frame_pad(struct frame_builder *frame, uint32_t length) {
    assert_true(frame->start >= length && frame->uncaptured == 0);
    memmove(frame->room + frame->start - length, frame->room + frame->start,
            FRAME_ROOM - frame->start);
    memset(frame->room + FRAME_ROOM - length, 0xee, length);
    frame->start -= length;
    frame->padding += length;
}

uint8_t *frame_at(struct frame_builder *frame, uint32_t offset) {
    assert_true(frame->start + offset < FRAME_ROOM);
    return frame->room + frame->start + offset;
}

uint32_t frame_captured(const struct frame_builder *frame) { return FRAME_ROOM - frame->start; }

uint32_t frame_wire(const struct frame_builder *frame) {
    return frame_captured(frame) + frame->uncaptured - frame->padding;
}

static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void frame_tcp(struct frame_builder *frame, const void *options, uint32_t options_len) {
    uint8_t tcp[20] = {40000 >> 8,
                       40000 & 0xff,
                       443 >> 8,
                       443 & 0xff,
                       1,
                       2,
                       3,
                       4,
                       0x0a,
                       0x0b,
                       0x0c,
                       0x0d,
                       (uint8_t)((20 + options_len) / 4 << 4),
                       WEIR_TCP_ACK | WEIR_TCP_PSH,
                       0x12,
                       0x34,
                       0xbe,
                       0xef};
    assert_int_equal(options_len % 4, 0);
    frame_put(frame, options, options_len);
    frame_put(frame, tcp, sizeof tcp);
}

void frame_udp(struct frame_builder *frame, uint16_t src_port, uint16_t dst_port) {
    uint8_t udp[8] = {0};
    put16(udp, src_port);
    put16(udp + 2, dst_port);
    put16(udp + 4, frame_wire(frame) + 8);
    put16(udp + 6, 0xcafe);
    frame_put(frame, udp, sizeof udp);
}

void frame_ip4(struct frame_builder *frame, uint8_t protocol) {
    uint8_t ip[20] = {0x45, 0, 0,   0, 0x42, 0x42, 0,   0,  64,  protocol,
                      0,    0, 192, 0, 2,    1,    198, 51, 100, 2};
    put16(ip + 2, frame_wire(frame) + 20);
    frame_put(frame, ip, sizeof ip);
}

void frame_ip6(struct frame_builder *frame, uint8_t protocol) {
    uint8_t ip[40] = {0x60, 0, 0, 0, 0, 0, protocol, 63};
    struct weir_addr src, dst;
    assert_int_equal(weir_addr_parse(CLIENT6, &src), 0);
    assert_int_equal(weir_addr_parse(SERVER6, &dst), 0);
    put16(ip + 4, frame_wire(frame));
    memcpy(ip + 8, src.bytes, 16);
    memcpy(ip + 24, dst.bytes, 16);
    frame_put(frame, ip, sizeof ip);
}

void frame_ethernet(struct frame_builder *frame, uint16_t ethertype) {
    uint8_t ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    put16(ethernet + 12, ethertype);
    frame_put(frame, ethernet, sizeof ethernet);
}

void frame_vlan(struct frame_builder *frame, uint16_t vlan, uint16_t ethertype) {
    uint8_t tag[4];
    put16(tag, 0x6000u | vlan); /* priority 3 */
    put16(tag + 2, ethertype);
    frame_put(frame, tag, sizeof tag);
}

void frame_label(struct frame_builder *frame, uint32_t label, bool bottom) {
    FRAME_PUT(frame, (uint8_t)(label >> 12), (uint8_t)(label >> 4), (uint8_t)(label << 4 | bottom),
              64);
}

void frame_common(struct frame_builder *frame, int version) {
    static const uint8_t timestamps[] = {1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 5};
    frame_payload(frame, 10, 0);
    frame_tcp(frame, timestamps, sizeof timestamps);
    if (version == 4)
        frame_ip4(frame, 6);
    else
        frame_ip6(frame, 6);
}

static void assert_holds(const struct weir_packet *packet, const uint8_t *bytes, uint32_t caplen) {
    assert_int_equal(packet->ts_us, 1700000000000001);
    assert_int_equal(packet->now_us, 1700000000000002);
    assert_true(packet->payload >= bytes && packet->payload <= bytes + caplen);
    assert_true(packet->payload_captured <= (uint32_t)(bytes + caplen - packet->payload));
    assert_true(packet->payload_captured <= packet->payload_len);
    assert_true(packet->payload_len <= packet->ip_payload_len);
    assert_true(packet->fragment <= 1);
    if (packet->transport == WEIR_TRANSPORT_TCP)
        assert_true(packet->tcp.window_scale <= 14);
    else
        assert_int_equal(packet->tcp_flags, 0);
}

/* Equal in every field that the contract calls valid. */
static void assert_same(const struct weir_packet *a, const struct weir_packet *b) {
    assert_int_equal(weir_addr_compare(&a->src, &b->src), 0);
    assert_int_equal(weir_addr_compare(&a->dst, &b->dst), 0);
    assert_int_equal(a->src_port, b->src_port);
    assert_int_equal(a->dst_port, b->dst_port);
    assert_int_equal(a->transport, b->transport);
    assert_int_equal(a->ttl, b->ttl);
    assert_int_equal(a->tcp_flags, b->tcp_flags);
    assert_int_equal(a->fragment, b->fragment);
    assert_int_equal(a->domain, b->domain);
    assert_int_equal(a->ip_id, b->ip_id);
    assert_int_equal(a->checksum, b->checksum);
    assert_int_equal(a->ip_payload_len, b->ip_payload_len);
    assert_int_equal(a->payload_len, b->payload_len);
    if (a->transport == WEIR_TRANSPORT_TCP) {
        assert_int_equal(a->tcp.seq, b->tcp.seq);
        assert_int_equal(a->tcp.ack, b->tcp.ack);
        assert_int_equal(a->tcp.window, b->tcp.window);
    } else if (a->transport == WEIR_TRANSPORT_ICMP) {
        assert_memory_equal(&a->icmp.type, &b->icmp.type, 2);
        assert_int_equal(a->icmp.quoted_transport, b->icmp.quoted_transport);
        assert_int_equal(a->icmp.quoted_src_port, b->icmp.quoted_src_port);
        assert_int_equal(a->icmp.quoted_dst_port, b->icmp.quoted_dst_port);
        assert_int_equal(a->icmp.quoted_seq, b->icmp.quoted_seq);
        assert_int_equal(weir_addr_compare(&a->icmp.quoted_src, &b->icmp.quoted_src), 0);
        assert_int_equal(weir_addr_compare(&a->icmp.quoted_dst, &b->icmp.quoted_dst), 0);
    }
}

static void assert_same_options(const struct weir_packet *a, const struct weir_packet *b) {
    if (a->transport != WEIR_TRANSPORT_TCP) return;
    assert_int_equal(a->tcp.mss, b->tcp.mss);
    assert_int_equal(a->tcp.options_cut, b->tcp.options_cut);
    assert_int_equal(a->tcp.sack_permitted, b->tcp.sack_permitted);
    assert_int_equal(a->tcp.has_sack, b->tcp.has_sack);
    assert_int_equal(a->tcp.has_timestamps, b->tcp.has_timestamps);
    assert_int_equal(a->tcp.has_window_scale, b->tcp.has_window_scale);
    if (a->tcp.has_sack) {
        assert_int_equal(a->tcp.sack_left, b->tcp.sack_left);
        assert_int_equal(a->tcp.sack_right, b->tcp.sack_right);
    }
    if (a->tcp.has_timestamps) {
        assert_int_equal(a->tcp.tsval, b->tcp.tsval);
        assert_int_equal(a->tcp.tsecr, b->tcp.tsecr);
    }
    if (a->tcp.has_window_scale) assert_int_equal(a->tcp.window_scale, b->tcp.window_scale);
}

/* Twice, over memory of zeros and of ones: a field left unwritten shows as a difference. */
int frame_decode_bytes(const uint8_t *bytes, uint32_t caplen, uint32_t wirelen, uint16_t linktype,
                       struct weir_packet *ret_packet) {
    static uint8_t *block;
    free(block);
    block = malloc(caplen ? caplen : 1);
    assert_non_null(block);
    if (caplen) memcpy(block, bytes, caplen);
    struct weir_frame frame = {.ts_us = 1700000000000001,
                               .now_us = 1700000000000002,
                               .data = block,
                               .caplen = caplen,
                               .wirelen = wirelen,
                               .linktype = linktype};
    struct weir_packet zeros, ones;
    memset(&zeros, 0, sizeof zeros);
    memset(&ones, 0xff, sizeof ones);
    int outcome = weir_decode(&frame, &zeros);
    assert_int_equal(weir_decode(&frame, &ones), outcome);
    assert_in_range(outcome, 0, WEIR_DECODE_N - 1);
    if (outcome == WEIR_DECODE_OK) {
        assert_holds(&zeros, block, caplen);
        assert_same(&zeros, &ones);
        assert_same_options(&zeros, &ones);
        assert_ptr_equal(zeros.payload, ones.payload);
        assert_int_equal(zeros.payload_captured, ones.payload_captured);
    }
    *ret_packet = zeros;
    return outcome;
}

static bool outcome_is_cut(int outcome) {
    return outcome == WEIR_DECODE_LINK_CUT || outcome == WEIR_DECODE_IP_CUT ||
           outcome == WEIR_DECODE_TRANSPORT_CUT || outcome == WEIR_DECODE_ICMP_QUOTE;
}

/* A capture that cut the frame: what it can still say is what the whole frame says. */
static void sweep_cuts(const uint8_t *bytes, uint32_t caplen, uint32_t wirelen, uint16_t linktype,
                       enum frame_kind kind) {
    struct weir_packet whole, cut;
    int outcome = frame_decode_bytes(bytes, caplen, wirelen, linktype, &whole);
    for (uint32_t length = 0; length < caplen; length++) {
        int cut_outcome = frame_decode_bytes(bytes, length, wirelen, linktype, &cut);
        if (kind == FRAME_GUESSED) continue;
        if (!outcome_is_cut(cut_outcome)) assert_int_equal(cut_outcome, outcome);
        if (cut_outcome == WEIR_DECODE_OK) assert_same(&cut, &whole);
    }
}

static void sweep_damage(const uint8_t *bytes, uint32_t caplen, uint32_t wirelen,
                         uint16_t linktype) {
    static const uint8_t flips[] = {0x01, 0x04, 0x0f, 0x40, 0x80, 0xf0, 0xff};
    uint8_t damaged[FRAME_ROOM];
    struct weir_packet packet;
    memcpy(damaged, bytes, caplen);
    for (uint32_t i = 0; i < caplen; i++) {
        for (unsigned n = 0; n < sizeof flips; n++) {
            damaged[i] = bytes[i] ^ flips[n];
            frame_decode_bytes(damaged, caplen, wirelen, linktype, &packet);
        }
        damaged[i] = bytes[i];
    }
}

int frame_decode(const struct frame_builder *frame, uint16_t linktype, enum frame_kind kind,
                 struct weir_packet *ret_packet) {
    const uint8_t *bytes = frame->room + frame->start;
    uint32_t caplen = frame_captured(frame), wirelen = caplen + frame->uncaptured;
    struct weir_packet packet;
    sweep_cuts(bytes, caplen, wirelen, linktype, kind);
    sweep_damage(bytes, caplen, wirelen, linktype);
    for (uint32_t length = 0; length < caplen; length++)
        frame_decode_bytes(bytes, length, length, linktype, &packet);
    return frame_decode_bytes(bytes, caplen, wirelen, linktype, ret_packet);
}

void assert_addr(const struct weir_addr *addr, const char *text) {
    char found[WEIR_ADDR_TEXT_MAX];
    assert_string_equal(weir_addr_text(addr, found), text);
}

void assert_common(const struct weir_packet *packet, int version) {
    assert_addr(&packet->src, version == 4 ? CLIENT4 : CLIENT6);
    assert_addr(&packet->dst, version == 4 ? SERVER4 : SERVER6);
    assert_int_equal(packet->transport, WEIR_TRANSPORT_TCP);
    assert_int_equal(packet->src_port, 40000);
    assert_int_equal(packet->dst_port, 443);
    assert_int_equal(packet->ttl, version == 4 ? 64 : 63);
    assert_int_equal(packet->ip_id, version == 4 ? 0x4242 : 0);
    assert_int_equal(packet->tcp_flags, WEIR_TCP_ACK | WEIR_TCP_PSH);
    assert_int_equal(packet->fragment, 0);
    assert_int_equal(packet->checksum, 0xbeef);
    assert_int_equal(packet->ip_payload_len, 42);
    assert_int_equal(packet->payload_len, 10);
    assert_int_equal(packet->payload_captured, 10);
    for (unsigned i = 0; i < 10; i++) assert_int_equal(packet->payload[i], i);
    assert_int_equal(packet->tcp.seq, 0x01020304);
    assert_int_equal(packet->tcp.ack, 0x0a0b0c0d);
    assert_int_equal(packet->tcp.window, 0x1234);
    assert_true(packet->tcp.has_timestamps);
    assert_int_equal(packet->tcp.tsval, 7);
    assert_int_equal(packet->tcp.tsecr, 5);
    assert_false(packet->tcp.has_sack || packet->tcp.has_window_scale ||
                 packet->tcp.sack_permitted);
    assert_false(packet->tcp.options_cut);
    assert_int_equal(packet->tcp.mss, 0);
}
