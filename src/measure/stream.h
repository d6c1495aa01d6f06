/* An answer that goes on for minutes: its bursts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct weir_stream { /* zeroed memory is none */
    int64_t asked_us;          /* the request */
    int64_t from_us, last_us;  /* of the burst that goes on: its first and last bytes, by ticks */
    uint64_t bytes, told_bytes;/* of that burst; of those that were told */
    uint16_t port;
    uint8_t rests;             /* seen inside this answer; those beyond the third end a burst */
};

struct weir_stream_burst { int64_t from_us, done_us, rest_us; uint64_t bytes; };

/* A tick in which `bytes` of the answer came. True when a burst before them is over. */
bool weir_stream_tick(struct weir_stream *stream, uint16_t port, int64_t asked_us, int64_t now_us,
    uint64_t bytes, struct weir_stream_burst *ret_burst);
/* The answer is complete: what of it was not told yet. False when none of it was: it is an answer
 * as any other. */
bool weir_stream_end(struct weir_stream *stream, uint16_t port, int64_t asked_us,
    uint64_t all_bytes, struct weir_stream_burst *ret_burst);
/* Whether its bursts are being told. */
static inline bool weir_stream_is_told(const struct weir_stream *stream, uint16_t port)
{
    return stream->told_bytes > 0 && stream->port == port;
}
