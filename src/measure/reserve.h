/* What is in the buffer of a player without a rhythm, from the bytes that came and from how far
 * ahead players of its service load. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "measure/playout.h"

enum { WEIR_RESERVE_NOTES = 128 };

struct weir_reserve_note {   /* in ms since the base */
    uint32_t from_ms, at_ms; /* an answer: first and last byte; a wait: since when, until when */
    uint32_t bytes;          /* of the answer; 0: a wait */
};

struct weir_reserve { /* zeroed memory is an empty one */
    int64_t base_us;
    uint16_t n, room;
    struct weir_reserve_note *notes; /* its own, room for `room` of them */
};

void weir_reserve_deinit(struct weir_reserve *reserve);

struct weir_reserve_habits { /* of the player; one of the two */
    int64_t ahead_us;        /* it loads so far ahead at most; its rate is bounded from below */
    int64_t rate_bps; /* it plays so much; how far ahead it loads is learned from its rests */
};

struct weir_reserve_found {
    uint32_t n; /* all; the first WEIR_PLAYOUT_STALLS are listed */
    struct weir_standstill stalls[WEIR_PLAYOUT_STALLS];
    int64_t stalled_us;
    int64_t still_us;              /* it stood still at the end, since then; 0: it ran */
    struct weir_fullness fullness; /* only with a known rate */
};

/* `bytes` of media came from `from_us` to `at_us`. */
void weir_reserve_answer(struct weir_reserve *reserve, int64_t from_us, int64_t at_us,
                         uint64_t bytes);
/* Something was asked for in vain. */
void weir_reserve_wanted(struct weir_reserve *reserve, int64_t since_us, int64_t until_us);
/* Of all that came so far: when the picture stood still. False where that can't be said: the player
 * never rested. */
bool weir_reserve_find(const struct weir_reserve *reserve, const struct weir_reserve_habits *habits,
                       struct weir_reserve_found *ret_found);
