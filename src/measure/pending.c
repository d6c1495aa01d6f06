/* Linear probing with removal by shifting back, so that no tombstones gather in a table that lives for months. */
#include <errno.h>
#include <stdlib.h>

#include "measure/pending.h"

int weir_pending_init(struct weir_pending *pending, size_t max)
{
    size_t size = 16;
    while (size < max * 2)
        size *= 2;
    pending->slots = calloc(size, sizeof *pending->slots);
    if (!pending->slots)
        return -ENOMEM;
    pending->mask = size - 1;
    pending->n = 0;
    pending->max = max;
    return 0;
}

void weir_pending_deinit(struct weir_pending *pending)
{
    free(pending->slots);
    pending->slots = NULL;
}

static size_t home_of(const struct weir_pending *pending, const struct weir_flow *flow)
{
    return (size_t)(((uint64_t)(uintptr_t)flow >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & pending->mask;
}

struct weir_pending_flow *weir_pending_find(struct weir_pending *pending, const struct weir_flow *flow)
{
    if (pending->n == 0)
        return NULL;
    for (size_t at = home_of(pending, flow); pending->slots[at].flow; at = (at + 1) & pending->mask)
        if (pending->slots[at].flow == flow)
            return &pending->slots[at];
    return NULL;
}

bool weir_pending_add(struct weir_pending *pending, const struct weir_flow *flow)
{
    if (weir_pending_find(pending, flow))
        return true;
    if (pending->n >= pending->max)
        return false;
    size_t at = home_of(pending, flow);
    while (pending->slots[at].flow)
        at = (at + 1) & pending->mask;
    pending->slots[at] = (struct weir_pending_flow){.flow = flow};
    pending->n++;
    return true;
}

void weir_pending_remove(struct weir_pending *pending, struct weir_pending_flow *entry)
{
    size_t hole = (size_t)(entry - pending->slots);
    pending->n--;
    for (size_t at = (hole + 1) & pending->mask; pending->slots[at].flow; at = (at + 1) & pending->mask) {
        size_t home = home_of(pending, pending->slots[at].flow);
        /* An entry may move back to the hole unless its home lies behind the hole, cyclically. */
        if (((at - home) & pending->mask) >= ((at - hole) & pending->mask)) {
            pending->slots[hole] = pending->slots[at];
            hole = at;
        }
    }
    pending->slots[hole].flow = NULL;
}

bool weir_pending_keep_rtt(struct weir_pending_flow *entry, const struct weir_event *event)
{
    if (entry->n_rtt >= WEIR_PENDING_RTT_MAX || event->rtt.us < 0)
        return false;
    entry->rtt[entry->n_rtt].side = (uint8_t)event->rtt.side;
    entry->rtt[entry->n_rtt].us = event->rtt.us > UINT32_MAX ? UINT32_MAX : (uint32_t)event->rtt.us;
    entry->n_rtt++;
    return true;
}
