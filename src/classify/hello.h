/* Where a flow says its name: ClientHellos over TCP segments or QUIC Initials, and HTTP requests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/flow.h>
#include <weir/wire.h>

enum { HELLO_BYTES_MAX = 16384, HELLO_RANGES_MAX = 24 };

/* Bytes of a stream, with holes. */
struct hello_stream {
    uint8_t *bytes; /* bytes[0] stands at `base` */
    uint32_t base;  /* sequence number or CRYPTO offset */
    uint32_t capacity;
    /* `base` is where the stream begins: what lies before it does not belong to it */
    bool fixed;
    uint8_t n_ranges;
    struct {
        uint16_t from, to;      /* at most HELLO_BYTES_MAX */
    } ranges[HELLO_RANGES_MAX]; /* what is there, rising, apart */
};

/* An empty stream that begins at `base`. What comes before it later moves it, unless it is `fixed`.
 */
struct hello_stream hello_stream_init(uint32_t base, bool fixed);
void hello_stream_deinit(struct hello_stream *stream);
/* Adds bytes, but none that are there in the whole beginning already (the receiver has taken
 * those): 0, -ENOMEM, or 1 HELLO_FULL when they lie outside the bound or leave too many holes. */
enum { HELLO_FULL = 1 };
int hello_stream_put(struct hello_stream *stream, uint32_t at, const uint8_t *bytes, size_t length);
/* How many bytes from the start on are whole. */
size_t hello_stream_prefix(const struct hello_stream *stream);

struct hello {
    struct weir_host host; /* empty: the hello has none (when whole), or not found yet */
    enum weir_app app;     /* TLS, QUIC or HTTP */
    bool ech;
};

/* The first bytes of a TCP client. OK: whole. SHORT: begins like TLS or HTTP; *ret_hello has what
 * was found so far. `scratch` holds HELLO_BYTES_MAX. */
enum weir_wire hello_read_tcp(const uint8_t *bytes, size_t length, uint8_t *scratch,
                              struct hello *ret_hello);

/* A datagram of the client: adds the CRYPTO frames of its Initials to `stream` and reads the hello
 * there. NOT: no Initial of a version that weir can open. `first_dcid` may be NULL. `initial` is
 * scratch. */
enum weir_wire hello_read_quic(const uint8_t *bytes, size_t length, size_t wire_length,
                               const struct weir_cid *first_dcid, struct hello_stream *stream,
                               struct weir_quic_initial *initial, struct hello *ret_hello);
