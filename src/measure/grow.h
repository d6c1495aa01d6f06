/* A list that begins empty and doubles, up to a bound. What is kept of a session's answers is this
 * way: most sessions have a dozen, and a session with room for the few that fill the bound would be
 * twice as large, zeroed at its begin, and never read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { WEIR_GROW_FIRST = 8 };

/* Whether there is room for one more than `n` in *list, of `size` bytes each. False at `max`, and
 * without memory. The list is the caller's, to be freed. */
static inline bool weir_grow(void **list, uint16_t *room, uint32_t n, uint16_t max, size_t size) {
    if (n < *room) return true;
    uint16_t more = *room ? (uint16_t)(*room * 2) : WEIR_GROW_FIRST;
    if (more > max) more = max;
    void *grown = n < more ? realloc(*list, more * size) : NULL;
    if (!grown) return false;
    *list = grown;
    *room = more;
    return true;
}
