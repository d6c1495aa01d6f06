/* What was looked up for a trial of the open slot, when it was shown last: it is shown again each
 * tick until its slot closes, and what belongs to it is mostly still where it was.
 */
#pragma once

#include "detect/history.h"

struct weir_shown {
    /* entries of the tables of these names, which check them; NULL: none yet */
    void *active, *client, *destination, *prefix, *resolver;
    struct weir_numbers numbers; /* the history's */
};

/* Their memory on its way: a tick shows thousands of trials, each of another client. */
static inline void weir_shown_prefetch(const struct weir_shown *shown) {
    enum { NOTES_BYTES = 128 }; /* the client's mark and its first notes */
    if (!shown->client) return;
    for (size_t at = 0; at < NOTES_BYTES; at += 64)
        __builtin_prefetch((const char *)shown->client + at, 1);
    __builtin_prefetch(shown->active, 1);
    __builtin_prefetch(shown->destination, 1);
}
