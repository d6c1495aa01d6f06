/* A buffer has three states that matter to its viewer:
 *
 *     full     the player has all that it wants: it rests, or is within one answer of the level at
 *              which it usually asks. Of a live stream that may be one segment
 *     low      it plays, and still asks: it fills, or what comes is too little
 *     empty    the picture stands still
 *
 * Changes are listed up to a bound; the sums of time go on behind it.
 */
#include "measure/fullness.h"

void weir_fullness_add(struct weir_fullness *fullness, enum weir_buffer_state state,
                       int64_t from_us, int64_t to_us) {
    if (fullness->begun_us == 0) fullness->begun_us = fullness->at_us = from_us;
    if (to_us <= fullness->at_us) return;
    if (from_us < fullness->at_us) from_us = fullness->at_us;
    fullness->us[state] += to_us - from_us;
    fullness->at_us = to_us;
    uint16_t n = fullness->n;
    if (n && fullness->changes[n - 1].state == (uint8_t)state) return;
    if (n == WEIR_BUFFER_CHANGES_MAX) return;
    fullness->changes[n].ms = (uint32_t)((from_us - fullness->begun_us) / 1000);
    fullness->changes[n].state = (uint8_t)state;
    fullness->n++;
}
