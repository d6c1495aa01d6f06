/* An answer that goes on for minutes: its bursts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    WEIR_LASTING_RESTS = 3,  /* by which an answer shows itself */
    WEIR_LASTING_BURSTS = 8, /* that are kept until it does */
};

struct weir_lasting_burst {
    int64_t from_us, done_us, rest_us;
    uint64_t bytes;
};

struct weir_lasting {           /* zeroed memory is none */
    int64_t asked_us;           /* the request */
    int64_t from_us, last_us;   /* of the burst that goes on: its first and last bytes */
    uint64_t bytes, told_bytes; /* of that burst; of those that were told */
    uint16_t port;
    bool told;      /* this answer's bursts are told */
    uint8_t n_kept; /* until then */
    /* room for WEIR_LASTING_BURSTS, its own; NULL until an answer rests, which few do */
    struct weir_lasting_burst *kept;
};

void weir_lasting_deinit(struct weir_lasting *lasting);

/* A tick in which `bytes` of the answer came, the last one at `last_us`. `known`: others of this
 * session were such answers. Returns the number of bursts that are over and were not told yet, the
 * oldest first. */
int weir_lasting_tick(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                      int64_t last_us, uint64_t bytes, bool known,
                      struct weir_lasting_burst ret_bursts[WEIR_LASTING_BURSTS]);
/* The answer is complete: what of it was not told yet. False when none of it was: it is an answer
 * as any other. */
bool weir_lasting_end(struct weir_lasting *lasting, uint16_t port, int64_t asked_us,
                      uint64_t all_bytes, struct weir_lasting_burst *ret_burst);
/* Whether the bursts of this answer are being told. */
bool weir_lasting_is_told(const struct weir_lasting *lasting, uint16_t port, int64_t asked_us);
