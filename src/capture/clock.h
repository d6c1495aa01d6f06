/* The engine's clock, driven by the stamps of a capture. See capture.h for the rule. */
#pragma once

#include <stdint.h>

#define WEIR_CLOCK_STEP_US INT64_C(60000000)

struct weir_clock {
    int64_t now_us;       /* never steps back */
    int64_t offset_us;    /* now - stamp since the last step; 0 before any */
    uint64_t n_backwards; /* stamps behind the clock, held */
    uint64_t n_steps;     /* times the clock was set back */
};

/* What `weir_clock.now_us` may grow to under a hostile sequence of steps; further differences
 * cannot overflow. */
#define WEIR_CLOCK_MAX_US (INT64_MAX / 2)

void weir_clock_step(struct weir_clock *clock, int64_t ts_us);

/* The engine's time at a frame stamped `ts_us` (0 to WEIR_TS_MAX_US). */
static inline int64_t weir_clock_now(struct weir_clock *clock, int64_t ts_us) {
    int64_t at_us = ts_us + clock->offset_us;
    if (__builtin_expect(at_us >= clock->now_us, 1))
        clock->now_us = at_us < WEIR_CLOCK_MAX_US ? at_us : WEIR_CLOCK_MAX_US;
    else if (at_us >= clock->now_us - WEIR_CLOCK_STEP_US)
        clock->n_backwards++;
    else
        weir_clock_step(clock, ts_us);
    return clock->now_us;
}
