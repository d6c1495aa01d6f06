/* Starved is who gets less than half of what he needs although he asks for it:
 *
 *     need     what the session used over time when it was served well: the bytes of its steady
 *              state over its time, pauses of the network included (cadence.c). Not what its bursts
 *              reached: 57 -> 20 Mbit/s harms no film of 2 Mbit/s
 *     asks     a request waits or bytes arrive, in seven of the last ten seconds and in the last
 *              one
 *     gets     bytes of these ten seconds, over those of them in which it asked; none in the last
 *              three is no slow answer, but an unanswered one, which others judge
 *
 * A session that always runs at its link's rate never rests, so that its need is not known, and
 * neither is that of a player which fills its buffer in the first minute. Of both, a quarter of
 * what they used over time is taken for their need (session.c): less than an eighth is a collapse,
 * whatever they play.
 * Blind spot: a player that lowers its quality in time is not starved, only worse.
 */
#include "measure/need.h"

enum { OPEN_MIN = 7, LATELY = 3 };

void weir_need_tick(struct weir_need *need, bool open, uint64_t bytes) {
    need->open = (uint16_t)((need->open << 1 | open) & ((1u << WEIR_NEED_TICKS) - 1));
    need->bytes[need->at++ % WEIR_NEED_TICKS] = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    need->at %= WEIR_NEED_TICKS;
}

uint64_t weir_need_bytes(const struct weir_need *need) {
    uint64_t bytes = 0;
    for (int i = 0; i < WEIR_NEED_TICKS; i++) bytes += need->bytes[i];
    return bytes;
}

static uint64_t bytes_lately(const struct weir_need *need) {
    uint64_t bytes = 0;
    for (int i = 1; i <= LATELY; i++)
        bytes += need->bytes[(need->at + WEIR_NEED_TICKS - i) % WEIR_NEED_TICKS];
    return bytes;
}

bool weir_need_waited(const struct weir_need *need) {
    return (need->open & ((1u << LATELY) - 1)) == (1u << LATELY) - 1 && bytes_lately(need) == 0;
}

bool weir_need_is_slow(const struct weir_need *need, int64_t need_bps) {
    int open = __builtin_popcount(need->open);
    if (need_bps <= 0 || !(need->open & 1) || open < OPEN_MIN) return false;
    return bytes_lately(need) > 0 && (double)weir_need_bytes(need) * 16 < (double)need_bps * open;
}

/* The tail in which most is missing: what was served well before it would make up for some. */
int weir_need_short_ticks(const struct weir_need *need, int64_t need_bps) {
    double missing = 0, most = 0;
    int ticks = WEIR_NEED_TICKS;
    for (int i = 1; need_bps > 0 && i <= WEIR_NEED_TICKS; i++) {
        bool open = need->open >> (i - 1) & 1;
        uint32_t bytes = need->bytes[(need->at + WEIR_NEED_TICKS - i) % WEIR_NEED_TICKS];
        missing += (open ? (double)need_bps / 16 : 0) - bytes;
        if (missing <= most) continue;
        most = missing;
        ticks = i;
    }
    return ticks;
}
