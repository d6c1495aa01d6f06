/* A session's buffer, and when its picture stood still. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "measure/fullness.h"

enum { WEIR_PLAYOUT_QUEUE = 24, WEIR_PLAYOUT_ASKS = 8, WEIR_PLAYOUT_STALLS = 16 };

struct weir_playout_note {  /* what waits until all that came before it is known */
    int64_t at_us, from_us; /* an answer: last byte, request; a sign: until and since when */
    bool answer;
};

struct weir_standstill {
    int64_t start_us, duration_us;
};

/* What only a picture has whose rhythm is known: one session in ten or fewer, and more bytes than
 * all else of a session together. Made when the first thing waits. */
struct weir_playout_story {
    struct weir_playout_note queue[WEIR_PLAYOUT_QUEUE]; /* answers by at_us, signs by from_us */
    struct weir_standstill stalls[WEIR_PLAYOUT_STALLS];
    struct weir_fullness fullness;
};

struct weir_playout { /* zeroed memory is an empty one; what each tick asks is at its begin */
    uint8_t n_queue;
    bool playing, known;        /* begun; the value is known, and what came before was counted */
    uint32_t answers;           /* until known */
    uint32_t debt;              /* answers to come that don't count, for those that did wrongly */
    int64_t at_us;              /* worked out up to here: the last byte of an answer */
    int64_t begun_us;           /* the picture began */
    int64_t wanted_us, sign_us; /* unmet demand since at_us: its first sign, its last; 0: none */
    int64_t buffer_us;          /* at at_us */
    int64_t played_us;          /* until known */
    uint8_t n_asks, n_away;     /* levels at which it asked after a rest; those in a row far off */
    uint32_t ask_ms[WEIR_PLAYOUT_ASKS];
    uint32_t n_stalls; /* all; the first WEIR_PLAYOUT_STALLS are listed */
    int64_t stalled_us;
    struct weir_playout_story *story; /* its own; NULL: nothing has waited yet */
};

void weir_playout_deinit(struct weir_playout *playout);
/* As it was before anything came. */
void weir_playout_forget(struct weir_playout *playout);

/* A complete answer of the picture. It carries `value_us` of playing time, 0: not known yet.
 * Without memory for its story it is lost. */
void weir_playout_answer(struct weir_playout *playout, int64_t request_us, int64_t done_us,
                         int64_t value_us);
/* `found` earlier answers were none of the picture's. */
void weir_playout_take_back(struct weir_playout *playout, uint32_t found);
/* The newest answer was given up by the player: it carried nothing. */
void weir_playout_give_up(struct weir_playout *playout, int64_t value_us);
/* Something was asked for and is not there yet: a request that waits, a connection that failed, an
 * empty answer. */
void weir_playout_wanted(struct weir_playout *playout, int64_t since_us, int64_t until_us,
                         int64_t value_us);
/* Works out all that came up to `until_us`: nothing older may come any more. */
void weir_playout_settle(struct weir_playout *playout, int64_t until_us, int64_t value_us);
/* The end: what waits is worked out, and a picture that stands still stands until the last sign of
 * demand. */
void weir_playout_finish(struct weir_playout *playout, int64_t value_us);
/* As far as is known at `now_us`, which nobody waits for: seconds of playing time in the buffer;
 * -1: not known. */
int64_t weir_playout_buffer_us(const struct weir_playout *playout, int64_t now_us,
                               int64_t value_us);
/* From when the picture stands still at `now_us`; 0: it does not. */
int64_t weir_playout_still_since_us(const struct weir_playout *playout, int64_t now_us,
                                    int64_t value_us);
