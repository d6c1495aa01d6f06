/* The trials since the onset of whatever is judged: who failed, where, and what did not.
 *
 * A ring; its bound is a number of trials, so a home looks back for days and an ISP for tens of
 * minutes. A judgement whose onset is older is made on what is left, and counted. The open slot's
 * items lie behind the closed ones and are written anew each tick. Within a slot items are in order
 * of decision, so positions are nearly in order of time: the search backwards stops one slot early.
 *
 * Addresses are kept as numbers (base/index.h), hashed when an item comes and never again: a
 * judgement reads tens of thousands of items, each second while something fails, and must not ask a
 * table for each.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "detect/state.h"

/* Addresses that no item names any more stay in the index until there are as many again as then. */
enum { SPARE = 4096, DAY_MS = 86400000 };

static void bound(struct weir_history *history, struct weir_index *index) {
    size_t spare = index->n < SPARE ? SPARE : index->n;
    index->max = index->n + (spare < history->size ? spare : history->size);
}

int weir_history_init(struct weir_history *history, size_t max_items) {
    size_t size = 1;
    while (size * 2 <= max_items) size *= 2;
    *history = (struct weir_history){.size = size, .items = calloc(size, sizeof *history->items)};
    weir_index_init(&history->clients, 0);
    weir_index_init(&history->places, 0);
    bound(history, &history->clients);
    bound(history, &history->places);
    return history->items ? 0 : -ENOMEM;
}

void weir_history_discard(struct weir_history *history) {
    free(history->items);
    weir_index_deinit(&history->clients);
    weir_index_deinit(&history->places);
}

void weir_history_rewind(struct weir_history *history) { history->n = history->n_closed; }

/* Numbers anew the addresses that items still name: two look-ups an item, once in SPARE new
 * addresses or in as many as there are. False without memory: then all stays as it is. */
static bool renumber(struct weir_history *history, struct weir_index *index, size_t member) {
    struct weir_index fresh;
    uint64_t first = history->n > history->size ? history->n - history->size : 0;
    weir_index_init(&fresh, history->size);
    for (uint64_t at = first; at < history->n; at++) {
        uint32_t number;
        memcpy(&number, (char *)&history->items[at & (history->size - 1)] + member, sizeof number);
        if (weir_index_get(&fresh, &index->addrs[number]) == WEIR_INDEX_NONE) {
            weir_index_deinit(&fresh);
            return false;
        }
    }
    for (uint64_t at = first; at < history->n; at++) {
        char *number = (char *)&history->items[at & (history->size - 1)] + member;
        uint32_t old;
        memcpy(&old, number, sizeof old);
        uint32_t now = weir_index_find(&fresh, &index->addrs[old]);
        memcpy(number, &now, sizeof now);
    }
    weir_index_deinit(index);
    *index = fresh;
    bound(history, index);
    return true;
}

static uint32_t number_of(struct weir_history *history, struct weir_index *index, size_t member,
                          uint32_t before, const struct weir_addr *addr) {
    uint32_t number = weir_index_get_again(index, before, addr);
    if (number != WEIR_INDEX_NONE || !renumber(history, index, member)) return number;
    return weir_index_get(index, addr);
}

/* In milliseconds after the item's own; what is a day away belongs to no trial of ten seconds. */
static int32_t moment(const struct weir_item *item, int64_t us) {
    int64_t ms = (us - item->at_us) / 1000;
    return us == 0 || ms > DAY_MS || ms < -DAY_MS ? WEIR_PAST_NONE : (int32_t)ms;
}

void weir_history_add(struct weir_history *history, const struct weir_item *item,
                      struct weir_numbers *numbers, bool closed) {
    struct weir_numbers before = {WEIR_INDEX_NONE, WEIR_INDEX_NONE};
    if (!numbers) numbers = &before;
    uint32_t client = number_of(history, &history->clients, offsetof(struct weir_past, client),
                                numbers->client, &item->client),
             place = number_of(history, &history->places, offsetof(struct weir_past, place),
                               numbers->place, &item->prefix);
    *numbers = (struct weir_numbers){client, place};
    if (client == WEIR_INDEX_NONE || place == WEIR_INDEX_NONE) return;
    history->items[history->n++ & (history->size - 1)] =
        (struct weir_past){.at_us = item->at_us,
                           .client = client,
                           .place = place,
                           .service = item->service,
                           .layer = item->layer,
                           .kind = item->kind,
                           .flags = item->flags,
                           .role = item->role,
                           .name = item->name,
                           .useful_ms = item->useful_ms,
                           .began_ms = moment(item, item->began_us),
                           .back_ms = moment(item, item->back_us)};
    if (closed) history->n_closed = history->n;
}

void weir_history_insert(struct weir_history *history, const struct weir_item *item) {
    size_t mask = history->size - 1;
    uint64_t n = history->n;
    bool open = n > history->n_closed;
    weir_history_add(history, item, NULL, !open);
    if (!open || history->n == n) return; /* no memory for its address */
    struct weir_past last = history->items[(history->n - 1) & mask];
    history->items[(history->n - 1) & mask] = history->items[history->n_closed & mask];
    history->items[history->n_closed++ & mask] = last;
}

uint64_t weir_history_since(const struct weir_history *history, int64_t since_us,
                            bool *ret_overrun) {
    uint64_t first = history->n > history->size ? history->n - history->size : 0, at = history->n;
    while (at > first && weir_history_at(history, at - 1)->at_us >= since_us - WEIR_SLOT_US) at--;
    *ret_overrun = at == first && first > 0;
    return at;
}
