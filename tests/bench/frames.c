/* See frames.h. SYNs carry the usual options (MSS, SACK permitted, timestamps, window scale), all
 * else timestamps. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "frames.h"

enum { ETHERNET = 14, IP = 20, FRAME_MAX = 1514 };

int frames_open(struct frames *frames, const char *path) {
    *frames = (struct frames){.file = fopen(path, "wb")};
    if (!frames->file) return -errno;
    setvbuf(frames->file, NULL, _IOFBF, 1 << 20);
    static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 /* Ethernet */};
    fwrite(head, sizeof head, 1, frames->file);
    return 0;
}

int frames_close(struct frames *frames) {
    int failed = ferror(frames->file);
    return fclose(frames->file) || failed ? -(errno ? errno : EIO) : 0;
}

static void put16(uint8_t *at, unsigned value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

/* RFC 1071, four bytes at a time; the byte behind an odd end is zero. */
static uint16_t checksum(const uint8_t *bytes, size_t length, uint64_t sum) {
    for (; length >= 4; bytes += 4, length -= 4) {
        uint32_t word;
        memcpy(&word, bytes, 4);
        sum += word;
    }
    uint32_t rest = 0;
    memcpy(&rest, bytes, length);
    sum += rest;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The pseudo-header's sum, as the sender's machine reads it. */
static uint64_t pseudo_sum(const uint8_t *ip, unsigned protocol, size_t length) {
    uint32_t address[2];
    memcpy(address, ip + 12, 8);
    return (uint64_t)address[0] + address[1] + htons((uint16_t)protocol) + htons((uint16_t)length);
}

static uint8_t *begin(uint8_t *frame, const struct ends *ends, int from, unsigned protocol,
                      size_t transport_length) {
    static uint16_t id;
    memcpy(frame, from ? "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" : "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0",
           ETHERNET);
    uint8_t *ip = frame + ETHERNET;
    memset(ip, 0, IP);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(IP + transport_length));
    put16(ip + 4, ++id);
    ip[6] = 0x40; /* do not fragment */
    ip[8] = from ? 57 : 64;
    ip[9] = (uint8_t)protocol;
    put32(ip + 12, ends->address[from]);
    put32(ip + 16, ends->address[!from]);
    uint16_t sum = checksum(ip, IP, 0);
    memcpy(ip + 10, &sum, 2);
    return ip + IP;
}

static void finish(struct frames *frames, int64_t ts_us, const uint8_t *frame, size_t length) {
    uint32_t head[4] = {(uint32_t)(ts_us / 1000000), (uint32_t)(ts_us % 1000000), (uint32_t)length,
                        (uint32_t)length};
    fwrite(head, sizeof head, 1, frames->file);
    fwrite(frame, length, 1, frames->file);
    frames->packets++;
    frames->bytes += length;
}

void frames_tcp(struct frames *frames, int64_t ts_us, struct ends *ends, int from, unsigned flags,
                uint32_t seq, uint32_t ack, const uint8_t *payload, size_t length) {
    uint8_t frame[FRAME_MAX];
    size_t header = flags & TCP_SYN ? 40 : 32;
    uint8_t *tcp = begin(frame, ends, from, IPPROTO_TCP, header + length);
    put16(tcp, ends->port[from]);
    put16(tcp + 2, ends->port[!from]);
    put32(tcp + 4, seq);
    put32(tcp + 8, flags & TCP_ACK ? ack : 0);
    put16(tcp + 12, (unsigned)(header << 10 | flags));
    put16(tcp + 14, flags & TCP_SYN ? 64240 : 2000);
    put32(tcp + 16, 0);
    /* each machine has its own clock */
    ends->tsval[from] = (uint32_t)(ts_us / 1000) + ends->address[from];
    if (flags & TCP_SYN) {
        memcpy(tcp + 20, "\2\4\5\xb4\4\2\x08\x0a\0\0\0\0\0\0\0\0\1\3\3\7", 20);
        put32(tcp + 28, ends->tsval[from]);
        put32(tcp + 32, ends->tsval[!from]);
    } else {
        memcpy(tcp + 20, "\1\1\x08\x0a", 4);
        put32(tcp + 24, ends->tsval[from]);
        put32(tcp + 28, ends->tsval[!from]);
    }
    if (length) memcpy(tcp + header, payload, length);
    uint16_t sum =
        checksum(tcp, header + length, pseudo_sum(tcp - IP, IPPROTO_TCP, header + length));
    memcpy(tcp + 16, &sum, 2);
    finish(frames, ts_us, frame, ETHERNET + IP + header + length);
}

void frames_udp(struct frames *frames, int64_t ts_us, const struct ends *ends, int from,
                const uint8_t *payload, size_t length) {
    uint8_t frame[FRAME_MAX];
    uint8_t *udp = begin(frame, ends, from, IPPROTO_UDP, 8 + length);
    put16(udp, ends->port[from]);
    put16(udp + 2, ends->port[!from]);
    put16(udp + 4, (unsigned)(8 + length));
    put16(udp + 6, 0);
    memcpy(udp + 8, payload, length);
    uint16_t sum = checksum(udp, 8 + length, pseudo_sum(udp - IP, IPPROTO_UDP, 8 + length));
    memcpy(udp + 6, &sum, 2);
    finish(frames, ts_us, frame, ETHERNET + IP + 8 + length);
}
