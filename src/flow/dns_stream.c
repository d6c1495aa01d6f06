/* DNS over TCP: each message has its length before it, and a segment may hold a part of one, or
 * several, or come before the one that it follows. So bytes are gathered in a small window with
 * holes:
 *
 *      bytes   |length|message ....|length|mess     |...     ranges (from, to)
 *              ^base                        hole
 *
 * Nobody says where a stream begins that is seen from the middle on, and the first segment seen may
 * be the second one sent: until a message has been handed out, an earlier segment moves the window
 * down, and what does not look like a header of DNS is not believed. What lies below the window has
 * been handed out before: sent again. Bounds: 8 KiB, which is some five segments; of a longer
 * message the beginning is handed out, which holds its question and hundreds of addresses. Bytes
 * that the capture missed leave a hole; the first segment out of reach ends the wait.
 */
#include "flow/dns_stream.h"

#include <string.h>

enum { LENGTH_BYTES = 2, HEADER_BYTES = 12, RECORDS_MAX = 2000, REACH = 1 << 16 };

static uint16_t number(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

/* A header of RFC 1035: the direction, opcode QUERY, at most one question, no absurd counts. */
static bool plausible(const uint8_t *header, bool answers) {
    return (header[2] & 0xf8) == (answers ? 0x80 : 0) && number(header + 4) <= 1 &&
           number(header + 6) <= RECORDS_MAX && number(header + 8) <= RECORDS_MAX &&
           number(header + 10) <= RECORDS_MAX;
}

bool dns_stream_is_whole(const uint8_t *bytes, size_t length, bool answers) {
    size_t at = 0;
    while (length - at >= LENGTH_BYTES + HEADER_BYTES &&
           plausible(bytes + at + LENGTH_BYTES, answers)) {
        at += LENGTH_BYTES + (size_t)number(bytes + at);
        if (at >= length) return at == length;
    }
    return false;
}

void dns_stream_begin(struct dns_stream *stream, uint32_t base, bool sure, bool answers) {
    stream->base = base;
    stream->taken = 0;
    stream->sure = sure;
    stream->answers = answers;
    stream->n_ranges = 0;
}

/* False when there is no room for one more hole. */
static bool add_range(struct dns_stream *stream, uint16_t from, uint16_t to) {
    unsigned first = 0;
    while (first < stream->n_ranges && stream->ranges[first].to < from) first++;
    unsigned last = first; /* ranges first .. last-1 touch the new one */
    while (last < stream->n_ranges && stream->ranges[last].from <= to) {
        from = stream->ranges[last].from < from ? stream->ranges[last].from : from;
        to = stream->ranges[last].to > to ? stream->ranges[last].to : to;
        last++;
    }
    if (first == last && stream->n_ranges == DNS_STREAM_RANGES) return false;
    memmove(&stream->ranges[first + 1], &stream->ranges[last],
            (stream->n_ranges - last) * sizeof stream->ranges[0]);
    stream->ranges[first].from = from;
    stream->ranges[first].to = to;
    stream->n_ranges = (uint8_t)(stream->n_ranges - (last - first) + 1);
    return true;
}

/* Moves the window up by `by` bytes; what lay there goes. */
static void shift(struct dns_stream *stream, uint32_t by) {
    unsigned n = 0;
    uint16_t end = stream->n_ranges ? stream->ranges[stream->n_ranges - 1].to : 0;
    for (unsigned i = 0; i < stream->n_ranges; i++) {
        if (stream->ranges[i].to <= by) continue;
        stream->ranges[n].from =
            (uint16_t)(stream->ranges[i].from > by ? stream->ranges[i].from - by : 0);
        stream->ranges[n++].to = (uint16_t)(stream->ranges[i].to - by);
    }
    if (by < end) memmove(stream->bytes, stream->bytes + by, end - by);
    stream->n_ranges = (uint8_t)n;
    stream->base += by;
    stream->sure = true;
}

static bool move_down(struct dns_stream *stream, uint32_t by) {
    uint16_t end = stream->n_ranges ? stream->ranges[stream->n_ranges - 1].to : 0;
    if (by + end > DNS_STREAM_MAX) return false;
    memmove(stream->bytes + by, stream->bytes, end);
    for (unsigned i = 0; i < stream->n_ranges; i++) {
        stream->ranges[i].from = (uint16_t)(stream->ranges[i].from + by);
        stream->ranges[i].to = (uint16_t)(stream->ranges[i].to + by);
    }
    stream->base -= by;
    return true;
}

static void take(struct dns_stream *stream) {
    if (stream->taken) shift(stream, stream->taken);
    stream->taken = 0;
}

void dns_stream_put(struct dns_stream *stream, uint32_t seq, const uint8_t *bytes, size_t length) {
    take(stream);
    int32_t at = (int32_t)(seq - stream->base);
    if (length > DNS_STREAM_MAX) length = DNS_STREAM_MAX;
    if (at < -REACH || at >= DNS_STREAM_MAX) {
        dns_stream_begin(stream, seq, false, stream->answers);
        at = 0;
    }
    if (at < 0 && !stream->sure && move_down(stream, (uint32_t)-at)) at = 0;
    if (at < 0) {
        if ((size_t)-at >= length) return; /* sent again */
        bytes += -at;
        length -= (size_t)-at;
        at = 0;
    }
    if (length > (size_t)(DNS_STREAM_MAX - at))
        length = (size_t)(DNS_STREAM_MAX - at); /* of a message that is too long */
    if (!length) return;
    if (!add_range(stream, (uint16_t)at, (uint16_t)(at + (int32_t)length))) {
        dns_stream_begin(stream, seq, false, stream->answers);
        add_range(stream, 0, (uint16_t)length);
        at = 0;
    }
    memcpy(stream->bytes + at, bytes, length);
}

static size_t prefix(const struct dns_stream *stream) {
    return stream->n_ranges && stream->ranges[0].from == 0 ? stream->ranges[0].to : 0;
}

const uint8_t *dns_stream_next(struct dns_stream *stream, size_t *ret_length) {
    for (;;) {
        take(stream);
        size_t n = prefix(stream);
        if (n < LENGTH_BYTES) return NULL;
        size_t length = number(stream->bytes), whole = LENGTH_BYTES + length;
        bool too_long = whole > DNS_STREAM_MAX && n == DNS_STREAM_MAX;
        if (n >= LENGTH_BYTES + HEADER_BYTES && !stream->sure &&
            !plausible(stream->bytes + LENGTH_BYTES, stream->answers))
            return NULL; /* what comes before it may follow */
        if (n < whole && !too_long) return NULL;
        stream->taken = (uint32_t)whole;
        *ret_length = too_long ? DNS_STREAM_MAX - LENGTH_BYTES : length;
        if (length >= HEADER_BYTES && plausible(stream->bytes + LENGTH_BYTES, stream->answers))
            return stream->bytes + LENGTH_BYTES;
    }
}

const uint8_t *dns_stream_rest(struct dns_stream *stream, uint32_t base, size_t *ret_length) {
    take(stream);
    size_t n = prefix(stream);
    bool any = n >= LENGTH_BYTES + HEADER_BYTES &&
               plausible(stream->bytes + LENGTH_BYTES, stream->answers);
    dns_stream_begin(stream, base, true, stream->answers);
    *ret_length = any ? n - LENGTH_BYTES : 0;
    return any ? stream->bytes + LENGTH_BYTES : NULL;
}
