/* The trials since the onset of whatever is judged: who failed, where, and what did not.
 *
 * A ring; its bound is a number of trials, so a home looks back for days and an ISP for tens of
 * minutes. A judgement whose onset is older is made on what is left, and counted. The open slot's
 * items lie behind the closed ones and are written anew each tick. Within a slot items are in order
 * of decision, so positions are nearly in order of time: the search backwards stops one slot early.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detect/state.h"

int weir_history_init(struct weir_history *history, size_t max_items) {
    size_t size = 1;
    while (size * 2 <= max_items) size *= 2;
    *history = (struct weir_history){.size = size, .items = calloc(size, sizeof *history->items)};
    return history->items ? 0 : -ENOMEM;
}

void weir_history_rewind(struct weir_history *history) { history->n = history->n_closed; }

void weir_history_add(struct weir_history *history, const struct weir_item *item, bool closed) {
    history->items[history->n++ & (history->size - 1)] = *item;
    if (closed) history->n_closed = history->n;
}

uint64_t weir_history_since(const struct weir_history *history, int64_t since_us,
                            bool *ret_overrun) {
    uint64_t first = history->n > history->size ? history->n - history->size : 0, at = history->n;
    while (at > first && weir_history_at(history, at - 1)->at_us >= since_us - WEIR_SLOT_US) at--;
    *ret_overrun = at == first && first > 0;
    return at;
}
