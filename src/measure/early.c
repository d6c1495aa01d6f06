/* Much of a session is understood late: how much playing time an answer carries after four rests,
 * which answers are sound after five of them. Until then its answers and waits are kept, and told
 * to the buffer model again whenever more is known: an outage in the second minute is told as one
 * of the tenth would be, and sound that was taken for picture does not fill the buffer.
 *
 *     kept     the first 128 answers and waits: the filling of two minutes of buffer, picture and
 *              sound apart, and the first rests after it
 *     a wait   that goes on is one note, until an answer comes
 *
 * A session of which more than that comes before anything is known is told from where it is known.
 * Blind spot: the note that no longer fits is lost.
 */
#include <stdlib.h>

#include "measure/early.h"
#include "measure/grow.h"

enum { SAME_MS = 700 };

void weir_early_deinit(struct weir_early *early) {
    free(early->notes);
    early->notes = NULL;
}

static uint32_t ms(const struct weir_early *early, int64_t us) {
    int64_t since_us = us - early->base_us;
    return since_us <= 0                      ? 0
           : since_us / 1000 < UINT32_MAX - 1 ? (uint32_t)(since_us / 1000)
                                              : UINT32_MAX - 1;
}

static void add(struct weir_early *early, int64_t from_us, int64_t at_us, uint32_t bytes) {
    if (early->n == 0) early->base_us = from_us - INT64_C(60000000); /* an older one may follow */
    if (!weir_grow((void **)&early->notes, &early->room, early->n, WEIR_EARLY_NOTES,
                   sizeof *early->notes)) {
        early->full = true;
        return;
    }
    early->notes[early->n++] =
        (struct weir_early_note){ms(early, from_us), ms(early, at_us), bytes};
}

void weir_early_answer(struct weir_early *early, int64_t request_us, int64_t done_us,
                       uint32_t bytes) {
    add(early, request_us, done_us, bytes ? bytes : 1);
}

void weir_early_wanted(struct weir_early *early, int64_t since_us, int64_t until_us) {
    uint32_t from_ms = ms(early, since_us), at_ms = ms(early, until_us);
    for (int i = early->n; i-- > 0 && early->notes[i].bytes == 0;) {
        struct weir_early_note *note = &early->notes[i];
        uint32_t apart_ms =
            note->from_ms > from_ms ? note->from_ms - from_ms : from_ms - note->from_ms;
        if (apart_ms > SAME_MS) continue;
        if (at_ms > note->at_ms) note->at_ms = at_ms;
        return;
    }
    add(early, since_us, until_us, 0);
}

bool weir_early_longer(struct weir_early *early, int64_t request_us, int64_t done_us,
                       uint32_t bytes) {
    uint32_t from_ms = ms(early, request_us);
    for (int i = early->n; i-- > 0;) {
        struct weir_early_note *note = &early->notes[i];
        if (note->bytes == 0 || note->from_ms != from_ms) continue;
        note->at_ms = ms(early, done_us);
        note->bytes = bytes;
        return true;
    }
    return false;
}

int64_t weir_early_from_us(const struct weir_early *early, const struct weir_early_note *note) {
    return early->base_us + (int64_t)note->from_ms * 1000;
}

int64_t weir_early_at_us(const struct weir_early *early, const struct weir_early_note *note) {
    return early->base_us + (int64_t)note->at_ms * 1000;
}
