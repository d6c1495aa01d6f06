/* A session's first answers and waits, kept until it is known what they mean. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_EARLY_NOTES = 128 };

struct weir_early_note {
    uint32_t from_ms, at_ms; /* an answer: request, last byte; a wait: since when, until when */
    uint32_t bytes;          /* of the answer; 0: a wait */
};

struct weir_early { /* zeroed memory is an empty one */
    int64_t base_us;
    uint16_t n, room;
    bool full;                     /* something is missing at its end */
    struct weir_early_note *notes; /* its own, room for `room` of them */
};

void weir_early_deinit(struct weir_early *early);

void weir_early_answer(struct weir_early *early, int64_t request_us, int64_t done_us,
                       uint32_t bytes);
void weir_early_wanted(struct weir_early *early, int64_t since_us, int64_t until_us);
/* The answer to the request of `request_us` went on until `done_us`; true when it was there. */
bool weir_early_longer(struct weir_early *early, int64_t request_us, int64_t done_us,
                       uint32_t bytes);
int64_t weir_early_from_us(const struct weir_early *early, const struct weir_early_note *note);
int64_t weir_early_at_us(const struct weir_early *early, const struct weir_early_note *note);
