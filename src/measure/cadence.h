/* How much playing time an answer carries, and how many bytes a session needs: learned from the
 * session's own rhythm. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_CADENCE_BURSTS = 16, WEIR_CADENCE_MIN = 4 };
#define WEIR_CADENCE_REST_US INT64_C(700000)

struct weir_burst {
    uint32_t ms, n; /* until the next burst began; answers in it */
    uint64_t bytes; /* of these, and of the sound beside them */
};

struct weir_cadence { /* zeroed memory is an empty one */
    /* Of the burst that goes on: its first request, its last byte, time with a request open. */
    int64_t from_us, end_us, on_us;
    uint64_t bytes;
    uint32_t n;
    bool spoilt;
    uint32_t n_bursts;
    struct weir_burst bursts[WEIR_CADENCE_BURSTS];
    int64_t value_us, need_bps; /* 0: not known */
    uint32_t good;              /* bursts behind them */
};

/* A complete answer of the picture; in order of done_us. */
void weir_cadence_add(struct weir_cadence *cadence, int64_t request_us, int64_t done_us,
                      uint64_t bytes);
/* An answer of the sound track: bytes without time. */
void weir_cadence_add_sound(struct weir_cadence *cadence, uint64_t bytes);
/* Something failed, or came too slowly: the burst that goes on says nothing. */
void weir_cadence_spoil(struct weir_cadence *cadence);
/* Sound was taken for picture until now: what was learned is void. */
void weir_cadence_forget(struct weir_cadence *cadence);
/* Where no more is to come: two bursts that agree are better than nothing. */
void weir_cadence_guess(struct weir_cadence *cadence);
