/* Whether a session gets what it needs: the last ten seconds of its demand against its own bit
 * rate. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_NEED_TICKS = 10 };

struct weir_need { /* zeroed memory is an empty one */
    uint16_t open; /* bit a tick, the newest lowest: had demand */
    uint8_t at;
    uint32_t bytes[WEIR_NEED_TICKS]; /* of the last ticks; at most UINT32_MAX */
};

/* Ends a tick in which so many bytes came, and in which something was asked for or not. */
void weir_need_tick(struct weir_need *need, bool open, uint64_t bytes);
/* Less than half of what it needs: see need.c. `need_bps` 0: not known. */
bool weir_need_is_slow(const struct weir_need *need, int64_t need_bps);
/* Since how many ticks it gets too little; all of them where the need is not known. */
int weir_need_short_ticks(const struct weir_need *need, int64_t need_bps);
uint64_t weir_need_bytes(const struct weir_need *need); /* that came in the last ticks */
/* Asked in the last three ticks, and got nothing. */
bool weir_need_waited(const struct weir_need *need);
