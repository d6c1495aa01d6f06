/* New flows that have no name yet, by address of the flow, with the round-trip samples that came
 * meanwhile. An entry lives until the flow has a name or ends. Entries lie side by side, the last
 * freed is used first, and a bounded open-addressing index says where: few are alive at a time, so
 * little memory is touched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/flow.h>

enum { WEIR_PENDING_RTT_MAX = 4 };

struct weir_pending_flow {
    const struct weir_flow *flow;
    uint8_t n_rtt, shard;
    uint32_t next_free; /* of one that is free: 1 + place of the next */
    struct {
        uint8_t side;
        uint32_t us;
    } rtt[WEIR_PENDING_RTT_MAX];
};

struct weir_pending {
    struct weir_pending_flow *entries;
    uint32_t *index; /* 1 + place in entries; 0: free */
    uint32_t free;   /* 1 + place of the first entry that was given back */
    size_t mask, n, n_touched, max;
    /* a shard has its part of the bound, so that which flows find room does not depend on the
     * number of workers */
    uint32_t of_shard[WEIR_SHARDS], max_of_shard;
};

int weir_pending_init(struct weir_pending *pending, size_t max); /* 0 or -ENOMEM */
void weir_pending_deinit(struct weir_pending *pending);
/* false: no room */
bool weir_pending_add(struct weir_pending *pending, const struct weir_flow *flow);
struct weir_pending_flow *weir_pending_find(struct weir_pending *pending,
                                            const struct weir_flow *flow);
void weir_pending_remove(struct weir_pending *pending, struct weir_pending_flow *entry);
/* false: it has enough */
bool weir_pending_keep_rtt(struct weir_pending_flow *entry, const struct weir_event *event);
