/* From when to when a session's buffer was empty, low or full. */
#pragma once

#include <stdint.h>

#include <weir/record.h>

struct weir_fullness {       /* zeroed memory is an empty one */
    int64_t begun_us, at_us; /* the first moment; told up to here */
    uint16_t n;              /* changes that are listed */
    struct {
        uint32_t ms; /* since begun_us */
        uint8_t state;
    } changes[WEIR_BUFFER_CHANGES_MAX];
    int64_t us[WEIR_BUFFER_STATES]; /* time in each state, listed or not */
};

/* The state from `from_us` to `to_us`. Times never go back; a gap belongs to the state before. */
void weir_fullness_add(struct weir_fullness *fullness, enum weir_buffer_state state,
                       int64_t from_us, int64_t to_us);
