/* Today's ClientHello is about 1,800 bytes (a post-quantum key share): two TCP segments or two
 * Initials, whose order the path may change; browsers also cut the CRYPTO stream into small frames
 * and shuffle them. So the bytes are gathered in a stream with holes, and the parser is asked again
 * whenever its whole beginning grows.
 *
 *      bytes   [=====......=======...]     ranges (from, to): (0, 5) (11, 18)
 *              ^base
 *
 * Over TCP the handshake says where the stream begins. Where it was not seen the first segment may
 * be the second of the hello: it makes the base, and one that lies before moves it down. Some
 * clients cut their hello into pieces of a byte, send the pieces backwards, or put noise left of
 * the receiver's window and into what will be overwritten, to mislead filters: as at a receiver,
 * the bytes that stand are those that first made the beginning longer. A hello longer than 16 KiB
 * stays unnamed, or one in more than HELLO_RANGES_MAX pieces at once. */
#include "classify/hello.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GROW_BYTES = 512, COALESCED_MAX = 8, TLS_CLIENT_HELLO = 1 };

struct hello_stream hello_stream_init(uint32_t base, bool fixed) {
    return (struct hello_stream){.base = base, .fixed = fixed};
}

void hello_stream_deinit(struct hello_stream *stream) {
    free(stream->bytes);
    *stream = (struct hello_stream){0};
}

size_t hello_stream_prefix(const struct hello_stream *stream) {
    return stream->n_ranges > 0 && stream->ranges[0].from == 0 ? stream->ranges[0].to : 0;
}

static int reserve(struct hello_stream *stream, uint32_t end) {
    if (end <= stream->capacity) return 0;
    uint32_t capacity = (end + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES;
    uint8_t *bytes = realloc(stream->bytes, capacity);
    if (!bytes) return -ENOMEM;
    stream->bytes = bytes;
    stream->capacity = capacity;
    return 0;
}

static uint32_t stream_end(const struct hello_stream *stream) {
    return stream->n_ranges > 0 ? stream->ranges[stream->n_ranges - 1].to : 0;
}

static int move_base_down(struct hello_stream *stream, uint32_t by) {
    uint32_t end = stream_end(stream);
    if (by > HELLO_BYTES_MAX - end) return HELLO_FULL;
    int r = reserve(stream, end + by);
    if (r < 0) return r;
    memmove(stream->bytes + by, stream->bytes, end);
    for (size_t i = 0; i < stream->n_ranges; i++) {
        stream->ranges[i].from = (uint16_t)(stream->ranges[i].from + by);
        stream->ranges[i].to = (uint16_t)(stream->ranges[i].to + by);
    }
    stream->base -= by;
    return 0;
}

static int add_range(struct hello_stream *stream, uint32_t from, uint32_t to) {
    size_t first = 0;
    while (first < stream->n_ranges && stream->ranges[first].to < from) first++;
    size_t last = first; /* ranges first .. last-1 touch the new one */
    while (last < stream->n_ranges && stream->ranges[last].from <= to) {
        from = stream->ranges[last].from < from ? stream->ranges[last].from : from;
        to = stream->ranges[last].to > to ? stream->ranges[last].to : to;
        last++;
    }
    if (first == last && stream->n_ranges == HELLO_RANGES_MAX) return HELLO_FULL;
    size_t n_after = stream->n_ranges - last;
    memmove(&stream->ranges[first + 1], &stream->ranges[last], n_after * sizeof stream->ranges[0]);
    stream->ranges[first].from = (uint16_t)from;
    stream->ranges[first].to = (uint16_t)to;
    stream->n_ranges = (uint8_t)(first + 1 + n_after);
    return 0;
}

int hello_stream_put(struct hello_stream *stream, uint32_t at, const uint8_t *bytes,
                     size_t length) {
    if (length == 0) return 0;
    if (length > HELLO_BYTES_MAX) return HELLO_FULL;
    int32_t before = (int32_t)(stream->base - at);
    if (before > 0 && !stream->fixed) {
        int r = move_base_down(stream, (uint32_t)before);
        if (r != 0) return r;
    }
    int32_t taken = (int32_t)(stream->base + (uint32_t)hello_stream_prefix(stream) - at);
    if (taken > 0) {
        if ((size_t)taken >= length) return 0;
        at += (uint32_t)taken;
        bytes += taken;
        length -= (size_t)taken;
    }
    uint32_t from = at - stream->base;
    if (from > HELLO_BYTES_MAX - (uint32_t)length) return HELLO_FULL;
    int r = reserve(stream, from + (uint32_t)length);
    if (r == 0) r = add_range(stream, from, from + (uint32_t)length);
    if (r == 0) memcpy(stream->bytes + from, bytes, length);
    return r;
}

static enum weir_wire read_client_hello(const uint8_t *bytes, size_t length, struct hello *hello) {
    if (length == 0) return WEIR_WIRE_SHORT;
    struct weir_client_hello client_hello = {0};
    enum weir_wire wire = weir_client_hello(bytes, length, &client_hello);
    if (wire != WEIR_WIRE_NOT) {
        hello->host = client_hello.sni;
        hello->ech = client_hello.ech;
    }
    return wire;
}

/* Strips the record headers; the hello may be cut into several records. */
static enum weir_wire read_tls(const uint8_t *bytes, size_t length, uint8_t *scratch,
                               struct hello *hello) {
    size_t n = 0, at = 0;
    while (at < length) {
        struct weir_tls_record record;
        enum weir_wire wire = weir_tls_record(bytes + at, length - at, &record);
        if (wire == WEIR_WIRE_NOT && at == 0) return WEIR_WIRE_NOT;
        if (wire != WEIR_WIRE_OK || record.type != WEIR_TLS_HANDSHAKE) break;
        at += WEIR_TLS_RECORD_HEADER;
        size_t part = record.length < length - at ? record.length : length - at;
        if (part > HELLO_BYTES_MAX - n) part = HELLO_BYTES_MAX - n;
        memcpy(scratch + n, bytes + at, part);
        n += part;
        at += record.length;
    }
    return read_client_hello(scratch, n, hello);
}

enum weir_wire hello_read_tcp(const uint8_t *bytes, size_t length, uint8_t *scratch,
                              struct hello *ret_hello) {
    *ret_hello = (struct hello){0};
    struct weir_tls_record record;
    enum weir_wire wire = weir_tls_record(bytes, length, &record);
    if (wire != WEIR_WIRE_NOT && bytes[0] == WEIR_TLS_HANDSHAKE) {
        ret_hello->app = WEIR_APP_TLS;
        if (wire == WEIR_WIRE_SHORT) return WEIR_WIRE_SHORT;
        return read_tls(bytes, length, scratch, ret_hello);
    }
    struct weir_http_request request;
    wire = weir_http_request(bytes, length, &request);
    if (wire != WEIR_WIRE_NOT) {
        ret_hello->app = WEIR_APP_HTTP;
        ret_hello->host = request.host;
    }
    return wire;
}

/* Opens a client's Initial into `initial`; false where that fails. Of a packet with a malformed
 * frame, the frames before it count. */
static bool open_initial(const uint8_t *bytes, size_t length, const struct weir_quic_header *header,
                         const struct weir_cid *first_dcid, struct weir_quic_initial *initial) {
    if (first_dcid && (weir_quic_open_initial(bytes, length, header, first_dcid, false, initial) ==
                           WEIR_WIRE_OK ||
                       initial->n_crypto > 0))
        return true;
    bool same = first_dcid && first_dcid->length == header->dcid.length &&
                memcmp(first_dcid->bytes, header->dcid.bytes, header->dcid.length) == 0;
    if (same)
        return false; /* else after a Retry: the keys come from the id that the server chose */
    return weir_quic_open_initial(bytes, length, header, &header->dcid, false, initial) ==
               WEIR_WIRE_OK ||
           initial->n_crypto > 0;
}

enum weir_wire hello_read_quic(const uint8_t *bytes, size_t length, size_t wire_length,
                               const struct weir_cid *first_dcid, struct hello_stream *stream,
                               struct weir_quic_initial *initial, struct hello *ret_hello) {
    *ret_hello = (struct hello){.app = WEIR_APP_QUIC};
    bool any = false;
    for (unsigned i = 0; i < COALESCED_MAX && length > 0; i++) {
        struct weir_quic_header header;
        if (weir_quic_header(bytes, length, wire_length, &header) != WEIR_WIRE_OK) break;
        bool opened = header.type == WEIR_QUIC_INITIAL &&
                      open_initial(bytes, length, &header, first_dcid, initial);
        for (unsigned k = 0; opened && k < initial->n_crypto; k++)
            hello_stream_put(stream, initial->crypto[k].offset, initial->crypto[k].bytes,
                             initial->crypto[k].length);
        any |= opened;
        if (header.packet_len == 0 || header.packet_len >= length) break;
        bytes += header.packet_len;
        length -= header.packet_len;
        wire_length -= header.packet_len;
    }
    if (!any) return WEIR_WIRE_NOT;
    enum weir_wire wire = read_client_hello(stream->bytes, hello_stream_prefix(stream), ret_hello);
    /* surely QUIC, though its hello cannot be read */
    return wire == WEIR_WIRE_NOT ? WEIR_WIRE_OK : wire;
}
