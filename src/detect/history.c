/* The trials since the onset of whatever is judged: who failed, where, and what did not (METHODS 7: "over [t_on, now] only").
 *
 * A ring; its bound is a number of trials, so a home looks back for days and an ISP for tens of minutes. A judgement whose
 * onset is older is made on what is left, and counted. The open slot's items lie behind the closed ones and are written anew
 * each tick. Within a slot items are in order of decision, so positions are nearly in order of time: the search backwards
 * stops one slot early.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "detect/state.h"

int weir_history_init(struct weir_history *history, size_t max_items)
{
    size_t size = 1;
    while (size * 2 <= max_items)
        size *= 2;
    *history = (struct weir_history){.size = size, .items = calloc(size, sizeof *history->items)};
    return history->items ? 0 : -ENOMEM;
}

void weir_history_rewind(struct weir_history *history)
{
    history->n = history->n_closed;
}

void weir_history_add(struct weir_history *history, const struct weir_item *item, bool closed)
{
    history->items[history->n++ & (history->size - 1)] = *item;
    if (closed)
        history->n_closed = history->n;
}

uint64_t weir_history_since(const struct weir_history *history, int64_t since_us, bool *ret_overrun)
{
    uint64_t first = history->n > history->size ? history->n - history->size : 0, at = history->n;
    while (at > first && weir_history_at(history, at - 1)->at_us >= since_us - WEIR_SLOT_US)
        at--;
    *ret_overrun = at == first && first > 0;
    return at;
}

int weir_tallies_init(struct weir_tallies *tallies)
{
    tallies->table = calloc((size_t)WEIR_TALLIES * 2, sizeof *tallies->table);
    return tallies->table ? 0 : -ENOMEM;
}

void weir_tallies_begin(struct weir_tallies *tallies)
{
    tallies->generation++;
    tallies->n = 0;
    tallies->overrun = false;
}

/* The entry of `addr`, or the place where it would be made. The table is at most half full. */
static struct weir_tally_entry *place_of(const struct weir_tallies *tallies, const struct weir_addr *addr)
{
    for (size_t at = weir_hash_addr(addr);; at++) {
        struct weir_tally_entry *entry = &tallies->table[at % (WEIR_TALLIES * 2)];
        if (entry->generation != tallies->generation || weir_addr_compare(&entry->addr, addr) == 0)
            return entry;
    }
}

const struct weir_tally_entry *weir_tallies_find(const struct weir_tallies *tallies, const struct weir_addr *addr)
{
    const struct weir_tally_entry *entry = place_of(tallies, addr);
    return entry->generation == tallies->generation ? entry : NULL;
}

struct weir_tally_entry *weir_tallies_get(struct weir_tallies *tallies, const struct weir_addr *addr)
{
    struct weir_tally_entry *entry = place_of(tallies, addr);
    if (entry->generation == tallies->generation)
        return entry;
    if (tallies->n == WEIR_TALLIES) {
        tallies->overrun = true;
        return NULL;
    }
    *entry = (struct weir_tally_entry){.addr = *addr, .generation = tallies->generation};
    tallies->order[tallies->n++] = entry;
    return entry;
}
