/* Writes Ethernet frames of IPv4 TCP and UDP, with true checksums, to a pcap file. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Both ends of a flow; index 0 is the client, 1 the server. Addresses and ports in host byte order.
 */
struct ends {
    uint32_t address[2];
    uint16_t port[2];
    /* TCP time stamps: the last one that each end sent, which the other echoes; 0 at first */
    uint32_t tsval[2];
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_PUSH = 8, TCP_ACK = 16 };

struct frames {
    FILE *file;
    uint64_t packets, bytes; /* written so far; bytes without pcap's headers */
};

/* 0, or -errno. */
int frames_open(struct frames *frames, const char *path);
/* 0, or -errno when anything could not be written. */
int frames_close(struct frames *frames);

/* `from` says which end sends. At most 1,460 bytes of payload. */
void frames_tcp(struct frames *frames, int64_t ts_us, struct ends *ends, int from, unsigned flags,
                uint32_t seq, uint32_t ack, const uint8_t *payload, size_t length);
void frames_udp(struct frames *frames, int64_t ts_us, const struct ends *ends, int from,
                const uint8_t *payload, size_t length);
