/* An answer that goes on for minutes: its bursts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct weir_lasting {           /* zeroed memory is none */
    int64_t asked_us;           /* the request */
    int64_t from_us, last_us;   /* of the burst that goes on: its first and last bytes, by ticks */
    uint64_t bytes, told_bytes; /* of that burst; of those that were told */
    uint16_t port;
    uint8_t rests; /* seen inside this answer; those beyond the third end a burst */
};

struct weir_lasting_burst {
    int64_t from_us, done_us, rest_us;
    uint64_t bytes;
};

/* A tick in which `bytes` of the answer came. True when a burst before them is over. */
bool weir_lasting_tick(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                       int64_t now_us, uint64_t bytes, struct weir_lasting_burst *ret_burst);
/* The answer is complete: what of it was not told yet. False when none of it was: it is an answer
 * as any other. */
bool weir_lasting_end(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                      uint64_t all_bytes, struct weir_lasting_burst *ret_burst);
/* Whether its bursts are being told. */
static inline bool weir_lasting_is_told(const struct weir_lasting *lasting, uint16_t port) {
    return lasting->told_bytes > 0 && lasting->port == port;
}
