/* Linear probing with removal by shifting back, so that no tombstones gather in a table that lives
 * for months. */
#include <errno.h>
#include <stdlib.h>

#include "measure/pending.h"

int weir_pending_init(struct weir_pending *pending, size_t max) {
    size_t size = 16;
    while (size < max * 2) size *= 2;
    *pending =
        (struct weir_pending){.mask = size - 1,
                              .max = max,
                              .max_of_shard = (uint32_t)((max + WEIR_SHARDS - 1) / WEIR_SHARDS)};
    pending->entries = calloc(max, sizeof *pending->entries);
    pending->index = calloc(size, sizeof *pending->index);
    if (pending->entries && pending->index) return 0;
    weir_pending_deinit(pending);
    return -ENOMEM;
}

void weir_pending_deinit(struct weir_pending *pending) {
    free(pending->entries);
    free(pending->index);
    pending->entries = NULL;
    pending->index = NULL;
}

static size_t home_of(const struct weir_pending *pending, const struct weir_flow *flow) {
    return (size_t)(((uint64_t)(uintptr_t)flow >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
           pending->mask;
}

static struct weir_pending_flow *entry_at(const struct weir_pending *pending, size_t at) {
    return &pending->entries[pending->index[at] - 1];
}

/* Where the index names the flow, or where it would. */
static size_t place_of(const struct weir_pending *pending, const struct weir_flow *flow) {
    size_t at = home_of(pending, flow);
    while (pending->index[at] && entry_at(pending, at)->flow != flow) at = (at + 1) & pending->mask;
    return at;
}

struct weir_pending_flow *weir_pending_find(struct weir_pending *pending,
                                            const struct weir_flow *flow) {
    if (pending->n == 0) return NULL;
    size_t at = place_of(pending, flow);
    return pending->index[at] ? entry_at(pending, at) : NULL;
}

static uint32_t take_entry(struct weir_pending *pending) {
    uint32_t place = pending->free;
    if (!place) return (uint32_t)++pending->n_touched;
    pending->free = pending->entries[place - 1].next_free;
    return place;
}

bool weir_pending_add(struct weir_pending *pending, const struct weir_flow *flow) {
    size_t at = place_of(pending, flow);
    if (pending->index[at]) return true;
    unsigned shard = weir_flow_shard(flow);
    if (pending->n >= pending->max || pending->of_shard[shard] >= pending->max_of_shard)
        return false;
    pending->index[at] = take_entry(pending);
    *entry_at(pending, at) = (struct weir_pending_flow){.flow = flow, .shard = (uint8_t)shard};
    pending->n++;
    pending->of_shard[shard]++;
    return true;
}

void weir_pending_remove(struct weir_pending *pending, struct weir_pending_flow *entry) {
    size_t hole = place_of(pending, entry->flow);
    entry->next_free = pending->free;
    pending->free = pending->index[hole];
    pending->n--;
    pending->of_shard[entry->shard]--;
    for (size_t at = (hole + 1) & pending->mask; pending->index[at];
         at = (at + 1) & pending->mask) {
        size_t home = home_of(pending, entry_at(pending, at)->flow);
        /* An entry may move back to the hole unless its home lies behind the hole, cyclically. */
        if (((at - home) & pending->mask) >= ((at - hole) & pending->mask)) {
            pending->index[hole] = pending->index[at];
            hole = at;
        }
    }
    pending->index[hole] = 0;
}

bool weir_pending_keep_rtt(struct weir_pending_flow *entry, const struct weir_event *event) {
    if (entry->n_rtt >= WEIR_PENDING_RTT_MAX || event->rtt.us < 0) return false;
    entry->rtt[entry->n_rtt].side = (uint8_t)event->rtt.side;
    entry->rtt[entry->n_rtt].us = event->rtt.us > UINT32_MAX ? UINT32_MAX : (uint32_t)event->rtt.us;
    entry->n_rtt++;
    return true;
}
