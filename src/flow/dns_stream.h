/* The bytes of one direction of DNS over TCP, put together from whatever segments they come in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_STREAM_MAX = 8192, DNS_STREAM_RANGES = 12 };

struct dns_stream {
    uint32_t base; /* sequence number of bytes[0], where a message's length is expected */
    /* bytes of the message that was handed out last: they go at the next call */
    uint32_t taken;
    bool sure;    /* a message surely begins at `base`: nothing before it is missing */
    bool answers; /* the server's direction */
    uint8_t n_ranges;
    struct {
        uint16_t from, to;
    } ranges[DNS_STREAM_RANGES]; /* what is there, rising, apart */
    uint8_t bytes[DNS_STREAM_MAX];
};

void dns_stream_begin(struct dns_stream *stream, uint32_t base, bool sure, bool answers);
/* Adds a segment. One before `base` that was not handed out yet moves it; one out of reach begins
 * the stream anew. */
void dns_stream_put(struct dns_stream *stream, uint32_t seq, const uint8_t *bytes, size_t length);
/* The next whole message and its length, or NULL. Of one that is longer than a stream holds, its
 * beginning. */
const uint8_t *dns_stream_next(struct dns_stream *stream, size_t *ret_length);
/* As next, but what is there of a message that will not become whole; what follows it is expected
 * at `base`. */
const uint8_t *dns_stream_rest(struct dns_stream *stream, uint32_t base, size_t *ret_length);
static inline bool dns_stream_is_empty(const struct dns_stream *stream) {
    return stream->n_ranges == 0;
}

/* Is this, byte for byte, one or more whole messages, each behind its length? Most segments are:
 * they need no stream. */
bool dns_stream_is_whole(const uint8_t *bytes, size_t length, bool answers);
